use std::sync::{Condvar, Mutex};

use serde_json::{Value, json};

use crate::stub::{Answer, Asked, Stub};
use crate::world::Intake;

use super::*;

const RESOURCES: &str = "/apis/alscope.dev/v1alpha1/meshobservabilities";
const MESH_CONFIG_MAPS: &str = "/api/v1/namespaces/istio-system/configmaps";
const SLICES: &str = "/apis/discovery.k8s.io/v1/namespaces/alscope-system/endpointslices";
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

fn clock() -> Clock {
    Clock::Counted {
        from: jiff::Timestamp::UNIX_EPOCH,
        since: Instant::now(),
    }
}

fn options() -> Options {
    Options {
        candidate: Candidate {
            namespace: "alscope-system".to_owned(),
            identity: "one".to_owned(),
            duration: Duration::from_secs(15),
            clock: clock(),
        },
        settings: Settings::default(),
        clock: clock(),
        intakes: Intakes::default(),
        admin: None,
    }
}

fn start(stub: &Stub, options: Options, stop: &CancellationToken) -> JoinSet<Result<(), PartEnded>> {
    let mut running = JoinSet::new();
    running.spawn(run(stub.client(), options, stop.clone()));
    running
}

/// Runs an operator for so many seconds, and tells what it wrote.
async fn written_within(stub: &Stub, seconds: u64) -> Vec<String> {
    let stop = CancellationToken::new();
    let operator = start(stub, options(), &stop);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    stop.cancel();
    for ended in operator.join_all().await {
        ended.unwrap();
    }
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

/// A resource whose mesh is not there. Each of its writes is answered by `written`, as is each request of the Lease by `leases`.
fn unwired(
    leases: impl Fn(&Asked) -> Answer + Send + 'static,
    written: impl Fn(&Asked, Value) -> Answer + Send + 'static,
) -> Stub {
    let stub = Stub::new();
    stub.list(RESOURCES, Answer::Items(vec![resource("alscope")]));
    stub.rule(move |asked| {
        if asked.path.contains("/leases") {
            return leases(asked);
        }
        let mut object = asked.body.clone();
        if asked.path.contains("/meshobservabilities/") {
            object = resource("alscope");
            object["status"] = asked.body["status"].clone();
        }
        written(asked, object)
    });
    stub
}

fn is_finalizer(asked: &Asked) -> bool {
    asked.body["metadata"].get("finalizers").is_some()
}

/// Answers the write of the finalizer late, and every other at once.
fn late(asked: &Asked, object: Value) -> Answer {
    if is_finalizer(asked) {
        Answer::Late(Duration::from_secs(4), object)
    } else {
        Answer::Object(object)
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
    let stub = unwired(leading, |_, object| Answer::Object(object));
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
    let taken = move |asked: &Asked| {
        if began.elapsed() < Duration::from_secs(2) {
            return leading(asked);
        }
        Answer::Object(json!({
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
    let silent = move |asked: &Asked| match began.elapsed().as_secs() {
        0..2 => leading(asked),
        _ => Answer::Silence,
    };
    let stub = unwired(silent, |_, object| Answer::Object(object));
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
fn stored_lease() -> impl Fn(&Asked) -> Answer + Send + 'static {
    let lease = std::sync::Mutex::new(None);
    move |asked| {
        let mut lease = lease.lock().unwrap();
        if asked.verb != "GET" {
            *lease = Some(asked.body.clone());
        }
        lease.clone().map_or(Answer::Code(404), Answer::Object)
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_for_a_resource_that_went_before_its_finalizer_came() {
    let stub = unwired(leading, |asked, object| {
        if is_finalizer(asked) {
            Answer::Code(404)
        } else {
            Answer::Object(object)
        }
    });
    let writes = written_within(&stub, 20).await;
    assert!(writes.len() > 2);
    assert!(
        writes.iter().all(|write| first_two_writes().contains(write)),
        "{writes:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_election_that_ends_by_itself_ends_the_operator() {
    let mut options = options();
    // Two thirds of it are too much to count, so the first success is a panic.
    options.candidate.duration = Duration::MAX;
    let operator = start(
        &unwired(leading, |_, object| Answer::Object(object)),
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
fn silent(_: &str) -> Option<Intake> {
    let (state, changed) = &SILENT;
    let mut state = state.lock().unwrap();
    state.0 = true;
    drop(changed.wait_while(state, |(_, may_answer)| !*may_answer));
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
    let stub = unwired(leading, |_, object| Answer::Object(object));
    let slice = json!({
        "metadata": {"name": "alscope-collector-1", "namespace": "alscope-system"},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["192.0.2.1"], "conditions": {"ready": true}}],
    });
    stub.list(SLICES, Answer::Items(vec![slice]));
    let stop = CancellationToken::new();
    let mut options = options();
    options.intakes = Intakes::asking(silent);
    let operator = start(&stub, options, &stop);
    while !SILENT.0.lock().unwrap().0 {
        go_on(1).await;
    }
    let before = stub.writes().len();
    go_on(200).await;
    let after = stub.writes().len();
    SILENT.0.lock().unwrap().1 = true;
    SILENT.1.notify_all();
    stop.cancel();
    operator.join_all().await;
    assert!(after > before + 6, "{before} {after}");
}

/// An operator that leads, without its loop.
fn operator(stub: &Stub) -> (Operator, watch::Sender<Option<Instant>>) {
    let (leads, until) = watch::channel(Some(Instant::now() + Duration::from_secs(1000)));
    let leadership = Leadership::new(until);
    let client = leadership.guard(&stub.client());
    let settings = Settings::default();
    let operator = Operator {
        gather: Gather::start(
            &client,
            &settings.namespace,
            Arc::default(),
            CancellationToken::new(),
        ),
        writer: Writer::new(client.clone(), &settings.namespace),
        report: Report::new(client, "one"),
        leadership,
        stop: CancellationToken::new(),
        intakes: Intakes::default(),
        replicas: watch::channel(Vec::new()).0,
        clock: clock(),
        metrics: Metrics::default(),
        failures: HashMap::new(),
        told: HashMap::new(),
        written_over: BTreeMap::new(),
        told_unread: BTreeSet::new(),
        settings,
    };
    (operator, leads)
}

fn with_proxies(up_to_date: i64, state: &str) -> MeshObservabilityStatus {
    let proxies = json!({"summary": "", "total": 9, "upToDate": up_to_date, "pendingRestart": 0});
    serde_json::from_value(json!({"state": state, "proxies": proxies})).unwrap()
}

#[tokio::test(start_paused = true)]
async fn counts_are_written_every_few_seconds_and_news_at_once() {
    let stub = unwired(leading, |_, object| Answer::Object(object));
    let (mut operator, _leads) = operator(&stub);
    let mut resource: MeshObservability = serde_json::from_value(resource("alscope")).unwrap();
    // What a status is, whether it is written, and how long until the next tenth of a second.
    for (tenths, up_to_date, state, is_written) in [
        (0, 1, "Writing", true),
        (2, 2, "Writing", false),
        (40, 3, "Writing", false),
        (8, 4, "Writing", true),
        (1, 5, "Ready", true),
        (49, 6, "Ready", false),
        (1, 7, "Ready", true),
        (9, 7, "Ready", false),
    ] {
        tokio::time::advance(Duration::from_millis(100 * tenths)).await;
        let status = with_proxies(up_to_date, state);
        let before = stub.writes().len();
        let (newest, counts_in) = operator.tell(&resource, &status).await.unwrap();
        assert_eq!(
            stub.writes().len() - before,
            usize::from(is_written),
            "{up_to_date}"
        );
        let is_known = newest.status.as_ref() == Some(&status);
        assert_eq!(counts_in < COUNTS_EVERY, !is_known, "{up_to_date} {counts_in:?}");
        resource = newest;
    }
}

#[tokio::test(start_paused = true)]
async fn a_status_that_can_not_be_written_is_tried_ever_later() {
    let stub = unwired(leading, |_, _| Answer::Code(403));
    let (mut operator, _leads) = operator(&stub);
    let resource: MeshObservability = serde_json::from_value(resource("alscope")).unwrap();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(40) {
        operator
            .tell(&resource, &with_proxies(1, "Ready"))
            .await
            .unwrap_err();
        tokio::time::advance(Duration::from_millis(500)).await;
    }
    let tried = stub.asked(&["PATCH"]).into_iter();
    let seconds: Vec<u64> = tried.map(|one| one.at.duration_since(began).as_secs()).collect();
    assert_eq!(seconds, [0, 1, 3, 7, 15, 31]);
}
