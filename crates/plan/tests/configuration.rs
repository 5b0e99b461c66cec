//! The fields of a `MeshObservability` that become the collector's file: each key has one, and whatever the definition admits is a file
//! that the collector reads with the same values.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

#[path = "configuration/admitted.rs"]
mod admitted;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use alscope_collector_config::{
    Analyzer, Config, ConfigError, Directory, MAPPINGS, Setting, ValueKind, settings,
};
use alscope_plan::api::{MeshObservability, definition};
use alscope_plan::plan::collector_config::{collector_config, field_of};
use alscope_plan::plan::settings::OperatorSettings;
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

/// Keys that have no field, sorted, each with its reason. One that ends with a dot stands for all keys below it.
const OF_THE_OPERATOR: [(&str, &str); 2] = [
    (
        "directory",
        "The analyzers say whether addresses are looked up, and the operator's collector asks the API server.",
    ),
    (
        "listen.",
        "The Service, the probes and the NetworkPolicy name the ports, so the operator chooses them.",
    ),
];

#[test]
fn every_key_has_a_field_or_a_reason() {
    let schema = schema();
    let reason = |key: &str| {
        OF_THE_OPERATOR
            .iter()
            .find(|(owned, _)| key == *owned || key.starts_with(&format!("{}.", owned.trim_end_matches('.'))))
    };
    let mut excused = BTreeSet::new();
    for setting in settings() {
        let field = field(schema, setting.key);
        if let Some((owned, _)) = reason(setting.key) {
            assert_eq!(
                field, None,
                "{} has a field and a reason not to have one",
                setting.key
            );
            excused.insert(*owned);
        } else {
            let type_ = &field
                .unwrap_or_else(|| panic!("{} has no field {}", setting.key, field_of(setting.key)))["type"];
            assert_eq!(type_, type_of(setting), "{}", setting.key);
        }
    }
    let owned: Vec<&str> = OF_THE_OPERATOR.iter().map(|(key, _)| *key).collect();
    assert_eq!(
        excused.into_iter().collect::<Vec<_>>(),
        owned,
        "each reason is for a key, and they are sorted"
    );
    assert!(OF_THE_OPERATOR.iter().all(|(_, reason)| reason.ends_with('.')));
}

/// The type that the field of a key has.
fn type_of(setting: &Setting) -> &'static str {
    match setting.kind() {
        ValueKind::Keys => "object",
        ValueKind::Analyzers | ValueKind::Names | ValueKind::List => "array",
        ValueKind::Number | ValueKind::Milliseconds => "integer",
        ValueKind::Share => "number",
        ValueKind::Switch => "boolean",
        ValueKind::Address | ValueKind::File | ValueKind::NamingRule | ValueKind::Time => "string",
    }
}

#[test]
fn the_analyzers_are_the_collectors() {
    let schema = schema();
    for key in ["analysis.http", "analysis.tcp"] {
        let names = &field(schema, key).expect("it has a field")["items"]["enum"];
        assert_eq!(*names, json!(Analyzer::ALL.map(Analyzer::as_str)));
    }
}

#[test]
fn an_empty_spec_is_the_collectors_default_with_analyzers() {
    let mut expected = Config::default();
    expected.analysis.http = vec![Analyzer::K8sMesh];
    expected.analysis.tcp = vec![Analyzer::K8sMesh];
    assert_eq!(config(&json!({})).expect("it is valid"), expected);
    let filled = admitted::with_defaults(&schema()["properties"]["spec"], &json!({}));
    assert_eq!(config(&filled).expect("it is valid"), expected);
}

#[test]
fn every_environment_variable_of_a_setting_is_refused() {
    let variables: BTreeSet<&str> = MAPPINGS
        .iter()
        .map(|mapping| mapping.variable)
        .filter(|name| !name.is_empty())
        .collect();
    assert!(variables.len() > 10, "{variables:?}");
    for variable in variables.into_iter().chain(["RUST_LOG"]) {
        let spec = json!({"collector": {"pods": {"env": [{"name": variable, "value": "1"}]}}});
        assert_eq!(refusals(&spec).len(), 1, "{variable}");
    }
    let other = json!({"collector": {"pods": {"env": [{"name": "HTTPS_PROXY", "value": "1"}]}}});
    assert_eq!(refusals(&other), Vec::<String>::new());
}

