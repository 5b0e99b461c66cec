//! Telemetries that are attached to a service: at waypoints they decide about the access logs of that service's calls.

use alscope_plan::api::{ProxiesStatus, SilencedServiceStatus};
use rstest::rstest;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::gateways::gateway_pod;
use crate::mesh::{self, knows_the_address};
use crate::telemetries::{envoy, for_target, naming, pod, started_as, telemetry, with, with_istiod};

const GATEWAYS: &str = "gateway.networking.k8s.io";

/// A Gateway's pod of this role and namespace, that knows the address.
fn gateway(role: &str, namespace: &str) -> Value {
    let mut pod = started_as(gateway_pod(&knows_the_address()), role);
    pod["metadata"]["namespace"] = json!(namespace);
    pod
}

/// A Telemetry in the namespace `shop`, attached to this, with these entries.
fn attached(name: &str, age: u32, target: [&str; 3], entries: &Value) -> Value {
    let [group, kind, of] = target;
    let mut spec = for_target(group, kind, of);
    spec["accessLogging"] = entries.clone();
    telemetry(name, "shop", age, &spec)
}

fn to_service(entries: &Value) -> Value {
    attached("logs", 5, ["", "Service", "web"], entries)
}

fn proxies(cluster: &Cluster) -> ProxiesStatus {
    cluster.status().proxies.unwrap()
}

/// The services that waypoints do not report, with their Telemetries.
fn services(cluster: &Cluster) -> Vec<String> {
    let services = proxies(cluster).silenced_services.into_iter();
    let text = |one: SilencedServiceStatus| {
        format!(
            "{} {}/{}: {}",
            one.kind,
            one.namespace,
            one.name,
            one.telemetries.join(" ")
        )
    };
    services.map(text).collect()
}

#[test]
fn a_service_whose_calls_waypoints_do_not_report_is_named_and_the_waypoint_is_not_silent() {
    let cluster = with(
        vec![gateway("waypoint", "shop")],
        vec![to_service(&naming("envoy"))],
    );
    let proxies = proxies(&cluster);
    assert_eq!((proxies.total, proxies.up_to_date, proxies.silent), (1, 1, 0));
    assert_eq!(proxies.silenced, []);
    assert_eq!(
        serde_json::to_value(&proxies).unwrap()["silencedServices"],
        json!([{"kind": "Service", "namespace": "shop", "name": "web", "telemetries": ["shop/logs"]}])
    );
    assert_eq!(
        cluster.condition("ProxiesUpToDate"),
        (
            "False".to_owned(),
            "SilencedByTelemetry".to_owned(),
            "Waypoints do not report the calls of some services, because Telemetries decide about them and not mesh config: \
             remove accessLogging from shop/logs, which decides about the calls of Service shop/web"
                .to_owned()
        )
    );
    assert_eq!(cluster.condition("Ready").0, "True");
}

#[rstest]
#[case::a_service(["", "Service", "web"], &["Service shop/web: shop/logs"])]
#[case::a_service_by_its_groups_name(["core", "Service", "web"], &["Service shop/web: shop/logs"])]
#[case::a_service_entry(["networking.istio.io", "ServiceEntry", "web"], &["ServiceEntry shop/web: shop/logs"])]
#[case::a_service_of_another_group(["networking.istio.io", "Service", "web"], &[])]
#[case::a_service_entry_of_another_group(["", "ServiceEntry", "web"], &[])]
#[case::another_kind(["", "ConfigMap", "web"], &[])]
#[case::another_gateway([GATEWAYS, "Gateway", "web"], &[])]
fn services_and_service_entries_may_be_attached_to(#[case] target: [&str; 3], #[case] expected: &[&str]) {
    let telemetries = vec![attached("logs", 0, target, &naming("envoy"))];
    let cluster = with(vec![gateway("waypoint", "shop")], telemetries);
    assert_eq!(services(&cluster), expected);
}

#[rstest]
#[case::a_waypoint(gateway("waypoint", "shop"), true)]
#[case::a_waypoint_of_another_namespace(gateway("waypoint", "waypoints"), true)]
#[case::a_gateway(gateway("router", "shop"), false)]
#[case::a_sidecar(pod("web", "shop"), false)]
fn they_act_at_waypoints_of_any_namespace_only(#[case] pod: Value, #[case] decides: bool) {
    let cluster = with(vec![pod], vec![to_service(&naming("envoy"))]);
    assert_eq!(proxies(&cluster).up_to_date, 1);
    assert_eq!(services(&cluster).len(), usize::from(decides));
    let expected = if decides {
        "SilencedByTelemetry"
    } else {
        "UpToDate"
    };
    assert_eq!(cluster.condition("ProxiesUpToDate").1, expected);
}

#[rstest]
#[case::a_provider_that_is_not_there(naming("nope"), false)]
#[case::outgoing_calls(json!([{"providers": [{"name": "envoy"}], "match": {"mode": "CLIENT"}}]), false)]
#[case::incoming_calls(json!([{"providers": [{"name": "envoy"}], "match": {"mode": "SERVER"}}]), true)]
#[case::no_provider(json!([{"disabled": true}]), false)]
#[case::nothing_about_access_logs(json!([]), false)]
fn providers_and_sides_count_as_elsewhere(#[case] entries: Value, #[case] decides: bool) {
    let cluster = with(vec![gateway("waypoint", "shop")], vec![to_service(&entries)]);
    assert_eq!(services(&cluster).len(), usize::from(decides));
}

