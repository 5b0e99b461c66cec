//! The wiring by a provider: what is written, what others have there already, who silences it, and the ways to the switch and back.

use rstest::rstest;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::invariants::assert_deletion_leaves_nothing;
use crate::mesh::{self, CHART, FOREIGN, HOST};

pub(crate) fn by_provider() -> Value {
    json!({"mesh": {"wiring": "TelemetryProvider"}})
}

/// The stock mesh with this mesh config, and a resource with this spec.
pub(crate) fn with(text: &str, spec: &Value) -> Cluster {
    let mut cluster = Cluster::stock(spec);
    cluster.put(mesh::config_map("istio", Some(text)));
    cluster.settle();
    cluster
}

fn listed(cluster: &Cluster) -> Vec<String> {
    let settings = alscope_mesh_config::read(&cluster.text("istio").unwrap()).unwrap();
    settings.access_logging_providers.unwrap_or_default()
}

pub(crate) fn streams(cluster: &Cluster) -> bool {
    let settings = alscope_mesh_config::read(&cluster.text("istio").unwrap()).unwrap();
    settings.streams_by_provider(HOST, 11_800)
}

pub(crate) fn wired() -> (String, String) {
    ("True".to_owned(), "Wired".to_owned())
}

pub(crate) fn unmet(reason: &str) -> (String, String) {
    ("False".to_owned(), reason.to_owned())
}

/// A provider to the collector, as somebody else may have written it.
fn of_others(name: &str, kind: &str) -> String {
    format!("{CHART}\nextensionProviders:\n- name: {name}\n  {kind}:\n    service: {HOST}\n    port: 11800\n")
        .replace(
            "  metrics:\n  - prometheus",
            &format!("  metrics:\n  - prometheus\n  accessLogging:\n  - {name}"),
        )
}

#[test]
fn no_pod_has_to_restart_and_deletion_restores_the_text() {
    let mut cluster = with(CHART, &by_provider());
    assert_eq!(
        (listed(&cluster), streams(&cluster)),
        (vec!["alscope".to_owned()], true)
    );
    assert!(
        !cluster
            .text("istio")
            .unwrap()
            .contains("enableEnvoyAccessLogService")
    );
    assert_eq!(cluster.mesh_configured(), wired());
    let (status, reason, message) = cluster.condition("ProxiesUpToDate");
    assert_eq!((status.as_str(), reason.as_str()), ("True", "UpToDate"));
    assert_eq!(message, "all 1 proxies have the provider alscope");
    assert_eq!(
        cluster.condition("MeshConfigured").2,
        format!("istio-system/istio sends access logs to {HOST}:11800 by the provider alscope")
    );
    assert_eq!(cluster.plan().steps, []);
    assert_deletion_leaves_nothing(&mut cluster);
    assert_eq!(cluster.text("istio").as_deref(), Some(CHART));
}

#[test]
fn managed_gateways_are_not_rolled_so_nobody_has_to_allow_it() {
    let mut cluster = Cluster::stock(&by_provider());
    cluster.gateways = vec![mesh::managed_gateway("gateway")];
    cluster.settle();
    assert_eq!(cluster.mesh_configured(), wired());
    assert_deletion_leaves_nothing(&mut cluster);
}

#[rstest]
#[case::a_file("accessLogFile: /dev/stdout\n", &["envoy", "alscope"])]
#[case::no_file("accessLogFile: \"\"\n", &["alscope"])]
#[case::providers(
    "accessLogFile: /dev/stdout\ndefaultProviders: {accessLogging: [otel]}\nextensionProviders: [{name: otel, envoyOtelAls: {}}]\n",
    &["otel", "alscope"]
)]
fn what_the_mesh_logged_to_goes_on(#[case] text: &str, #[case] expected: &[&str]) {
    let mut cluster = with(text, &by_provider());
    assert_eq!(cluster.mesh_configured(), wired());
    assert_eq!(listed(&cluster), expected);
    assert_deletion_leaves_nothing(&mut cluster);
}

