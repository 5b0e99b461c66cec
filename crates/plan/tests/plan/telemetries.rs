//! Telemetries that decide about access logs instead of mesh config: for the whole mesh, a namespace, or some of its proxies.

use alscope_plan::api::SilencedStatus;
use proptest::collection::vec;
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::gateways::gateway_pod;
use crate::mesh::{self, WIRED, knows_the_address};

/// A Telemetry that is as old as its number says.
pub(crate) fn telemetry(name: &str, namespace: &str, age: u32, spec: &Value) -> Value {
    let mut telemetry = mesh::telemetry(namespace, spec);
    telemetry["metadata"]["name"] = json!(name);
    telemetry["metadata"]["creationTimestamp"] = json!(format!("2026-01-01T00:00:{age:02}Z"));
    telemetry
}

pub(crate) fn envoy() -> Value {
    json!({"accessLogging": [{"providers": [{"name": "envoy"}]}]})
}

pub(crate) fn for_labels(labels: &Value, spec: &Value) -> Value {
    let mut spec = spec.clone();
    spec["selector"] = json!({"matchLabels": labels});
    spec
}

pub(crate) fn for_target(group: &str, kind: &str, name: &str) -> Value {
    let mut spec = envoy();
    spec["targetRefs"] = json!([{"group": group, "kind": kind, "name": name}]);
    spec
}

/// A pod that knows the address, of this Deployment and namespace.
pub(crate) fn pod(deployment: &str, namespace: &str) -> Value {
    let mut pod = mesh::pod(deployment, &knows_the_address());
    pod["metadata"]["namespace"] = json!(namespace);
    pod
}

pub(crate) fn started_as(mut pod: Value, role: &str) -> Value {
    pod["spec"]["containers"][1]["args"] = json!(["proxy", role]);
    pod
}

/// The access logs' entries that name a provider.
pub(crate) fn naming(provider: &str) -> Value {
    json!([{"providers": [{"name": provider}]}])
}

/// A wired mesh with these pods and Telemetries.
pub(crate) fn with(pods: Vec<Value>, telemetries: Vec<Value>) -> Cluster {
    with_istiod("1.30.3", pods, telemetries)
}

/// The same with an istiod of this version.
pub(crate) fn with_istiod(version: &str, pods: Vec<Value>, telemetries: Vec<Value>) -> Cluster {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.istiods = vec![mesh::istiod("default", version, None)];
    cluster.pods = pods;
    cluster.telemetries = telemetries;
    cluster.settle();
    cluster
}

fn silenced(cluster: &Cluster) -> Vec<SilencedStatus> {
    cluster.status().proxies.unwrap().silenced
}

/// The only pod's Telemetries, and the calls that they decide about; `None` where mesh config decides.
fn decided(pod: Value, telemetries: Vec<Value>) -> Option<(Vec<String>, String)> {
    let cluster = with(vec![pod], telemetries);
    let proxies = cluster.status().proxies.unwrap();
    assert_eq!(proxies.up_to_date + proxies.silent, 1, "{proxies:?}");
    let found = proxies.silenced.into_iter().next()?;
    Some((found.telemetries, found.calls))
}

#[test]
fn proxies_that_do_not_report_are_named_with_the_telemetry() {
    let pods = ["a", "b", "c", "d", "e", "f"].map(|name| pod(name, "quiet"));
    let pods = pods.into_iter().chain([pod("web", "shop")]).collect();
    let cluster = with(pods, vec![telemetry("logs", "quiet", 0, &envoy())]);
    let proxies = cluster.status().proxies.unwrap();
    assert_eq!((proxies.total, proxies.up_to_date, proxies.silent), (7, 1, 6));
    assert_eq!(proxies.summary, "1/7");
    let pods = ["a", "b", "c", "d", "e"].map(|name| format!("quiet/{name}-5d8f-x"));
    assert_eq!(
        proxies.silenced,
        [SilencedStatus {
            telemetries: vec!["quiet/logs".to_owned()],
            calls: String::new(),
            count: 6,
            pods: pods.into(),
        }]
    );
    assert_eq!(
        cluster.condition("ProxiesUpToDate"),
        (
            "False".to_owned(),
            "SilencedByTelemetry".to_owned(),
            "6 of 7 proxies do not report, because Telemetries decide about their access logs and not mesh config: remove \
             accessLogging from quiet/logs, which decides for quiet/a-5d8f-x, quiet/b-5d8f-x, quiet/c-5d8f-x, quiet/d-5d8f-x, \
             quiet/e-5d8f-x, …"
                .to_owned()
        )
    );
    assert_eq!(cluster.condition("Ready").0, "True");
}

