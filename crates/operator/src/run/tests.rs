use serde_json::{Value, json};

use crate::stub::{Answer, Asked, Stub};

use super::*;

const RESOURCES: &str = "/apis/alscope.dev/v1alpha1/meshobservabilities";
const MESH_CONFIG_MAPS: &str = "/api/v1/namespaces/istio-system/configmaps";
const OWN_CONFIG_MAPS: &str = "/api/v1/namespaces/alscope-system/configmaps";

fn resource(name: &str) -> Value {
    json!({
        "apiVersion": "alscope.dev/v1alpha1", "kind": "MeshObservability",
        "metadata": {"name": name, "uid": format!("uid-{name}"), "resourceVersion": "5", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {},
    })
}

/// A wired mesh, and the backup of a resource `gone`.
fn wired() -> Stub {
    let stub = Stub::new();
    let address = Settings::default().address("gone");
    let text = format!(
        "enableEnvoyAccessLogService: true\ndefaultConfig:\n  envoyAccessLogService:\n    address: {address}\n"
    );
    let mesh = json!({
        "metadata": {"name": "istio", "namespace": "istio-system", "resourceVersion": "2"},
        "data": {"mesh": text},
    });
    let backup = json!({
        "metadata": {
            "name": "alscope-backup-uid-gone", "namespace": "alscope-system", "resourceVersion": "3",
            "labels": {"app.kubernetes.io/managed-by": "alscope-operator"},
            "annotations": {"alscope.dev/resource": "gone", "alscope.dev/address": address},
        },
        "data": {"text.istio-system.istio": ""},
    });
    stub.list(MESH_CONFIG_MAPS, Answer::Items(vec![mesh]));
    stub.list(OWN_CONFIG_MAPS, Answer::Items(vec![backup]));
    stub.rule(leading);
    stub
}

/// Whoever asks leads, and each write is as it was sent.
fn leading(asked: &Asked) -> Answer {
    match asked.verb.as_str() {
        "GET" => Answer::Code(404),
        _ => Answer::Object(asked.body.clone()),
    }
}

fn start(stub: &Stub, stop: &CancellationToken) -> JoinSet<()> {
    let clock = Clock::Counted {
        from: jiff::Timestamp::UNIX_EPOCH,
        since: Instant::now(),
    };
    let options = Options {
        candidate: Candidate {
            namespace: "alscope-system".to_owned(),
            identity: "one".to_owned(),
            duration: Duration::from_secs(15),
            clock,
        },
        settings: Settings::default(),
        clock,
        intakes: Intakes::default(),
        admin: None,
    };
    let mut running = JoinSet::new();
    running.spawn(run(stub.client(), options, stop.clone()));
    running
}

/// Runs an operator for so many seconds, and tells what it wrote.
async fn written_within(stub: &Stub, seconds: u64) -> Vec<String> {
    let stop = CancellationToken::new();
    let operator = start(stub, &stop);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    stop.cancel();
    operator.join_all().await;
    stub.writes()
}

#[tokio::test(start_paused = true)]
async fn a_mesh_whose_resource_is_gone_is_restored() {
    let writes = written_within(&wired(), 3).await;
    assert_eq!(
        writes.first().unwrap(),
        &format!("PATCH {MESH_CONFIG_MAPS}/istio")
    );
}

#[tokio::test(start_paused = true)]
async fn a_mesh_is_left_alone_while_the_resources_can_not_be_listed() {
    for answer in [
        Answer::Code(403),
        Answer::Code(404),
        Answer::Code(500),
        Answer::Silence,
    ] {
        let stub = wired();
        stub.list(RESOURCES, answer.clone());
        assert_eq!(
            written_within(&stub, 300).await,
            Vec::<String>::new(),
            "{answer:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_resource_that_the_watch_has_not_shown_keeps_its_mesh() {
    let stub = wired();
    let mut first = true;
    stub.each(RESOURCES, move |verb| {
        if verb == "LIST" && std::mem::take(&mut first) {
            return Answer::Items(Vec::new());
        }
        Answer::Items(vec![resource("gone")])
    });
    assert_eq!(written_within(&stub, 60).await, Vec::<String>::new());
    let lists = stub.asked(&["LIST"]);
    assert!(lists.iter().filter(|one| one.path == RESOURCES).count() > 2);
}

#[tokio::test(start_paused = true)]
async fn a_resource_that_can_not_be_read_keeps_its_mesh_and_has_an_event() {
    let stub = wired();
    let mut newer = resource("gone");
    newer["spec"] = json!({"managementState": "SomethingNewer"});
    stub.list(RESOURCES, Answer::Items(vec![newer]));
    assert_eq!(written_within(&stub, 300).await, Vec::<String>::new());
    let events: Vec<Value> = stub
        .asked(&["POST", "PATCH"])
        .into_iter()
        .filter(|one| one.path.contains("/events"))
        .map(|one| one.body)
        .collect();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["reason"], "NotUnderstood");
    assert_eq!(events[0]["regarding"]["uid"], "uid-gone");
    let note = events[0]["note"].as_str().unwrap();
    assert!(
        note.contains("SomethingNewer") && note.contains("upgrade the operator"),
        "{note}"
    );
}