/// The text is changed while it is wired, so it can't be restored as a whole.
#[test]
fn the_file_that_was_listed_for_the_mesh_goes_with_the_provider() {
    let mut cluster = with("accessLogFile: /dev/stdout\n", &by_provider());
    cluster.edit(|text| format!("# by hand\n{text}"));
    assert_deletion_leaves_nothing(&mut cluster);
    assert_eq!(
        cluster.text("istio").as_deref(),
        Some("# by hand\naccessLogFile: /dev/stdout\n")
    );
}

#[test]
fn a_file_that_is_named_later_is_listed_too() {
    let mut cluster = with("trustDomain: x\n", &by_provider());
    assert_eq!(listed(&cluster), ["alscope"]);
    cluster.edit(|text| format!("{text}accessLogFile: /dev/stdout\n"));
    cluster.settle();
    assert_eq!(listed(&cluster).len(), 2, "{:?}", listed(&cluster));
    assert_deletion_leaves_nothing(&mut cluster);
}

#[test]
fn without_its_backup_a_mesh_is_still_freed_of_the_provider() {
    let mut cluster = with("accessLogFile: /dev/stdout\n", &by_provider());
    cluster.lose_the_backup();
    cluster.delete();
    cluster.settle();
    assert_eq!(
        cluster.text("istio").as_deref(),
        Some("accessLogFile: /dev/stdout\n")
    );
}

#[rstest]
#[case::to_the_provider("MeshConfig", "TelemetryProvider", &["alscope"])]
#[case::to_the_switch("TelemetryProvider", "MeshConfig", &[])]
fn the_wiring_can_be_changed(#[case] before: &str, #[case] after: &str, #[case] expected: &[&str]) {
    let mut cluster = with(CHART, &json!({"mesh": {"wiring": before}}));
    cluster.change_spec(&json!({"mesh": {"wiring": after}}));
    cluster.settle();
    assert_eq!(cluster.mesh_configured(), wired());
    assert_eq!(listed(&cluster), expected);
    let settings = alscope_mesh_config::read(&cluster.text("istio").unwrap()).unwrap();
    // Beside a provider the switch has no effect, and taking it back would roll managed gateways.
    assert!(settings.stream_to(mesh::ADDRESS));
    assert_deletion_leaves_nothing(&mut cluster);
}

#[rstest]
#[case::by_http("theirs", "envoyHttpAls", "TelemetryProvider")]
#[case::by_tcp("theirs", "envoyTcpAls", "TelemetryProvider")]
#[case::beside_the_switch("theirs", "envoyHttpAls", "MeshConfig")]
#[case::of_the_operators_name_beside_the_switch("alscope", "envoyHttpAls", "MeshConfig")]
fn a_provider_of_others_to_the_collector_is_enough(
    #[case] name: &str,
    #[case] kind: &str,
    #[case] wiring: &str,
) {
    let text = of_others(name, kind);
    let cluster = with(&text, &json!({"mesh": {"wiring": wiring}}));
    assert_eq!(cluster.mesh_configured(), wired());
    assert_eq!(cluster.text("istio").as_deref(), Some(text.as_str()));
    assert_eq!(cluster.status().proxies.unwrap().up_to_date, 1);
}

#[test]
fn one_of_the_operators_name_becomes_its_own_and_is_put_back() {
    let text = of_others("alscope", "envoyHttpAls");
    let mut cluster = with(&text, &by_provider());
    assert_eq!(cluster.mesh_configured(), wired());
    assert!(cluster.text("istio").unwrap().contains("grpc-status"));
    assert_eq!(listed(&cluster), ["alscope"]);
    cluster.delete();
    cluster.settle();
    assert_eq!(cluster.text("istio").as_deref(), Some(text.as_str()));
}

