//! The pods that run: what they may do to their node, what they ask of it, and who reaches them.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use alscope_plan::api::MeshObservability;
use alscope_plan::plan::collector_objects::desired_objects;
use alscope_plan::plan::resource_requests::DEFAULT_REQUESTS;
use alscope_plan::plan::settings::OperatorSettings;
use alscope_plan::world::OwnedKind;
use rstest::rstest;
use serde_json::{Value, json};

/// The label by which a namespace lets in only what meets the standard.
const LABEL: &str = "pod-security.kubernetes.io/enforce";

#[test]
fn the_collectors_pods_meet_the_standard_restricted_whatever_is_asked() {
    let scheduling = json!({"tolerations": [{"operator": "Exists"}], "priorityClassName": "high"});
    let mut specs =
        vec![json!({"collector": {"scheduling": scheduling, "resources": {"limits": {"memory": "1Gi"}}}})];
    let chains = [
        json!(["k8s-mesh"]),
        json!(["mx-mesh"]),
        json!(["mx-mesh", "persistence"]),
        json!([]),
    ];
    specs.extend(chains.map(|names| json!({"analysis": {"http": names, "tcp": names}})));
    let pods = json!({"labels": {"a": "b"}, "env": [{"name": "A", "value": "b"}], "imagePullPolicy": "Always",
        "volumes": [{"name": "own", "emptyDir": {}}], "volumeMounts": [{"name": "own", "mountPath": "/own"}],
        "securityContext": {"fsGroup": 1}, "containerSecurityContext": {"privileged": false}});
    specs.push(json!({"collector": {"pods": pods, "web": {"expose": true}}}));
    for spec in specs {
        assert_eq!(offences(&pod(&spec)), Vec::<String>::new(), "{spec}");
    }
}

#[test]
fn the_operators_namespace_lets_in_only_such_pods_and_the_operator_is_one() {
    let manifest = manifest();
    let of_kind = |kind: &'static str| manifest.iter().filter(move |object| object["kind"] == kind);
    let namespaces: Vec<(&Value, &Value)> = of_kind("Namespace")
        .map(|namespace| {
            (
                &namespace["metadata"]["name"],
                &namespace["metadata"]["labels"][LABEL],
            )
        })
        .collect();
    assert_eq!(namespaces, [(&json!("alscope-system"), &json!("restricted"))]);
    let pods: Vec<Vec<String>> = of_kind("Deployment")
        .map(|deployment| offences(&deployment["spec"]["template"]["spec"]))
        .collect();
    assert_eq!(pods, [Vec::<String>::new()]);
}

#[rstest]
#[case::root_by_default("/securityContext/runAsNonRoot", json!(false), "runAsNonRoot")]
#[case::root("/securityContext/runAsUser", json!(0), "runAsUser")]
#[case::no_seccomp("/securityContext/seccompProfile/type", json!("Unconfined"), "seccompProfile")]
#[case::a_path_of_the_node("/volumes/0", json!({"name": "node", "hostPath": {"path": "/"}}), "volume hostPath")]
#[case::the_nodes_network("/hostNetwork", json!(true), "hostNetwork")]
#[case::more_privileges("/containers/0/securityContext/allowPrivilegeEscalation", json!(true), "allowPrivilegeEscalation")]
#[case::all_privileges("/containers/0/securityContext/privileged", json!(true), "privileged")]
#[case::capabilities("/containers/0/securityContext/capabilities", json!({"drop": ["NET_RAW"]}), "capabilities")]
#[case::a_port_of_the_node("/containers/0/ports/0/hostPort", json!(11_800), "hostPort")]
#[case::a_writable_root("/containers/0/securityContext/readOnlyRootFilesystem", json!(false), "readOnlyRootFilesystem")]
fn what_does_not_meet_the_standard_is_found(
    #[case] pointer: &str,
    #[case] value: Value,
    #[case] offence: &str,
) {
    let mut pod = pod(&json!({}));
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer has a parent");
    let parent = pod.pointer_mut(parent).expect("the collector's pod has it");
    match (parent, key.parse::<usize>()) {
        (Value::Array(items), Ok(place)) => items[place] = value,
        (parent, _) => parent[key] = value,
    }
    assert_eq!(offences(&pod), [offence]);
}