#[test]
fn a_plan_shows_who_will_not_report() {
    let mut cluster = Cluster::stock(&json!({}));
    cluster.pods = vec![pod("a", "quiet")];
    cluster.telemetries = vec![telemetry("logs", "quiet", 0, &envoy())];
    let text = cluster.shown();
    let expected = "silent: 1 (quiet/a-5d8f-x): remove accessLogging from quiet/logs, which decides about their access logs";
    assert!(text.lines().any(|line| line == expected), "{text}");
}

#[test]
fn what_has_to_restart_comes_first_and_the_silent_are_told_too() {
    let cluster = with(
        vec![mesh::pod("web", &json!({})), pod("a", "quiet")],
        vec![telemetry("logs", "quiet", 0, &envoy())],
    );
    let (status, reason, message) = cluster.condition("ProxiesUpToDate");
    assert_eq!((status.as_str(), reason.as_str()), ("False", "RestartNeeded"));
    assert!(
        message.contains("kubectl -n shop rollout restart deployment/web. 1 of 2"),
        "{message}"
    );
    assert!(
        message.ends_with("from quiet/logs, which decides for quiet/a-5d8f-x"),
        "{message}"
    );
}

#[rstest]
#[case::in_another_root_namespace("istio-config", "istio-config", true)]
#[case::not_in_the_meshs_own("istio-config", "istio-system", false)]
#[case::in_the_default_one("", "istio-system", true)]
fn the_root_namespace_of_mesh_config_decides_for_the_whole_mesh(
    #[case] root: &str,
    #[case] namespace: &str,
    #[case] decides: bool,
) {
    let mut cluster = Cluster::stock(&json!({}));
    let text = match root {
        "" => "trustDomain: x\n".to_owned(),
        root => format!("trustDomain: x\nrootNamespace: {root}\n"),
    };
    cluster.put(mesh::config_map("istio", Some(&text)));
    cluster.telemetries = vec![telemetry("logs", namespace, 0, &envoy())];
    cluster.settle();
    let (status, reason, message) = cluster.condition("MeshConfigured");
    if decides {
        assert_eq!(
            (status.as_str(), reason.as_str()),
            ("False", "ShadowedByTelemetry")
        );
        assert!(
            message.contains(&format!("the Telemetry {namespace}/logs")),
            "{message}"
        );
        assert_eq!(cluster.text("istio"), Some(text));
    } else {
        assert_eq!((status.as_str(), reason.as_str()), ("True", "Wired"));
    }
}

/// A revision's own text wins over the shared one, here as elsewhere.
#[test]
fn the_root_namespace_is_that_of_the_merged_mesh_config() {
    let mut cluster = Cluster::stock(&json!({}));
    cluster.istiods = vec![mesh::istiod("default", "1.30.3", Some("istio-user"))];
    cluster.put(mesh::config_map("istio", Some("trustDomain: x\n")));
    cluster.put(mesh::config_map(
        "istio-user",
        Some("rootNamespace: istio-config\n"),
    ));
    cluster.telemetries = vec![telemetry("logs", "istio-config", 0, &envoy())];
    cluster.settle();
    assert_eq!(cluster.mesh_configured().1, "ShadowedByTelemetry");
}

#[rstest]
#[case::of_its_namespace("shop", envoy(), true)]
#[case::of_another_namespace("other", envoy(), false)]
#[case::about_metrics("shop", json!({"metrics": [{}]}), false)]
#[case::of_its_labels("shop", for_labels(&json!({"app": "web"}), &envoy()), true)]
#[case::of_other_labels("shop", for_labels(&json!({"app": "web", "team": "a"}), &envoy()), false)]
#[case::of_its_labels_in_the_root_namespace("istio-system", for_labels(&json!({"app": "web"}), &envoy()), false)]
#[case::of_a_gateway("shop", for_target("gateway.networking.k8s.io", "Gateway", "web"), false)]
fn a_sidecar_is_selected_by_its_namespace_and_labels(
    #[case] namespace: &str,
    #[case] spec: Value,
    #[case] decides: bool,
) {
    let found = decided(pod("web", "shop"), vec![telemetry("logs", namespace, 0, &spec)]);
    let expected = decides.then(|| (vec![format!("{namespace}/logs")], String::new()));
    assert_eq!(found, expected);
}

