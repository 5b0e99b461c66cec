//! The definition of `MeshObservability` that the API server gets, and what the documents say about it.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use alscope_plan::api::{MeshObservability, definition};
use serde_json::{Value, json};

/// Fields whose schema is Kubernetes' own, with its descriptions where it gives some.
const OF_KUBERNETES: [&str; 14] = [
    ".affinity",
    ".conditions",
    ".containerSecurityContext",
    ".imagePullSecrets",
    ".networkPolicy.page",
    ".networkPolicy.prometheus",
    ".networkPolicy.proxies",
    ".resources",
    ".securityContext",
    ".tolerations",
    ".topologySpreadConstraints",
    ".valueFrom",
    ".volumeMounts",
    ".volumes",
];

#[test]
fn every_field_is_described() {
    let schema = schema();
    let mut fields = Vec::new();
    collect_fields("", &schema, &mut fields);
    for name in [
        ".spec",
        ".spec.mesh.allowGatewayRollout",
        ".spec.collector.scheduling.nodeSelector",
        ".status.proxies.workloads[].command",
    ] {
        assert!(
            fields.iter().any(|(field, _)| field == name),
            "{name} is no field: {fields:?}"
        );
    }
    let bare: Vec<&str> = fields
        .iter()
        .filter(|(_, description)| description.trim().is_empty())
        .map(|(field, _)| field.as_str())
        .collect();
    assert_eq!(bare, Vec::<&str>::new());
}

#[test]
fn an_empty_spec_has_every_default() {
    let schema = schema();
    let spec = &schema["properties"]["spec"];
    assert_eq!(spec["default"], json!({}));
    assert!(
        schema["required"].as_array().is_none_or(Vec::is_empty),
        "spec may be absent"
    );
    let mut filled = json!({});
    fill_in(spec, &mut filled);
    let wanted = json!({
        "managementState": "Managed",
        "mesh": {
            "namespace": "istio-system",
            "revisions": [],
            "wiring": "MeshConfig",
            "configSource": "Auto",
            "conflictPolicy": "Refuse",
            "restart": "Report",
            "restartBudget": {"workloads": 1, "pause": "30s"},
            "allowGatewayRollout": false,
        },
        "analysis": {
            "http": ["k8s-mesh"],
            "tcp": ["k8s-mesh"],
            "naming": {
                "k8sServiceNameRule": "${pod.metadata.labels.(service.istio.io/canonical-name)}.${pod.metadata.namespace}",
                "istioServiceNameRule": "${serviceEntry.metadata.name}.${serviceEntry.metadata.namespace}",
                "istioServiceEntryIgnoredNamespaces": [],
            },
            "endpoints": {"rules": [], "perService": 500},
            "persistence": {"errors": true, "sampledShare": 0.0, "entriesPerMinute": 6000},
            "redaction": {"enabled": true, "headers": []},
            "trustForwardedAddress": false,
        },
        "collector": {
            "image": "", "replicas": 1, "resources": {}, "scheduling": {},
            "pods": {"labels": {}, "annotations": {}, "env": [], "volumes": [], "volumeMounts": [], "serviceAccountName": "",
                "imagePullSecrets": []},
            "service": {"type": "ClusterIP", "annotations": {}, "ipFamilies": []},
            "networkPolicy": {"enabled": true, "proxies": [], "prometheus": [], "page": []},
            "acceptMetricsService": true,
            "limits": {
                "messageBytes": 1_048_576, "entriesPerMessage": 65_536, "stringBytes": 4096, "connections": 16_384,
                "streamsPerConnection": 128, "streamsPerPeer": 1024, "samples": 500_000, "idleSeries": "1h", "outsideHosts": 200,
                "bufferedBytes": 67_108_864, "connectionAge": "30m",
            },
            "web": {"expose": false, "hosts": []},
            "ending": {"quiet": "5s", "accept": "15s", "scrape": "20s"},
            "logLevel": "info",
        },
    });
    assert_eq!(filled, wanted);
    let read: MeshObservability =
        serde_json::from_value(json!({"metadata": {"name": "alscope"}, "spec": {}}))
            .expect("an empty spec is one");
    assert_eq!(serde_json::to_value(read.spec).expect("a spec is JSON"), wanted);
}

/// The API server refuses larger annotations, and `kubectl apply` without `--server-side` writes the whole definition into one.
#[test]
fn the_definition_fits_in_an_annotation() {
    let text = serde_json::to_string(&definition()).expect("the definition is JSON");
    assert!(text.len() < 256 << 10, "{} bytes", text.len());
}