#[rstest]
#[case::twice(json!({"analysis": {"http": ["k8s-mesh", "k8s-mesh"]}}), "list it once")]
#[case::nothing_to_keep(json!({"analysis": {"tcp": ["persistence", "k8s-mesh"]}}), "list it after k8s-mesh")]
#[case::a_message_over_the_buffer(json!({"collector": {"limits": {"messageBytes": 9, "bufferedBytes": 8}}}), "raise bufferedBytes")]
#[case::idle_too_short(json!({"collector": {"limits": {"idleSeries": "9s"}}}), "from 10s to 8760h")]
#[case::never_idle(json!({"collector": {"limits": {"idleSeries": "8761h"}}}), "from 10s to 8760h")]
#[case::never_moving(json!({"collector": {"limits": {"connectionAge": "0s"}}}), "from 1ms to 8760h")]
#[case::no_end(json!({"collector": {"ending": {"accept": "61m"}}}), "at most 1h")]
#[case::more_than_the_most(json!({"collector": {"autoscaling": {"minReplicas": 3, "maxReplicas": 2}}}), "raise maxReplicas")]
#[case::an_open_page(json!({"collector": {"web": {"expose": true}}}), "list in networkPolicy.page")]
#[case::a_label_of_the_operators(json!({"collector": {"pods": {"labels": {"app.kubernetes.io/name": "x"}}}}), "leave it out")]
#[case::a_volume_of_the_operators(json!({"collector": {"pods": {"volumes": [{"name": "config"}]}}}), "another name")]
#[case::over_the_file(json!({"collector": {"pods": {"volumeMounts": [{"name": "a", "mountPath": "/etc/alscope/x"}]}}}), "elsewhere")]
#[case::a_family_twice(json!({"collector": {"service": {"ipFamilies": ["IPv4", "IPv4"]}}}), "list it once")]
#[case::an_annotation_of_the_operators(json!({"collector": {"service": {"annotations": {"alscope.dev/applied": "1"}}}}), "leave it out")]
#[case::a_page_for_nobody(json!({"collector": {"networkPolicy": {"page": [{}]}}}), "ipBlock or selectors")]
fn the_definition_says_what_to_write_instead(#[case] spec: Value, #[case] says: &str) {
    let refusals = refusals(&spec);
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    assert!(refusals[0].contains(says), "{refusals:?}");
}

#[rstest]
#[case::a_page_for_some(json!({"collector": {"web": {"expose": true}, "networkPolicy": {"page": [{"namespaceSelector": {}}]}}}))]
#[case::a_page_without_a_policy(json!({"collector": {"web": {"expose": true}, "networkPolicy": {"enabled": false}}}))]
#[case::bounds(json!({"collector": {"limits": {"idleSeries": "10s", "connectionAge": "8760h"}, "ending": {"quiet": "0s", "accept": "1h"}}}))]
#[case::no_analyzer(json!({"analysis": {"http": [], "tcp": []}}))]
fn the_definition_admits(#[case] spec: Value) {
    assert_eq!(refusals(&spec), Vec::<String>::new());
    config(&spec).expect("it is valid");
}

#[rstest]
#[case::a_rule_of_no_object(
    json!({"analysis": {"naming": {"k8sServiceNameRule": "${serviceEntry.metadata.name}"}}}),
    "`spec.analysis.naming.k8sServiceNameRule` in the resource: "
)]
#[case::a_placeholder(
    json!({"analysis": {"naming": {"istioServiceNameRule": "${HOME:x}"}}}),
    "`spec.analysis.naming.istioServiceNameRule` in the resource is `${HOME:x}`, which takes an environment variable; write the value itself"
)]
#[case::no_host(
    json!({"collector": {"web": {"hosts": ["::::"]}}}),
    "`spec.collector.web.hosts` in the resource is `::::`; write a host without scheme, port and path, as in alscope.example.com or 10.0.0.7"
)]
fn what_only_the_collector_can_judge_is_refused_in_its_words(#[case] spec: Value, #[case] says: &str) {
    assert_eq!(refusals(&spec), Vec::<String>::new());
    let error = config(&spec).expect_err("the collector refuses it").to_string();
    assert!(error.starts_with(says), "{error}");
}

