//! Meshes whose resource is gone, or seems to be.

use super::*;

const MESH_CONFIG_MAPS: &str = "/api/v1/namespaces/istio-system/configmaps";

/// A wired mesh, and the backup of a resource `gone`.
fn wired() -> StubApiServer {
    let stub = StubApiServer::new();
    let address = OperatorSettings::default().address("gone");
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
    stub.list(MESH_CONFIG_MAPS, StubResponse::Items(vec![mesh]));
    stub.list(OWN_CONFIG_MAPS, StubResponse::Items(vec![backup]));
    stub.rule(leading);
    stub
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
        StubResponse::Code(403),
        StubResponse::Code(404),
        StubResponse::Code(500),
        StubResponse::Silence,
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
            return StubResponse::Items(Vec::new());
        }
        StubResponse::Items(vec![resource("gone")])
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
    stub.list(RESOURCES, StubResponse::Items(vec![newer]));
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