#[test]
fn the_definition_is_of_a_cluster_wide_resource_with_its_columns() {
    let definition = definition().spec;
    assert_eq!(definition.scope, "Cluster");
    assert_eq!(definition.names.plural, "meshobservabilities");
    assert_eq!(definition.names.short_names, Some(vec!["meshobs".to_owned()]));
    assert_eq!(definition.names.categories, Some(vec!["alscope".to_owned()]));
    let [version] = definition.versions.as_slice() else {
        panic!("there is one version");
    };
    assert_eq!(version.name, "v1alpha1");
    assert!(
        version
            .subresources
            .as_ref()
            .is_some_and(|one| one.status.is_some())
    );
    let columns: Vec<(&str, &str)> = version
        .additional_printer_columns
        .iter()
        .flatten()
        .map(|column| (column.name.as_str(), column.json_path.as_str()))
        .collect();
    assert_eq!(
        columns,
        [
            ("State", ".status.state"),
            (
                "Wiring",
                r#".status.conditions[?(@.type=="MeshConfigured")].reason"#
            ),
            ("Proxies", ".status.proxies.summary"),
            ("Flow", r#".status.conditions[?(@.type=="DataFlowing")].status"#),
            ("Age", ".metadata.creationTimestamp"),
        ]
    );
}

#[test]
fn every_rule_of_the_schema_says_what_to_write() {
    let mut rules = Vec::new();
    collect_rules(&schema(), &mut rules);
    assert!(
        rules.len() >= 20,
        "name, namespace, analyzers, limits, pods and sources have rules: {rules:?}"
    );
    for rule in rules {
        let message = rule["message"].as_str().unwrap_or_default();
        assert!(message.len() > 20, "{rule} has no message");
    }
}

#[test]
fn the_examples_are_resources_and_the_long_one_has_every_field() {
    for (file, is_complete) in [("minimal.yaml", false), ("meshobservability.yaml", true)] {
        let text = read(&root().join("docs/examples").join(file));
        let example: Value = serde_saphyr::from_str(&text).expect("an example is YAML");
        assert_eq!(example["apiVersion"], "alscope.dev/v1alpha1");
        assert_eq!(example["kind"], "MeshObservability");
        let spec = &schema()["properties"]["spec"];
        assert_eq!(
            unknown_fields("spec", spec, &example["spec"]),
            Vec::<String>::new()
        );
        let resource: MeshObservability = serde_json::from_value(example).expect("an example is a resource");
        assert_eq!(resource.metadata.name.as_deref(), Some("alscope"));
        let mut fields = Vec::new();
        collect_fields("", spec, &mut fields);
        let missing = fields
            .iter()
            .filter_map(|(path, _)| path.rsplit_once('.'))
            .filter(|(_, name)| !text.contains(&format!("{name}:")));
        assert_eq!(missing.count() == 0, is_complete, "{file}");
    }
}

#[test]
fn every_reason_is_explained() {
    let install = read(&root().join("docs/install.md"));
    let reasons = reasons();
    for reason in ["Wired", "ManagedByGitOps", "MeshAlreadyClaimed", "NoTraffic"] {
        assert!(reasons.contains(reason), "{reason} is not found: {reasons:?}");
    }
    let unexplained: Vec<&String> = reasons
        .iter()
        .filter(|reason| !install.contains(&format!("`{reason}`")))
        .collect();
    assert_eq!(unexplained, Vec::<&String>::new(), "docs/install.md lacks them");
}

fn schema() -> Value {
    let definition = serde_json::to_value(definition()).expect("the definition is JSON");
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

/// Each field's path and description.
fn collect_fields(path: &str, schema: &Value, fields: &mut Vec<(String, String)>) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        fields.push((
            path.clone(),
            field["description"].as_str().unwrap_or_default().to_owned(),
        ));
        if !OF_KUBERNETES.iter().any(|field| path.ends_with(field)) {
            collect_fields(&path, field, fields);
        }
    }
    if schema["items"].is_object() {
        collect_fields(&format!("{path}[]"), &schema["items"], fields);
    }
}

fn collect_rules(schema: &Value, rules: &mut Vec<Value>) {
    match schema {
        Value::Object(fields) => {
            rules.extend(
                fields
                    .get("x-kubernetes-validations")
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                    .cloned(),
            );
            fields.values().for_each(|field| collect_rules(field, rules));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_rules(item, rules)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What the API server makes of a value: absent fields get their default, and those of theirs theirs.
fn fill_in(schema: &Value, value: &mut Value) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        if value[name].is_null() && !field["default"].is_null() {
            value[name] = field["default"].clone();
        }
        if value[name].is_object() {
            fill_in(field, &mut value[name]);
        } else if value[name].is_null() {
            value.as_object_mut().expect("a struct is an object").remove(name);
        }
    }
}

/// The reasons in the plan's code: the first argument of an answer, and what a refusal is called.
fn reasons() -> BTreeSet<String> {
    let plan = root().join("crates/plan/src/plan");
    let files = fs::read_dir(&plan).expect("the sources are readable");
    let mut files: Vec<PathBuf> = files
        .map(|entry| entry.expect("the sources are readable").path())
        .collect();
    files.push(plan.with_extension("rs"));
    let mut reasons = BTreeSet::new();
    for file in files {
        let text = read(&file);
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let is_refusal = file.file_name().is_some_and(|name| name == "refusal.rs");
        let mut places = vec![
            "ConditionState::met(",
            "ConditionState::unmet(",
            "ConditionState::unknown(",
        ];
        places.extend(is_refusal.then_some("=> "));
        let found = places
            .into_iter()
            .flat_map(|place| code.split(place).skip(1))
            .filter_map(|rest| {
                let literal = rest.trim_start().strip_prefix('"')?;
                literal.split('"').next().map(str::to_owned)
            });
        reasons.extend(found);
    }
    reasons
}

/// The paths of what the API server would prune.
fn unknown_fields(path: &str, schema: &Value, value: &Value) -> Vec<String> {
    match (value, schema["properties"].as_object()) {
        (Value::Object(fields), Some(properties)) => {
            let below = |(name, value): (&String, &Value)| {
                let path = format!("{path}.{name}");
                properties
                    .get(name)
                    .map_or_else(|| vec![path.clone()], |field| unknown_fields(&path, field, value))
            };
            fields.iter().flat_map(below).collect()
        }
        (Value::Array(items), _) => items
            .iter()
            .flat_map(|item| unknown_fields(path, &schema["items"], item))
            .collect(),
        _ => Vec::new(),
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).expect("the file is readable")
}
