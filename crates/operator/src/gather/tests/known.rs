//! What is known of a collector, of objects that stay as they are, and of watches that end.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use tokio::time::sleep;

use super::*;

const OWN: &str = "app.kubernetes.io/managed-by";

fn own(name: &str, owner: &str) -> Value {
    json!({"metadata": {
        "name": name, "namespace": "alscope-system", "resourceVersion": "2",
        "labels": {OWN: "alscope-operator", "alscope.dev/owner-uid": owner},
    }})
}

fn slice(name: &str, service: &str, endpoints: &Value) -> Value {
    json!({
        "metadata": {
            "name": name, "namespace": "alscope-system", "resourceVersion": "2",
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
    })
}

#[tokio::test(start_paused = true)]
async fn a_collector_is_what_bears_its_owner_and_is_ready() {
    let stub = cluster();
    let config_maps = vec![
        backup("u1"),
        own("alscope-collector-1", "u1"),
        own("other-1", "u2"),
    ];
    stub.list(OWN_CONFIG_MAPS, StubResponse::Items(config_maps));
    stub.list(
        OWN_PODS,
        StubResponse::Items(vec![own("a", "u1"), own("b", "u1"), own("c", "u2")]),
    );
    let endpoints = json!([
        {"addresses": ["10.0.0.3"], "conditions": {"ready": true}},
        {"addresses": ["10.0.0.2"], "conditions": {"ready": false}},
        {"addresses": ["10.0.0.1"], "conditions": {"ready": true}},
        {"addresses": ["10.0.0.4"]},
    ]);
    let others = json!([{"addresses": ["10.0.0.9", "10.0.0.1"], "conditions": {"ready": true}}]);
    stub.list(
        OWN_SLICES,
        StubResponse::Items(vec![
            slice("a", "alscope-collector", &endpoints),
            slice("b", "other-collector", &others),
        ]),
    );
    let (mut gather, _, _) = gathered(&stub).await;
    let world = gather.world(&ReplicaPoller::default(), Timestamp::UNIX_EPOCH);
    let collector = world.collectors["u1"].clone().unwrap();
    let owned: Vec<(OwnedKind, &str)> = collector
        .owned
        .iter()
        .map(|one| (one.kind, one.name.as_str()))
        .collect();
    assert!(
        owned.contains(&(OwnedKind::ConfigMap, "alscope-collector-1")),
        "{owned:?}"
    );
    assert_eq!(owned.len(), 3, "{owned:?}");
    assert_eq!((collector.pods, collector.ready_endpoints), (2, 2));
    assert_eq!(collector.replica_statuses, [None, None]);
    assert_eq!(gather.collector_addresses(), ["10.0.0.1", "10.0.0.3", "10.0.0.9"]);
}

#[tokio::test(start_paused = true)]
async fn objects_have_an_order() {
    let stub = cluster();
    let pods: Vec<Value> = (0..30)
        .map(|number| {
            let namespace = format!("n{}", number % 3);
            json!({
                "metadata": {"name": format!("p{:02}", (number * 7) % 30), "namespace": namespace, "resourceVersion": "2"},
            })
        })
        .collect();
    let mut expected: Vec<(String, String)> = pods
        .iter()
        .map(|pod| {
            let text = |field: &str| pod["metadata"][field].as_str().unwrap().to_owned();
            (text("namespace"), text("name"))
        })
        .collect();
    expected.sort();
    stub.list(PODS, StubResponse::Items(pods));
    let (gather, _, _) = gathered(&stub).await;
    let read = gather
        .pods
        .read(|pod| Some((pod.namespace().unwrap(), pod.name_any())));
    assert_eq!(read, Ok(expected));
}

#[tokio::test(start_paused = true)]
async fn a_text_rests_while_its_version_stays() {
    let stub = cluster();
    let mut versions = ["2", "2", "3"].into_iter();
    stub.each(MESH_CONFIG_MAPS, move |verb| match verb {
        // Each watch is refused, so that everything is listed anew.
        "WATCH" => StubResponse::Code(410),
        _ => StubResponse::Items(vec![json!({"metadata": {
            "name": "istio", "namespace": "istio-system", "resourceVersion": versions.next().unwrap_or("3"),
        }})]),
    });
    let (mut gather, _, _) = gathered(&stub).await;
    let mut rests = |second: i64| {
        let world = gather.world(&ReplicaPoller::default(), Timestamp::constant(second, 0));
        let istio = world.config_maps[&ObjectName::new("istio-system", "istio")].clone();
        istio.unwrap().unwrap().unchanged_for.as_secs()
    };
    // It is seen for the first time in this pass.
    assert_eq!((rests(100), rests(130)), (100, 130));
    sleep(Duration::from_mins(1)).await;
    assert_eq!((rests(200), rests(225)), (0, 25));
}

#[tokio::test(start_paused = true)]
async fn watches_that_are_ended_are_noticed() {
    let ending = CancellationToken::new();
    let client = cluster().client();
    let mut gather = ClusterReader::start(&client, "alscope-system", Arc::default(), ending.clone());
    assert_eq!(format!("{gather:?}"), "ClusterReader { .. }");
    ending.cancel();
    assert_eq!(gather.ended().await, "a watch ended");
}

#[tokio::test]
async fn a_cache_shows_its_subject_and_state() {
    let client = StubApiServer::new().client();
    let mut watches = Watches::new(client, Arc::default(), CancellationToken::new());
    let cache: Cache<ConfigMap> = watches.typed(Some("istio-system"), Selector::default());
    let text = format!("{cache:?}");
    assert!(text.contains("configmaps") && text.contains("Pending"), "{text}");
}
