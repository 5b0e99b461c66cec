//! `alscope-operator plan` as a process: what it prints, and how it ends.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rstest::rstest;
use serde_json::{Value, json};

const MINIMAL: &str =
    "apiVersion: alscope.dev/v1alpha1\nkind: MeshObservability\nmetadata: {name: alscope}\n";
/// Mesh config that already sends access logs to somebody else.
const FOREIGN: &str = "\
kind: List
items:
- {apiVersion: apps/v1, kind: Deployment, metadata: {namespace: istio-system, name: istiod, labels: {app: istiod}},
   spec: {selector: {}, template: {spec: {containers: [{name: discovery, image: 'pilot:1.30.3'}]}}}}
- {apiVersion: v1, kind: ConfigMap,
   metadata: {namespace: istio-system, name: istio, labels: {helm.toolkit.fluxcd.io/name: istiod}},
   data: {mesh: 'defaultConfig: {envoyAccessLogService: {address: \"audit:1\"}}'}}
- {apiVersion: v1, kind: Pod, metadata: {namespace: shop, name: web, labels: {service.istio.io/canonical-name: web}},
   spec: {containers: [{name: istio-proxy, env: [{name: PROXY_CONFIG, value: '{}'}]}]}}
";

fn stock() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples/stock-istio.yaml")
}

/// Runs the plan for the resource on its standard input, in the cluster of a file.
fn plan(resource: &str, state: &Path, further: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_alscope-operator"))
        .args(["plan", "-f", "-", "--state"])
        .arg(state)
        .args(further)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(resource.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

fn in_foreign(resource: &str, further: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state.yaml");
    std::fs::write(&state, FOREIGN).unwrap();
    plan(resource, &state, further)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn changes_end_with_3_only_if_asked() {
    assert_eq!(plan(MINIMAL, &stock(), &[]).status.code(), Some(0));
    assert_eq!(plan(MINIMAL, &stock(), &["--exit-code"]).status.code(), Some(3));
}

#[rstest]
#[case::a_foreign_address("")]
#[case::an_invalid_spec(
    "spec: {mesh: {conflictPolicy: Overwrite}, analysis: {naming: {istioServiceNameRule: '${HOME}'}}}"
)]
#[case::no_istiod("spec: {mesh: {namespace: elsewhere}}")]
fn what_is_refused_ends_with_4_and_shows_no_restart(#[case] spec: &str) {
    let resource = format!("{MINIMAL}{spec}");
    let output = in_foreign(&resource, &["--exit-code"]);
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    assert!(
        !shown.contains("rollout restart") && !shown.contains("restart it with"),
        "{shown}"
    );
    assert!(
        shown.contains("proxies: none has to restart while mesh config is not written"),
        "{shown}"
    );
    assert_eq!(in_foreign(&resource, &[]).status.code(), Some(0));
}

#[test]
fn a_helm_release_is_a_warning() {
    let spec = "spec: {mesh: {conflictPolicy: Overwrite}}";
    let output = in_foreign(&format!("{MINIMAL}{spec}"), &["--exit-code"]);
    assert_eq!(output.status.code(), Some(3));
    let warning = "  warning: the Flux HelmRelease istiod renders istio-system/istio: each of its upgrades reverts mesh config, ";
    assert!(text(&output.stdout).contains(warning), "{}", text(&output.stdout));
}

#[test]
fn the_whole_objects_are_yaml() {
    let output = plan(MINIMAL, &stock(), &["-o", "yaml"]);
    assert_eq!(text(&output.stderr), "");
    let objects: Vec<Value> = serde_saphyr::from_multiple(text(&output.stdout)).unwrap();
    let kinds: Vec<&str> = objects
        .iter()
        .map(|object| object["kind"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "ConfigMap",
            "ConfigMap",
            "Service",
            "Deployment",
            "PodDisruptionBudget",
            "NetworkPolicy"
        ]
    );
    assert_eq!(
        objects[0]["metadata"],
        json!({"namespace": "istio-system", "name": "istio"})
    );
    let mesh = objects[0]["data"]["mesh"].as_str().unwrap();
    assert!(mesh.contains("enableEnvoyAccessLogService: true"), "{mesh}");
    assert_eq!(
        objects[1]["data"]["collector.yaml"],
        "analysis:\n  http: k8s-mesh\n  tcp: k8s-mesh\ndirectory:\n  kubernetes: {}\n"
    );
    let image = objects[3].pointer("/spec/template/spec/containers/0/image");
    assert_eq!(image, Some(&json!("ghcr.io/alscope/collector:latest")));
}

#[test]
fn a_refusal_beside_yaml_is_told_on_standard_error() {
    let output = in_foreign(MINIMAL, &["-o", "yaml"]);
    let told = text(&output.stderr);
    assert!(
        told.starts_with("alscope-operator: refused, ForeignAddress: "),
        "{told}"
    );
    let objects: Vec<Value> = serde_saphyr::from_multiple(text(&output.stdout)).unwrap();
    assert_eq!(objects[0]["data"].get("mesh"), None);
}

#[rstest]
#[case::block(
    "spec: {colector: {}}",
    "unknown field `spec.colector` in -; the nearest is `collector`, of analysis, collector, managementState, mesh"
)]
#[case::inner(
    "spec: {collector: {limits: {sample: 1}}}",
    "unknown field `spec.collector.limits.sample` in -; the nearest is `samples`, of "
)]
#[case::item(
    "spec: {collector: {pods: {env: [{name: A}, {nam: B}]}}}",
    "unknown field `spec.collector.pods.env[1].nam` in -; the nearest is `name`, of "
)]
fn an_unknown_field_is_refused_with_the_nearest(#[case] spec: &str, #[case] says: &str) {
    let output = plan(&format!("{MINIMAL}{spec}"), &stock(), &["--exit-code"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "");
    let told = text(&output.stderr);
    assert!(told.starts_with(&format!("alscope-operator: {says}")), "{told}");
}

#[rstest]
#[case::some(&[], 10)]
#[case::all(&["--all-pods"], 12)]
fn every_workload_is_listed_on_request(#[case] further: &[&str], #[case] expected: usize) {
    let stock = std::fs::read_to_string(stock()).unwrap();
    let mut state = stock.trim_end().to_owned();
    for number in 0..10 {
        let pod = format!(
            "\n  - {{apiVersion: v1, kind: Pod, metadata: {{namespace: shop, name: more-{number}-0, labels: {{service.istio.io/canonical-name: more}},
    ownerReferences: [{{apiVersion: apps/v1, kind: StatefulSet, name: more-{number}, uid: '1', controller: true}}]}},
   spec: {{containers: [{{name: istio-proxy, args: [proxy, sidecar], env: [{{name: PROXY_CONFIG, value: '{{}}'}}]}}]}}}}"
        );
        state.push_str(&pod);
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("state.yaml");
    std::fs::write(&file, state).unwrap();
    let output = plan(MINIMAL, &file, further);
    let shown = text(&output.stdout);
    assert!(
        shown.contains("proxies: 12 of 12 start with the address"),
        "{shown}{}",
        text(&output.stderr)
    );
    assert_eq!(shown.matches("rollout restart").count(), expected, "{shown}");
}
