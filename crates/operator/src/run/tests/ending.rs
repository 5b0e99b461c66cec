//! Parts of the operator that end by themselves, or take their time.

use alscope_plan::world::ReplicaStatus;
use parking_lot::{Condvar, Mutex};

use super::*;

const SLICES: &str = "/apis/discovery.k8s.io/v1/namespaces/alscope-system/endpointslices";

#[tokio::test(start_paused = true)]
async fn an_election_that_ends_by_itself_ends_the_operator() {
    let mut options = options();
    // Two thirds of it are too much to count, so the first success is a panic.
    options.candidate.duration = Duration::MAX;
    let operator = start(
        &unwired(leading, |_, object| StubResponse::Object(object)),
        options,
        &CancellationToken::new(),
    );
    let ended = operator.join_all().await.remove(0).unwrap_err().to_string();
    assert!(
        ended.contains("panicked") && ended.contains("duration"),
        "{ended}"
    );
}

/// Whether the collector was asked, and whether it may answer.
static SILENT: (Mutex<(bool, bool)>, Condvar) = (Mutex::new((false, false)), Condvar::new());

/// Answers when the test says so.
fn silent(_: &str) -> Option<ReplicaStatus> {
    let (state, changed) = &SILENT;
    let mut state = state.lock();
    state.0 = true;
    changed.wait_while(&mut state, |(_, may_answer)| !*may_answer);
    None
}

/// Lets the paused clock go on for so long, which it does not by itself while a collector is asked.
async fn go_on(tenths: usize) {
    for _ in 0..tenths {
        tokio::time::advance(Duration::from_millis(100)).await;
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_collector_that_does_not_answer_stalls_no_pass() {
    let stub = unwired(leading, |_, object| StubResponse::Object(object));
    let slice = json!({
        "metadata": {"name": "alscope-collector-1", "namespace": "alscope-system"},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["192.0.2.1"], "conditions": {"ready": true}}],
    });
    stub.list(SLICES, StubResponse::Items(vec![slice]));
    let stop = CancellationToken::new();
    let mut options = options();
    options.replica_poller = ReplicaPoller::asking(silent);
    let operator = start(&stub, options, &stop);
    while !SILENT.0.lock().0 {
        go_on(1).await;
    }
    let before = stub.writes().len();
    go_on(200).await;
    let after = stub.writes().len();
    SILENT.0.lock().1 = true;
    SILENT.1.notify_all();
    stop.cancel();
    operator.join_all().await;
    assert!(after > before + 6, "{before} {after}");
}
