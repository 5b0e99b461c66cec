//! Which providers count: those that mesh config has and that log, of the last that names some for the calls in question.

use alscope_plan::api::ProxiesStatus;
use rstest::rstest;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::mesh::{self, CHART};
use crate::telemetries::{for_labels, naming, pod, telemetry};

const PROVIDERS: &str = "
extensionProviders:
- name: otel
  envoyOtelAls: {service: otel.logs.svc.cluster.local, port: 4317}
- name: zipkin
  zipkin: {service: zipkin.traces.svc.cluster.local, port: 9411}
";

/// Mesh config that has these providers.
fn providers() -> String {
    format!("{CHART}{PROVIDERS}")
}

/// The same with these `defaultProviders.accessLogging`.
fn defaulting(names: &str) -> String {
    providers().replace("  metrics:\n  - prometheus", &format!("  accessLogging: {names}"))
}

/// A mesh with this mesh config and istiod, and one sidecar that knows the address.
fn mesh(version: &str, text: &str, telemetries: Vec<Value>) -> Cluster {
    let mut cluster = Cluster::stock(&json!({}));
    cluster.istiods = vec![mesh::istiod("default", version, None)];
    cluster.put(mesh::config_map("istio", Some(text)));
    cluster.pods = vec![pod("web", "shop")];
    cluster.telemetries = telemetries;
    cluster.settle();
    cluster
}

fn with(text: &str, telemetries: Vec<Value>) -> Cluster {
    mesh("1.30.3", text, telemetries)
}

/// A Telemetry for the mesh, one for the namespace, one for the workload, each if it has entries.
fn layers(entries: [&Value; 3]) -> Vec<Value> {
    let [mesh, namespace, workload] = entries.map(|entries| json!({"accessLogging": entries}));
    let workload = for_labels(&json!({"app": "web"}), &workload);
    vec![
        telemetry("mesh", "istio-system", 0, &mesh),
        telemetry("namespace", "shop", 0, &namespace),
        telemetry("workload", "shop", 1, &workload),
    ]
}

fn naming_for(mode: &str, provider: &str) -> Value {
    json!([{"providers": [{"name": provider}], "match": {"mode": mode}}])
}

fn proxies(cluster: &Cluster) -> ProxiesStatus {
    cluster.status().proxies.unwrap()
}

/// The Telemetries that silence the sidecar, and the calls that they decide about.
fn silenced(cluster: &Cluster) -> Option<(String, String)> {
    let proxies = proxies(cluster);
    assert_eq!(
        (proxies.total, proxies.up_to_date),
        (1, 1 - proxies.silent),
        "{proxies:?}"
    );
    let one = proxies.silenced.into_iter().next()?;
    Some((one.telemetries.join(" "), one.calls))
}

fn by(telemetries: &str, calls: &str) -> (String, String) {
    (telemetries.to_owned(), calls.to_owned())
}

#[rstest]
#[case::one_that_logs("otel", true)]
#[case::in_another_case("OTel", true)]
#[case::the_built_in_one_that_logs("envoy", true)]
#[case::one_that_does_not_log("zipkin", false)]
#[case::a_built_in_one_that_does_not_log("prometheus", false)]
#[case::another_built_in_one_that_does_not_log("stackdriver", false)]
#[case::an_unknown_one("nope", false)]
#[case::without_a_name("", false)]
fn only_a_provider_that_is_there_and_logs_decides(#[case] provider: &str, #[case] decides: bool) {
    let none = json!([]);
    let of_mesh = with(&providers(), layers([&naming(provider), &none, &none]));
    let reason = if decides { "ShadowedByTelemetry" } else { "Wired" };
    assert_eq!(of_mesh.mesh_configured().1, reason);
    let of_namespace = with(&providers(), layers([&none, &naming(provider), &none]));
    assert_eq!(of_namespace.mesh_configured().1, "Wired");
    let expected = decides.then(|| ("shop/namespace".to_owned(), String::new()));
    assert_eq!(silenced(&of_namespace), expected);
}

#[test]
fn one_of_several_names_is_enough() {
    let both = json!([{"providers": [{"name": "nope"}, {"name": "otel"}]}]);
    let cluster = with(&providers(), layers([&json!([]), &both, &json!([])]));
    assert_eq!(silenced(&cluster), Some(by("shop/namespace", "")));
}

#[rstest]
#[case::the_workload_hides_the_namespace(json!([]), naming("otel"), naming("nope"), None)]
#[case::the_namespace_hides_nothing_of_the_workload(json!([]), naming("nope"), naming("otel"), Some(by("shop/workload", "")))]
#[case::what_does_not_count_is_not_named(naming("nope"), naming("otel"), json!([]), Some(by("shop/namespace", "")))]
#[case::both_are_in_the_way(json!([]), naming("otel"), naming("envoy"), Some(by("shop/namespace shop/workload", "")))]
#[case::one_without_providers_hides_nothing(json!([]), naming("otel"), json!([{"disabled": true}]), Some(by("shop/namespace", "")))]
#[case::nor_does_it_bring_any(json!([]), naming("nope"), json!([{}]), None)]
#[case::hidden_for_outgoing_calls(json!([]), naming("otel"), naming_for("CLIENT", "nope"), Some(by("shop/namespace", "incoming")))]
#[case::hidden_for_incoming_calls(json!([]), naming("otel"), naming_for("SERVER", "nope"), Some(by("shop/namespace", "outgoing")))]
#[case::hidden_for_both(json!([]), naming("otel"), naming_for("CLIENT_AND_SERVER", "nope"), None)]
#[case::each_side_has_its_own(json!([]), naming_for("CLIENT", "otel"), naming_for("SERVER", "nope"), Some(by("shop/namespace", "outgoing")))]
fn the_last_that_names_providers_for_the_calls_decides(
    #[case] of_mesh: Value,
    #[case] of_namespace: Value,
    #[case] of_workload: Value,
    #[case] expected: Option<(String, String)>,
) {
    let cluster = with(&providers(), layers([&of_mesh, &of_namespace, &of_workload]));
    assert_eq!(cluster.mesh_configured().1, "Wired");
    assert_eq!(silenced(&cluster), expected);
}

