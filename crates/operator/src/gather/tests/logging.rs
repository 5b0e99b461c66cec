//! What the log is told, and how often.

use std::time::Duration;

use alscope_test_log::ThreadLog;
use tokio::time::sleep;

use super::*;

fn istio(data: &Value) -> StubResponse {
    StubResponse::Items(vec![json!({
        "metadata": {"name": "istio", "namespace": "istio-system", "resourceVersion": "2"}, "data": data,
    })])
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_can_not_be_read_and_has_no_resource_is_told_once() {
    let log = ThreadLog::begin();
    let stub = cluster();
    let mut newer = backup("u9");
    newer["metadata"]["annotations"]["alscope.dev/backup-version"] = json!("2");
    stub.list(OWN_CONFIG_MAPS, StubResponse::Items(vec![backup("u1"), newer]));
    let (mut gather, world, _) = gathered(&stub).await;
    assert_eq!(world.orphaned_backups, []);
    gather.world(&ReplicaPoller::default(), Timestamp::UNIX_EPOCH);
    assert_eq!(
        log.lines_with("a mesh whose resource is gone is not restored")
            .len(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn an_object_that_can_not_be_read_is_told_once_for_each_fault() {
    let log = ThreadLog::begin();
    let stub = cluster();
    let mut lists = [
        json!({"a": 7}),
        json!({"a": 7}),
        json!({"a": true}),
        json!({}),
        json!({"a": 7}),
    ]
    .into_iter();
    let mut last = json!({});
    stub.each(MESH_CONFIG_MAPS, move |verb| {
        // Each watch is refused, so that everything is listed anew.
        if verb == "WATCH" {
            return StubResponse::Code(410);
        }
        last = lists.next().unwrap_or_else(|| last.clone());
        istio(&last)
    });
    let (_gather, _, _) = gathered(&stub).await;
    sleep(Duration::from_mins(5)).await;
    assert_eq!(
        log.lines_with("an object can't be read by this version of the operator")
            .len(),
        3
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_fails_and_is_back_is_told() {
    let log = ThreadLog::begin();
    let stub = cluster();
    stub.list(PODS, StubResponse::Code(403));
    let (_gather, _, _) = gathered(&stub).await;
    sleep(Duration::from_mins(1)).await;
    assert_eq!(log.lines_with("watch failed and is tried again").len(), 1);
    assert_eq!(log.lines_with("watch is back").len(), 0);
    stub.list(PODS, StubResponse::Items(Vec::new()));
    sleep(Duration::from_mins(1)).await;
    assert_eq!(log.lines_with("watch is back").len(), 1);
}