#[test]
fn of_two_for_a_whole_namespace_the_older_counts() {
    let older = |spec: &Value| telemetry("older", "shop", 1, spec);
    let younger = telemetry("a-younger", "shop", 2, &envoy());
    let metrics = json!({"metrics": [{}]});
    assert_eq!(
        decided(pod("web", "shop"), vec![younger.clone(), older(&metrics)]),
        None
    );
    assert_eq!(
        decided(pod("web", "shop"), vec![younger.clone(), older(&envoy())]),
        Some((vec!["shop/older".to_owned()], String::new()))
    );
    // Of two that are as old, the first by name.
    let as_old = telemetry("b", "shop", 2, &metrics);
    assert_eq!(
        decided(pod("web", "shop"), vec![as_old, younger]),
        Some((vec!["shop/a-younger".to_owned()], String::new()))
    );
}

#[rstest]
#[case::providers(json!([{"providers": [{"name": "envoy"}]}]), Some(""))]
#[case::disabled_providers(json!([{"providers": [{"name": "envoy"}], "disabled": true}]), Some(""))]
#[case::disabled_without_a_provider(json!([{"disabled": true}]), None)]
#[case::an_entry_inherits(json!([{"providers": [{"name": "envoy"}], "match": {"mode": "CLIENT"}}, {"match": {"mode": "SERVER"}}]), Some("outgoing"))]
#[case::incoming_only(json!([{"providers": [{"name": "envoy"}], "match": {"mode": "SERVER"}}]), Some("incoming"))]
#[case::outgoing_only(json!([{"providers": [{"name": "envoy"}], "match": {"mode": "CLIENT"}}]), Some("outgoing"))]
#[case::both(json!([{"providers": [{"name": "envoy"}], "match": {"mode": "CLIENT_AND_SERVER"}}]), Some(""))]
fn a_provider_for_such_calls_decides(#[case] entries: Value, #[case] calls: Option<&str>) {
    let found = decided(
        pod("web", "shop"),
        vec![telemetry("logs", "shop", 0, &json!({"accessLogging": entries}))],
    );
    assert_eq!(found.map(|(_, calls)| calls).as_deref(), calls);
}

/// One that says `disabled` alone has the providers of the layer before, and so none without it.
#[test]
fn layers_hand_their_providers_down() {
    let off = json!({"accessLogging": [{"disabled": true}]});
    let found = decided(
        pod("web", "shop"),
        vec![
            telemetry("web", "shop", 2, &for_labels(&json!({"app": "web"}), &off)),
            telemetry("logs", "shop", 1, &envoy()),
        ],
    );
    assert_eq!(found, Some((vec!["shop/logs".to_owned()], String::new())));
}

/// Before Istio 1.18, any that says something decides.
#[rstest]
#[case("1.17.8", true)]
#[case("1.18.0", false)]
#[case("latest", false)]
fn older_istiods_ask_for_no_provider(#[case] version: &str, #[case] decides: bool) {
    let off = telemetry("logs", "shop", 0, &json!({"accessLogging": [{"disabled": true}]}));
    let cluster = with_istiod(version, vec![pod("web", "shop")], vec![off]);
    assert_eq!(silenced(&cluster).len(), usize::from(decides));
}

#[rstest]
#[case::of_the_gateway(for_target("gateway.networking.k8s.io", "Gateway", "gateway"), "router", true)]
#[case::of_another_gateway(for_target("gateway.networking.k8s.io", "Gateway", "other"), "router", false)]
#[case::of_a_service(for_target("", "Service", "gateway"), "waypoint", false)]
#[case::by_labels(for_labels(&json!({"app": "gateway"}), &envoy()), "router", true)]
#[case::a_waypoint_by_labels(for_labels(&json!({"app": "gateway"}), &envoy()), "waypoint", false)]
#[case::a_waypoint(
    for_target("gateway.networking.k8s.io", "Gateway", "gateway"),
    "waypoint",
    true
)]
fn gateways_are_selected_by_targets(#[case] spec: Value, #[case] role: &str, #[case] decides: bool) {
    let pod = started_as(gateway_pod(&knows_the_address()), role);
    let found = decided(pod, vec![telemetry("logs", "shop", 0, &spec)]);
    assert_eq!(found.is_some(), decides);
}

#[test]
fn waypoints_of_the_root_namespace_are_selected_by_their_class() {
    let spec = for_target("gateway.networking.k8s.io", "GatewayClass", "istio-waypoint");
    let mut pod = started_as(gateway_pod(&knows_the_address()), "waypoint");
    pod["metadata"]["namespace"] = json!("istio-system");
    let telemetries = || vec![telemetry("logs", "istio-system", 0, &spec)];
    assert!(decided(pod.clone(), telemetries()).is_some());
    let other = for_target("gateway.networking.k8s.io", "GatewayClass", "istio");
    let other = vec![telemetry("logs", "istio-system", 0, &other)];
    assert_eq!(decided(pod.clone(), other), None);
    assert!(decided(started_as(pod, "router"), telemetries()).is_none());
}