/// Before Istio 1.24, access logs had no eye for what is attached to a service.
#[rstest]
#[case("1.23.9", false)]
#[case("1.24.2", true)]
#[case("latest", true)]
fn older_istiods_do_not_look_at_services(#[case] version: &str, #[case] decides: bool) {
    let (pods, telemetries) = (
        vec![gateway("waypoint", "shop")],
        vec![to_service(&naming("envoy"))],
    );
    let cluster = with_istiod(version, pods, telemetries);
    assert_eq!(services(&cluster).len(), usize::from(decides));
}

#[test]
fn each_is_for_its_own_service() {
    let to = |name: &str, service: &str| attached(name, 0, ["", "Service", service], &naming("envoy"));
    let telemetries = vec![to("b", "cart"), to("a", "web"), to("c", "web")];
    // Two pods of one waypoint say the same.
    let cluster = with(vec![gateway("waypoint", "shop"); 2], telemetries);
    assert_eq!(
        services(&cluster),
        ["Service shop/cart: shop/b", "Service shop/web: shop/a shop/c"]
    );
    assert_eq!(
        cluster.condition("ProxiesUpToDate").2,
        "Waypoints do not report the calls of some services, because Telemetries decide about them and not mesh config: \
         remove accessLogging from shop/b, which decides about the calls of Service shop/cart; remove accessLogging from shop/a \
         and shop/c, which decides about the calls of Service shop/web"
    );
}

/// For a service's calls, its namespace stands behind the waypoint's.
#[rstest]
#[case::the_services_telemetry_hides_its_namespace(naming("nope"), naming("envoy"), &[])]
#[case::its_namespace_decides(json!([{"disabled": true}]), naming("envoy"), &["Service shop/web: shop/wide"])]
#[case::both_are_in_the_way(naming("envoy"), naming("envoy"), &["Service shop/web: shop/wide shop/logs"])]
#[case::what_does_not_count_is_not_named(naming("envoy"), naming("nope"), &["Service shop/web: shop/logs"])]
fn the_services_namespace_counts_too(
    #[case] of_service: Value,
    #[case] of_namespace: Value,
    #[case] expected: &[&str],
) {
    let wide = telemetry("wide", "shop", 0, &json!({"accessLogging": of_namespace}));
    let cluster = with(
        vec![gateway("waypoint", "waypoints")],
        vec![to_service(&of_service), wide],
    );
    assert_eq!(services(&cluster), expected);
    assert_eq!(proxies(&cluster).silent, 0);
}

/// A waypoint that reports nothing at all is silent, and told as such.
#[test]
fn of_a_silent_waypoint_no_services_are_named() {
    let wide = telemetry("wide", "shop", 0, &envoy());
    let cluster = with(
        vec![gateway("waypoint", "shop")],
        vec![to_service(&naming("envoy")), wide],
    );
    assert_eq!(services(&cluster), Vec::<String>::new());
    assert_eq!(proxies(&cluster).silent, 1);
}

/// What is attached to a Gateway is for that of its own namespace.
#[rstest]
#[case("shop", &["Service shop/web: shop/wide shop/logs"])]
#[case("waypoints", &["Service shop/web: shop/wide shop/logs"])]
fn a_gateways_telemetry_is_for_its_own_namespace(#[case] namespace: &str, #[case] expected: &[&str]) {
    let wide = telemetry("wide", "shop", 0, &envoy());
    let of_gateway = attached("gateway", 1, [GATEWAYS, "Gateway", "gateway"], &naming("nope"));
    let telemetries = vec![to_service(&naming("envoy")), wide, of_gateway];
    let cluster = with(vec![gateway("waypoint", namespace)], telemetries);
    assert_eq!(services(&cluster), expected);

    // Were it for another namespace's as well, its provider would be handed down.
    let of_gateway = attached("gateway", 1, [GATEWAYS, "Gateway", "gateway"], &naming("envoy"));
    let telemetries = vec![to_service(&json!([{"disabled": true}])), of_gateway];
    let cluster = with(vec![gateway("waypoint", "waypoints")], telemetries);
    assert_eq!(services(&cluster), Vec::<String>::new());
}

#[test]
fn ten_services_are_named_at_most() {
    let to = |number: u32| {
        let service = format!("s{number:02}");
        attached(&service, number, ["", "Service", &service], &naming("envoy"))
    };
    let cluster = with(vec![gateway("waypoint", "shop")], (0..12).map(to).collect());
    let services = services(&cluster);
    assert_eq!(services.len(), 10);
    assert_eq!(services[9], "Service shop/s09: shop/s09");
}

#[test]
fn what_has_to_restart_comes_first() {
    let cluster = with(
        vec![
            mesh::pod("web", &json!({})),
            pod("a", "quiet"),
            gateway("waypoint", "shop"),
        ],
        vec![
            to_service(&naming("envoy")),
            telemetry("logs", "quiet", 0, &envoy()),
        ],
    );
    let (status, reason, message) = cluster.condition("ProxiesUpToDate");
    assert_eq!((status.as_str(), reason.as_str()), ("False", "RestartNeeded"));
    assert!(
        message.ends_with(
            "rollout restart deployment/web. 1 of 3 proxies do not report, because Telemetries decide about their access logs and \
             not mesh config: remove accessLogging from quiet/logs, which decides for quiet/a-5d8f-x. Waypoints do not report the \
             calls of some services, because Telemetries decide about them and not mesh config: remove accessLogging from \
             shop/logs, which decides about the calls of Service shop/web"
        ),
        "{message}"
    );
}

#[test]
fn a_plan_shows_the_services() {
    let mut cluster = Cluster::stock(&json!({}));
    cluster.pods = vec![gateway("waypoint", "shop")];
    cluster.telemetries = vec![to_service(&naming("envoy"))];
    let text = cluster.shown();
    let expected = "silent at waypoints: the calls of Service shop/web: remove accessLogging from shop/logs, which decides about \
                    their access logs";
    assert!(text.lines().any(|line| line == expected), "{text}");
}