#[test]
fn an_exposed_page_listens_and_answers_in_the_services_names() {
    let spec = json!({"collector": {"web": {"expose": true, "hosts": ["alscope.example.com"]}}});
    let config = config(&spec).expect("it is valid");
    assert_eq!(config.listen.web.ip(), Config::default().listen.grpc.ip());
    assert_eq!(config.listen.web.port(), 8080);
    assert_eq!(
        config.web_hosts,
        [
            "alscope.example.com",
            "alscope-collector",
            "alscope-collector.alscope-system",
            "alscope-collector.alscope-system.svc",
            "alscope-collector.alscope-system.svc.cluster.local",
        ]
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_definition_admits_is_read_with_the_same_values(spec in admitted::spec(schema())) {
        prop_assert_eq!(refusals(&spec), Vec::<String>::new());
        let config = match config(&spec) {
            Ok(config) => config,
            // The definition can't judge rules and addresses.
            Err(ConfigError::BadNamingRule { .. } | ConfigError::Placeholder { .. }) => return Ok(()),
            Err(ConfigError::BadValue { key, .. })
                if key == "spec.collector.web.hosts" || key.starts_with("spec.analysis.naming") => return Ok(()),
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        };
        let file = config.render();
        let read = Config::parse(&file, Path::new("collector.yaml")).expect("the collector reads it");
        prop_assert_eq!(&read, &config, "{}", file);
        let looks_up = [&read.analysis.http, &read.analysis.tcp].iter().any(|chain| chain.contains(&Analyzer::K8sMesh));
        prop_assert_eq!(read.directory == Directory::None, !looks_up);
        for setting in settings() {
            let name = format!("/{}", field_of(setting.key).replace('.', "/"));
            let resource = json!({"spec": spec});
            let Some(asked) = resource.pointer(&name) else { continue };
            let value = setting.value(&read);
            prop_assert!(is_same(setting, asked, value.as_deref()), "{} is {:?}, not {}", name, value, asked);
        }
    }
}

/// Whether the collector's value of a key, in its words, is the one of the resource.
fn is_same(setting: &Setting, asked: &Value, value: Option<&str>) -> bool {
    let Some(value) = value else { return false };
    let time = |text: &str| text.parse::<jiff::SignedDuration>().ok();
    match asked {
        Value::Array(items) => {
            let items: Vec<String> = items
                .iter()
                .map(|item| item.as_str().unwrap_or_default().to_owned())
                .collect();
            let items = items.join(",");
            let items = if items.is_empty() { "none" } else { &items };
            items.eq_ignore_ascii_case(value) || setting.key == "web.hosts"
        }
        Value::String(text) if setting.kind() == ValueKind::Time => time(text) == time(value),
        Value::String(text) => text.trim() == value,
        Value::Number(number) => number.as_f64() == value.parse().ok(),
        Value::Bool(switch) => switch.to_string() == value,
        Value::Null | Value::Object(_) => false,
    }
}

fn config(spec: &Value) -> Result<Config, ConfigError> {
    let resource: MeshObservability =
        serde_json::from_value(json!({"metadata": {"name": "alscope"}, "spec": spec}))
            .expect("a spec is one");
    collector_config(&resource, &OperatorSettings::default())
}

fn schema() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
        let definition = serde_json::to_value(definition()).expect("the definition is JSON");
        definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
    });
    &SCHEMA
}

/// The schema of the field of a key.
fn field(schema: &Value, key: &str) -> Option<Value> {
    let field = field_of(key);
    let found = field
        .split('.')
        .try_fold(schema, |schema, name| schema["properties"].get(name));
    found.cloned()
}

/// What the rules of the definition say against a spec, after its defaults are filled in.
fn refusals(spec: &Value) -> Vec<String> {
    let schema = &schema()["properties"]["spec"];
    let filled = admitted::with_defaults(schema, spec);
    let judged = kube_cel::validate(schema, &filled, None);
    judged.map_or_else(
        |errors| errors.into_vec().into_iter().map(|error| error.message).collect(),
        |()| Vec::new(),
    )
}