#[rstest]
#[case::none(None, true)]
#[case::its_own(Some("shop"), true)]
#[case::another(Some("other"), false)]
fn a_target_is_of_the_telemetrys_namespace(#[case] namespace: Option<&str>, #[case] decides: bool) {
    let mut spec = for_target("gateway.networking.k8s.io", "Gateway", "gateway");
    if let Some(namespace) = namespace {
        spec["targetRefs"][0]["namespace"] = json!(namespace);
    }
    let pod = started_as(gateway_pod(&knows_the_address()), "router");
    let found = decided(pod, vec![telemetry("logs", "shop", 0, &spec)]);
    assert_eq!(found.is_some(), decides);
}

/// A gateway's calls are outgoing, a waypoint's incoming.
#[rstest]
#[case("router", "CLIENT", true)]
#[case("router", "SERVER", false)]
#[case("waypoint", "CLIENT", false)]
#[case("waypoint", "SERVER", true)]
fn gateways_and_waypoints_have_one_side(#[case] role: &str, #[case] mode: &str, #[case] decides: bool) {
    let spec = json!({"accessLogging": [{"providers": [{"name": "envoy"}], "match": {"mode": mode}}]});
    let pod = started_as(pod("gateway", "shop"), role);
    let found = decided(pod, vec![telemetry("logs", "shop", 0, &spec)]);
    assert_eq!(
        found,
        decides.then(|| (vec!["shop/logs".to_owned()], String::new()))
    );
}

#[test]
fn telemetries_that_can_not_be_read_leave_the_proxies_unknown() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.unreadable.telemetries = Some(alscope_plan::world::ReadError::Failed {
        what: "telemetries".to_owned(),
        message: "timed out".to_owned(),
    });
    cluster.settle();
    assert_eq!(cluster.condition("ProxiesUpToDate").0, "Unknown");
    assert_eq!(cluster.status().proxies, None);
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
}

fn entry() -> impl Strategy<Value = Value> {
    let providers = vec(prop_oneof![Just("envoy"), Just("otel")], 0..2);
    let mode = prop_oneof![Just("CLIENT"), Just("SERVER"), Just("CLIENT_AND_SERVER")];
    (providers, mode, any::<bool>()).prop_map(|(providers, mode, disabled)| {
        let providers: Vec<Value> = providers.iter().map(|name| json!({"name": name})).collect();
        json!({"providers": providers, "match": {"mode": mode}, "disabled": disabled})
    })
}

fn any_telemetry() -> impl Strategy<Value = Value> {
    let namespace = prop_oneof![Just("shop"), Just("istio-system"), Just("other")];
    let label = prop_oneof![Just(None), Just(Some("web")), Just(Some("other"))];
    (namespace, label, vec(entry(), 0..3), 0..4_u32).prop_map(|(namespace, label, entries, age)| {
        let mut spec = json!({"accessLogging": entries});
        if let Some(label) = label {
            spec["selector"] = json!({"matchLabels": {"app": label}});
        }
        telemetry(&format!("t{age}"), namespace, age, &spec)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Without a provider anywhere, nobody but mesh config decides; with a Telemetry more for another namespace, the same do.
    #[test]
    fn only_what_is_for_a_proxy_and_names_a_provider_decides(telemetries in vec(any_telemetry(), 0..5)) {
        let mut cluster = Cluster::stock(&json!({}));
        cluster.pods = vec![pod("web", "shop")];
        let proxies = |cluster: &mut Cluster, telemetries: Vec<Value>| {
            cluster.telemetries = telemetries;
            let proxies = cluster.plan().status.proxies.unwrap();
            assert_eq!(proxies.up_to_date + proxies.silent, proxies.total);
            proxies
        };
        let all = proxies(&mut cluster, telemetries.clone());
        let names = |telemetry: &Value| {
            let metadata = &telemetry["metadata"];
            format!("{}/{}", metadata["namespace"].as_str().unwrap(), metadata["name"].as_str().unwrap())
        };
        for one in all.silenced.iter().flat_map(|one| &one.telemetries) {
            prop_assert!(!one.starts_with("other/"), "{one} is of another namespace");
            prop_assert!(telemetries.iter().any(|telemetry| names(telemetry) == *one));
        }
        let more = [telemetries.clone(), vec![telemetry("z", "other", 0, &envoy())]].concat();
        prop_assert_eq!(&proxies(&mut cluster, more), &all);
        let mut without = telemetries;
        for telemetry in &mut without {
            for entry in telemetry["spec"]["accessLogging"].as_array_mut().unwrap() {
                entry["providers"] = json!([]);
            }
        }
        prop_assert_eq!(proxies(&mut cluster, without).silent, 0);
    }
}