#[rstest]
#[case::a_switch_to_others(FOREIGN, "ForeignAddress")]
#[case::a_provider_to_others(
    "extensionProviders: [{name: alscope, envoyHttpAls: {service: x, port: 1}}]\n",
    "ForeignAddress"
)]
#[case::a_provider_of_another_kind(
    "extensionProviders: [{name: Alscope, zipkin: {service: x, port: 1}}]\n",
    "ForeignAddress"
)]
#[case::the_other_spelling("extension_providers: []\n", "MeshConfigInvalid")]
fn what_is_others_is_not_replaced(#[case] text: &str, #[case] reason: &str) {
    let cluster = with(text, &by_provider());
    assert_eq!(cluster.mesh_configured(), unmet(reason));
    assert_eq!(cluster.text("istio").as_deref(), Some(text));
}

/// Where providers are listed, the switch to others has no effect already.
#[rstest]
#[case::allowed(FOREIGN, json!({"wiring": "TelemetryProvider", "conflictPolicy": "Overwrite"}))]
#[case::without_effect(
    "enableEnvoyAccessLogService: true\ndefaultConfig: {envoyAccessLogService: {address: \"a:1\"}}\ndefaultProviders: {accessLogging: [envoy]}\n",
    json!({"wiring": "TelemetryProvider"})
)]
#[case::a_provider_to_others(
    "extensionProviders: [{name: alscope, envoyHttpAls: {service: x, port: 1}}]\n",
    json!({"wiring": "TelemetryProvider", "conflictPolicy": "Overwrite"})
)]
fn what_is_others_is_put_back(#[case] text: &str, #[case] mesh: Value) {
    let mut cluster = with(text, &json!({"mesh": mesh}));
    assert_eq!(cluster.mesh_configured(), wired());
    assert!(streams(&cluster));
    cluster.delete();
    cluster.settle();
    assert_eq!(cluster.text("istio").as_deref(), Some(text));
}

#[test]
fn manual_shows_what_to_set_until_it_is_there() {
    let mut cluster = with(
        CHART,
        &json!({"mesh": {"wiring": "TelemetryProvider", "configSource": "Manual"}}),
    );
    let (_, reason, message) = cluster.condition("MeshConfigured");
    assert_eq!(reason, "ManualActionRequired");
    assert!(
        message.contains(&format!(
            "{{name: alscope, envoyHttpAls: {{service: {HOST}, port: 11800, "
        )),
        "{message}"
    );
    let by_hand = with(CHART, &by_provider()).text("istio").unwrap();
    cluster.edit(|_| by_hand.clone());
    cluster.settle();
    assert_eq!(cluster.mesh_configured(), wired());
}

#[rstest]
#[case::too_old("1.17.8", unmet("IstioTooOld"))]
#[case::old_enough("1.18.0", wired())]
fn an_istiod_that_a_missing_provider_silences_is_too_old(
    #[case] version: &str,
    #[case] expected: (String, String),
) {
    let mut cluster = Cluster::stock(&by_provider());
    cluster.istiods = vec![mesh::istiod("default", version, None)];
    cluster.settle();
    assert_eq!(cluster.mesh_configured(), expected);
}

/// Switched to the provider, the refusals of the switch are gone.
#[test]
fn default_providers_of_others_are_no_reason_against_it() {
    let text = format!("{CHART}\n").replace("  metrics:", "  accessLogging: [envoy]\n  metrics:");
    let mut cluster = with(&text, &json!({}));
    let (_, reason, message) = cluster.condition("MeshConfigured");
    assert_eq!(reason, "ShadowedByTelemetry");
    assert!(
        message.contains("spec.mesh.wiring: TelemetryProvider"),
        "{message}"
    );
    cluster.change_spec(&by_provider());
    cluster.settle();
    assert_eq!(cluster.mesh_configured(), wired());
    assert_eq!(listed(&cluster), ["envoy", "alscope"]);
    assert_deletion_leaves_nothing(&mut cluster);
}
