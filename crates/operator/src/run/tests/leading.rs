//! What is written while the Lease comes and goes.

use super::*;

fn is_finalizer(asked: &RecordedRequest) -> bool {
    asked.body["metadata"].get("finalizers").is_some()
}

/// Answers the write of the finalizer late, and every other at once.
fn late(asked: &RecordedRequest, object: Value) -> StubResponse {
    if is_finalizer(asked) {
        StubResponse::Late(Duration::from_secs(4), object)
    } else {
        StubResponse::Object(object)
    }
}

fn first_two_writes() -> [String; 2] {
    [
        format!("PATCH {RESOURCES}/alscope/status"),
        format!("PATCH {RESOURCES}/alscope"),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_pass_writes_the_status_then_the_finalizer_then_the_collector() {
    let stub = unwired(leading, |_, object| StubResponse::Object(object));
    let writes = written_within(&stub, 3).await;
    assert_eq!(writes[..2], first_two_writes());
    assert!(
        writes[2].starts_with(&format!("PATCH {OWN_CONFIG_MAPS}/alscope-collector-")),
        "{writes:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_lost_during_a_pass_ends_it_before_its_next_write() {
    let began = Instant::now();
    let taken = move |asked: &RecordedRequest| {
        if began.elapsed() < Duration::from_secs(2) {
            return leading(asked);
        }
        StubResponse::Object(json!({
            "metadata": {"name": "alscope-operator", "namespace": "alscope-system", "resourceVersion": "9"},
            "spec": {"holderIdentity": "two", "leaseDurationSeconds": 60},
        }))
    };
    let stub = unwired(taken, late);
    assert_eq!(written_within(&stub, 50).await, first_two_writes());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_after_the_deadline_of_a_lease_that_is_not_renewed() {
    let began = Instant::now();
    let silent = move |asked: &RecordedRequest| match began.elapsed().as_secs() {
        0..2 => leading(asked),
        _ => StubResponse::Silence,
    };
    let stub = unwired(silent, |_, object| StubResponse::Object(object));
    written_within(&stub, 120).await;
    let writes = stub.asked(&["PATCH", "POST", "DELETE"]);
    let last = writes.last().unwrap().at.duration_since(began);
    assert!(
        last > Duration::from_secs(4) && last < Duration::from_secs(10),
        "{last:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_lease_is_given_up_after_the_last_write() {
    let stub = unwired(stored_lease(), late);
    let began = Instant::now();
    let writes = written_within(&stub, 1).await;
    assert_eq!(writes, first_two_writes(), "the pass ends before its next write");
    let ended = began.elapsed();
    assert!(ended >= Duration::from_secs(4), "{ended:?}");
    let asked = stub.asked(&["PUT"]);
    let given_up = asked.last().unwrap();
    assert_eq!(given_up.body["spec"]["holderIdentity"], "");
    assert!(given_up.at.duration_since(began) >= Duration::from_secs(4));
}

/// A Lease that is what was written last.
fn stored_lease() -> impl Fn(&RecordedRequest) -> StubResponse + Send + 'static {
    let lease = std::sync::Mutex::new(None);
    move |asked| {
        let mut lease = lease.lock().unwrap();
        if asked.verb != "GET" {
            *lease = Some(asked.body.clone());
        }
        lease
            .clone()
            .map_or(StubResponse::Code(404), StubResponse::Object)
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_for_a_resource_that_went_before_its_finalizer_came() {
    let stub = unwired(leading, |asked, object| {
        if is_finalizer(asked) {
            StubResponse::Code(404)
        } else {
            StubResponse::Object(object)
        }
    });
    let writes = written_within(&stub, 20).await;
    assert!(writes.len() > 2);
    assert!(
        writes.iter().all(|write| first_two_writes().contains(write)),
        "{writes:?}"
    );
}