/// The mesh's own Telemetry is hidden as well, for some proxies; mesh config's switch still does not work for the others.
#[test]
fn a_namespace_hides_the_meshs_telemetry() {
    let cluster = with(
        &providers(),
        layers([&naming("otel"), &naming("nope"), &json!([])]),
    );
    assert_eq!(cluster.mesh_configured().1, "ShadowedByTelemetry");
    assert_eq!(silenced(&cluster), None);
}

#[rstest]
#[case::one_that_logs("[otel]", json!([]), Some("otel"))]
#[case::in_another_case("[ENVOY]", json!([]), Some("ENVOY"))]
#[case::only_those_that_log("[nope, envoy, zipkin, otel]", json!([]), Some("envoy, otel"))]
#[case::none_that_logs("[nope, zipkin, prometheus]", json!([]), None)]
#[case::none("[]", json!([]), None)]
#[case::hidden_by_a_telemetry("[otel]", naming("nope"), None)]
#[case::beside_a_telemetry("[otel]", naming("envoy"), Some("otel"))]
#[case::of_a_telemetry_without_providers("[otel]", json!([{"disabled": true}]), Some("otel"))]
#[case::of_a_telemetry_for_one_side("[otel]", json!([{"match": {"mode": "SERVER"}}]), Some("otel"))]
#[case::hidden_for_one_side_and_not_asked_for_the_other("[otel]", naming_for("CLIENT", "nope"), None)]
#[case::an_entry_has_those_of_the_one_before_it(
    "[otel]",
    json!([{"providers": [{"name": "nope"}], "match": {"mode": "CLIENT"}}, {"match": {"mode": "SERVER"}}]),
    None
)]
fn default_providers_decide_where_no_telemetry_names_any(
    #[case] defaults: &str,
    #[case] of_mesh: Value,
    #[case] decide: Option<&str>,
) {
    let cluster = with(&defaulting(defaults), layers([&of_mesh, &json!([]), &json!([])]));
    let (_, reason, message) = cluster.condition("MeshConfigured");
    if let Some(names) = decide {
        assert_eq!(reason, "ShadowedByTelemetry");
        assert_eq!(
            message,
            format!(
                "mesh config's access-log switch has no effect: defaultProviders.accessLogging in istio-system/istio names \
                     {names}; remove it there, or set spec.mesh.wiring: TelemetryProvider, which adds the collector to them"
            )
        );
    } else {
        assert_eq!(reason, "Wired");
        assert_eq!(silenced(&cluster), None);
    }
}

/// Where a namespace's Telemetry is what makes a default provider count, it is named.
#[test]
fn a_default_provider_that_a_telemetry_names_silences() {
    let cluster = with(
        &defaulting("[otel]"),
        layers([&naming("nope"), &naming("otel"), &json!([])]),
    );
    assert_eq!(cluster.mesh_configured().1, "Wired");
    assert_eq!(silenced(&cluster), Some(by("shop/namespace", "")));
}

/// Before 1.18, a name that istiod skips silences like any other.
#[rstest]
#[case("1.17.8", true)]
#[case("1.18.0", false)]
fn older_istiods_skip_no_provider(#[case] version: &str, #[case] decides: bool) {
    let of_namespace = layers([&json!([]), &naming("nope"), &json!([])]);
    let cluster = mesh(version, CHART, of_namespace);
    assert_eq!(silenced(&cluster).is_some(), decides);

    let cluster = mesh(version, &defaulting("[nope]"), Vec::new());
    let (_, reason, message) = cluster.condition("MeshConfigured");
    let expected = if decides { "ShadowedByTelemetry" } else { "Wired" };
    assert_eq!(reason, expected);
    assert_eq!(
        message.contains("accessLogging in istio-system/istio names nope;"),
        decides
    );
}

/// A provider may be the shared mesh config's.
#[test]
fn the_providers_are_those_of_the_merged_mesh_config() {
    let mut cluster = with(CHART, layers([&json!([]), &naming("otel"), &json!([])]));
    assert_eq!(silenced(&cluster), None);
    cluster.istiods = vec![mesh::istiod("default", "1.30.3", Some("istio-user"))];
    cluster.put(mesh::config_map("istio-user", Some(PROVIDERS)));
    cluster.settle();
    assert_eq!(silenced(&cluster), Some(by("shop/namespace", "")));
}

/// Nothing is concluded from what could not be read.
#[test]
fn without_mesh_config_every_provider_counts() {
    let mut cluster = with(CHART, layers([&naming("nope"), &json!([]), &json!([])]));
    assert_eq!(silenced(&cluster), None);
    cluster.put(mesh::config_map("istio", Some("- no mesh config")));
    cluster.pass();
    assert_eq!(cluster.mesh_configured().1, "MeshConfigInvalid");
    assert_eq!(silenced(&cluster), Some(by("istio-system/mesh", "")));
}