#[test]
fn where_only_prometheus_is_let_in_the_operators_own_pods_are_too() {
    let spec = json!({"collector": {"networkPolicy": {"prometheus": [{"podSelector": {}}]}}});
    let policy = object(&spec, OwnedKind::NetworkPolicy);
    let let_in = &policy["spec"]["ingress"][1]["from"][1]["podSelector"]["matchLabels"];
    let let_in = let_in.as_object().expect("the operator is let in by its labels");
    let manifest = manifest();
    let operator = manifest.iter().find(|object| object["kind"] == "Deployment");
    let operator = operator.expect("deploy/operator.yaml has the operator");
    assert_eq!(operator["metadata"]["namespace"], policy["metadata"]["namespace"]);
    for (label, value) in let_in {
        assert_eq!(&operator["spec"]["template"]["metadata"]["labels"][label], value);
    }
    assert_eq!(let_in.len(), 1);
}

/// The load of `docs/memory.md` is 2 000 proxies; what the default request is for is an eighth of it. What there is one of, or
/// what a limit bounds, is no smaller for that.
#[test]
fn the_memory_that_is_requested_is_enough_for_250_proxies() {
    let page = read("docs/memory.md");
    let mut needed = 0.0;
    let mut rows = 0;
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, what, _, of_each, _, mebibytes, ..] = cells[..] else {
            continue;
        };
        let Ok(mebibytes) = mebibytes.parse::<f64>() else {
            continue;
        };
        if what == "sum" {
            continue;
        }
        rows += 1;
        let is_fixed = ["process", "worker", "byte", "reader"].contains(&of_each);
        needed += if is_fixed { mebibytes } else { mebibytes / 8.0 };
    }
    assert!(rows > 10, "the table of docs/memory.md is read: {rows} rows");
    let [("cpu", "100m"), ("memory", requested)] = DEFAULT_REQUESTS else {
        panic!("cpu and memory are requested: {DEFAULT_REQUESTS:?}");
    };
    let requested = requested.strip_suffix("Mi").expect("memory is in MiB");
    let requested: f64 = requested.parse().expect("a quantity is a number");
    assert!(
        needed <= requested,
        "{needed} MiB are needed, {requested} requested"
    );
    assert!(
        needed > requested / 2.0,
        "{needed} MiB are needed, {requested} requested"
    );
}

/// What of a pod does not meet the Pod Security Standard `restricted`, or lets it write to its image.
fn offences(pod: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut offence = |is_one: bool, what: &str| found.extend(is_one.then(|| what.to_owned()));
    for shared in ["hostNetwork", "hostPID", "hostIPC"] {
        offence(pod[shared] == true, shared);
    }
    for volume in pod["volumes"].as_array().into_iter().flatten() {
        for kind in volume
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, _)| key.as_str())
        {
            let is_harmless = ["name", "configMap", "emptyDir", "projected", "secret"].contains(&kind);
            offence(!is_harmless, &format!("volume {kind}"));
        }
    }
    let of_pod = &pod["securityContext"];
    offence(of_pod["runAsNonRoot"] != true, "runAsNonRoot");
    offence(of_pod["runAsUser"] == 0, "runAsUser");
    offence(
        of_pod["seccompProfile"]["type"] != "RuntimeDefault",
        "seccompProfile",
    );
    let containers = ["initContainers", "containers"].map(|field| pod[field].as_array());
    let containers: Vec<&Value> = containers.into_iter().flatten().flatten().collect();
    offence(containers.is_empty(), "no container");
    for container in containers {
        let own = &container["securityContext"];
        for (field, demanded) in [
            ("allowPrivilegeEscalation", false),
            ("readOnlyRootFilesystem", true),
        ] {
            offence(own[field] != demanded, field);
        }
        offence(own["privileged"] == true, "privileged");
        offence(own["capabilities"] != json!({"drop": ["ALL"]}), "capabilities");
        for loosened in ["runAsUser", "runAsNonRoot", "seccompProfile"] {
            offence(own.get(loosened).is_some(), loosened);
        }
        let ports = container["ports"].as_array().into_iter().flatten();
        offence(
            ports.into_iter().any(|port| port.get("hostPort").is_some()),
            "hostPort",
        );
    }
    found
}

fn object(spec: &Value, kind: OwnedKind) -> Value {
    let resource: MeshObservability =
        serde_json::from_value(json!({"metadata": {"name": "alscope", "uid": "1"}, "spec": spec}))
            .expect("a resource is one");
    let objects = desired_objects(&resource, &OperatorSettings::default());
    let mut objects = objects.expect("the spec is valid").into_iter();
    let found = objects.find(|object| object.kind == kind);
    found.expect("the operator makes one").object
}

fn pod(spec: &Value) -> Value {
    object(spec, OwnedKind::Deployment)["spec"]["template"]["spec"].clone()
}

fn manifest() -> Vec<Value> {
    serde_saphyr::from_multiple(&read("deploy/operator.yaml")).expect("deploy/operator.yaml is YAML")
}

fn read(file: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(root.join(file)).expect("the file is readable")
}
