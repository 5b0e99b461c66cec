//! Proxies that a Telemetry or a Sidecar keeps from the collector's provider, named with what to add.

use alscope_plan::api::ProxiesStatus;
use alscope_plan::world::ReadError;
use rstest::rstest;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::mesh::CHART;
use crate::provider_wiring::{by_provider, streams, unmet, wired, with};
use crate::telemetries::{naming, pod, telemetry};

fn entries(access_logging: &Value) -> Value {
    json!({"accessLogging": access_logging})
}

/// A proxy in the namespace `shop`, with these Telemetries.
fn with_telemetries(telemetries: Vec<Value>) -> Cluster {
    let mut cluster = Cluster::stock(&by_provider());
    cluster.pods = vec![pod("web", "shop")];
    cluster.telemetries = telemetries;
    cluster.settle();
    cluster
}

fn proxies(cluster: &Cluster) -> ProxiesStatus {
    cluster.status().proxies.unwrap()
}

/// The rule of istiod (`mergeLogs`): the last Telemetry that names providers says which count, and an entry may disable them.
#[rstest]
#[case::names_others(json!([{"providers": [{"name": "envoy"}]}]), Some(""))]
#[case::names_the_collectors_too(json!([{"providers": [{"name": "envoy"}, {"name": "alscope"}]}]), None)]
#[case::in_another_case(json!([{"providers": [{"name": "Alscope"}]}]), None)]
#[case::disables_all(json!([{"disabled": true}]), Some(""))]
#[case::disables_another(json!([{"providers": [{"name": "alscope"}]}, {"providers": [{"name": "envoy"}], "disabled": true}]), None)]
#[case::disables_the_collectors(json!([{"providers": [{"name": "alscope"}], "disabled": true}]), Some(""))]
#[case::filters(json!([{"filter": {"expression": "true"}}]), None)]
// An entry for one side leaves the other without any.
#[case::for_one_side(json!([{"match": {"mode": "CLIENT"}}]), Some("incoming"))]
#[case::disables_one_side(json!([{"disabled": true, "match": {"mode": "SERVER"}}]), Some(""))]
#[case::disables_one_side_only(
    json!([{"disabled": true, "match": {"mode": "CLIENT"}}, {"match": {"mode": "SERVER"}}]),
    Some("outgoing")
)]
#[case::names_others_beside_it(
    json!([{"providers": [{"name": "alscope"}]}, {"providers": [{"name": "envoy"}], "match": {"mode": "SERVER"}}]),
    None
)]
#[case::about_metrics(json!([]), None)]
fn a_telemetry_of_the_namespace_may_silence_its_proxies(
    #[case] access_logging: Value,
    #[case] silenced: Option<&str>,
) {
    let cluster = with_telemetries(vec![telemetry("logs", "shop", 0, &entries(&access_logging))]);
    assert_eq!(cluster.mesh_configured(), wired());
    let found = proxies(&cluster);
    assert_eq!(found.silenced.first().map(|one| one.calls.as_str()), silenced);
    assert_eq!(found.up_to_date, i64::from(silenced.is_none()));
}

#[test]
fn who_silences_a_proxy_is_named_with_the_line_to_add() {
    let cluster = with_telemetries(vec![telemetry("logs", "shop", 0, &entries(&naming("envoy")))]);
    let (status, reason, message) = cluster.condition("ProxiesUpToDate");
    assert_eq!(
        (status.as_str(), reason.as_str()),
        ("False", "SilencedByTelemetry")
    );
    assert!(
        message.contains(
            "add `- name: alscope` to the providers of accessLogging in shop/logs, which decides for shop/web"
        ),
        "{message}"
    );
}

#[rstest]
#[case::names_others(entries(&naming("envoy")), false)]
#[case::names_the_collectors(entries(&naming("alscope")), true)]
#[case::for_one_side(json!({"accessLogging": [{"match": {"mode": "CLIENT"}}]}), true)]
fn a_telemetry_of_the_whole_mesh_must_name_the_provider(#[case] spec: Value, #[case] is_wired: bool) {
    let cluster = with_telemetries(vec![telemetry("logs", "istio-system", 0, &spec)]);
    // The provider is there, so that the Telemetry can name it.
    assert!(streams(&cluster));
    if is_wired {
        assert_eq!(cluster.mesh_configured(), wired());
    } else {
        assert_eq!(cluster.mesh_configured(), unmet("ShadowedByTelemetry"));
        let message = cluster.condition("MeshConfigured").2;
        assert!(
            message.contains("add `- name: alscope` to its providers"),
            "{message}"
        );
    }
}

fn sidecar(hosts: &[&str]) -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "Sidecar",
        "metadata": {"namespace": "shop", "name": "default"}, "spec": {"egress": [{"hosts": hosts}]},
    })
}

#[test]
fn a_sidecar_that_leaves_the_collector_out_is_named_with_the_host_to_add() {
    let mut cluster = Cluster::stock(&by_provider());
    cluster.sidecars = vec![sidecar(&["./*"])];
    cluster.settle();
    let found = proxies(&cluster);
    assert_eq!((found.up_to_date, found.silent, found.total), (0, 1, 1));
    let (status, reason, message) = cluster.condition("ProxiesUpToDate");
    assert_eq!((status.as_str(), reason.as_str()), ("False", "HiddenBySidecar"));
    assert_eq!(
        message,
        "1 of 1 proxies do not report, because Sidecar resources keep the collector's Service from them: add alscope-system/* to the \
         hosts of egress in shop/default, which decides for shop/web-5d8f-x"
    );
    assert_eq!(
        cluster.condition("Ready").2,
        "0 of 1 proxies send their access logs to the collector; ProxiesUpToDate says what the others need"
    );
    cluster.sidecars = vec![sidecar(&["./*", "alscope-system/*"])];
    cluster.settle();
    assert_eq!(cluster.condition("ProxiesUpToDate").1, "UpToDate");
}

/// The switch has a cluster of Envoy's own, so istiod's list of services does not matter.
#[test]
fn for_the_switch_sidecars_do_not_count_even_unread() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.pods = vec![pod("web", "shop")];
    cluster.sidecars = vec![sidecar(&["./*"])];
    cluster.settle();
    assert_eq!(proxies(&cluster).up_to_date, 1);
    cluster.unreadable.sidecars = Some(forbidden());
    cluster.settle();
    assert_eq!(cluster.condition("ProxiesUpToDate").1, "UpToDate");
}

fn forbidden() -> ReadError {
    ReadError::Forbidden {
        verb: "list",
        resource: "sidecars.networking.istio.io".to_owned(),
        namespace: None,
    }
}

#[test]
fn for_a_provider_nothing_is_said_of_proxies_while_sidecars_can_not_be_read() {
    let mut cluster = with(CHART, &by_provider());
    cluster.unreadable.sidecars = Some(forbidden());
    cluster.settle();
    let (status, reason, message) = cluster.condition("ProxiesUpToDate");
    assert_eq!(
        (status.as_str(), reason.as_str()),
        ("Unknown", "ProxyCheckFailed")
    );
    assert!(
        message.contains("may not list sidecars.networking.istio.io"),
        "{message}"
    );
    assert_eq!(cluster.mesh_configured(), wired());
}
