use std::sync::Arc;

use alscope_test_log::ThreadLog;
use parking_lot::Mutex;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::stub_api_server::{StubApiServer, StubResponse};

use super::leadership::Leadership;
use super::*;

fn candidate(identity: &str) -> Candidate {
    Candidate {
        namespace: "alscope-system".to_owned(),
        identity: identity.to_owned(),
        duration: Duration::from_secs(15),
        clock: Clock::Wall,
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn another_holder_is_waited_for_by_its_own_duration() {
    let lease = candidate("a").lease(None, Timestamp::UNIX_EPOCH);
    assert_eq!(candidate("b").state(&lease, seconds(15)), LeaseState::HeldByOther);
    assert_eq!(candidate("b").state(&lease, seconds(16)), LeaseState::Free);
    assert_eq!(candidate("a").state(&lease, seconds(0)), LeaseState::Held);
}

#[test]
fn a_lease_that_was_given_up_is_free() {
    let mut lease = candidate("a").lease(None, Timestamp::UNIX_EPOCH);
    if let Some(spec) = &mut lease.spec {
        spec.holder_identity = Some(String::new());
    }
    assert_eq!(candidate("b").state(&lease, seconds(0)), LeaseState::Free);
}

#[test]
fn renewing_is_no_transition_and_taking_over_is() {
    let first = candidate("a").lease(None, Timestamp::UNIX_EPOCH);
    let renewed = candidate("a").lease(Some(&first), Timestamp::constant(5, 0));
    let taken = candidate("b").lease(Some(&renewed), Timestamp::constant(9, 0));
    let spec = |lease: &Lease| lease.spec.clone().unwrap();
    assert_eq!(spec(&renewed).lease_transitions, spec(&first).lease_transitions);
    assert_eq!(
        spec(&renewed).acquire_time,
        Some(MicroTime(Timestamp::UNIX_EPOCH))
    );
    assert_eq!(spec(&taken).lease_transitions, Some(2));
    assert_eq!(
        spec(&taken).acquire_time,
        Some(MicroTime(Timestamp::constant(9, 0)))
    );
}

const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/alscope-system/leases/alscope-operator";

/// A Lease that is stored: whoever replaces it holds it. `holder` of another's is written by the test.
#[derive(Clone)]
struct Stored {
    stub: StubApiServer,
    lease: Arc<Mutex<Option<Value>>>,
}

impl Stored {
    fn new() -> Self {
        let stored = Self {
            stub: StubApiServer::new(),
            lease: Arc::default(),
        };
        stored.answers(StubResponse::Object);
        stored
    }

    /// Answers reads with the Lease, and writes with what this makes of them.
    fn answers(&self, written: impl Fn(Value) -> StubResponse + Send + 'static) {
        let stored = self.lease.clone();
        let mut version = 1;
        self.stub.rule(move |asked| {
            let mut lease = stored.lock();
            if asked.verb == "GET" {
                return lease
                    .clone()
                    .map_or(StubResponse::Code(404), StubResponse::Object);
            }
            version += 1;
            let mut next = asked.body.clone();
            next["metadata"]["resourceVersion"] = json!(version.to_string());
            *lease = Some(next.clone());
            written(next)
        });
    }

    fn taken_by(&self, holder: &str, version: &str) {
        let lease = json!({
            "metadata": {"name": "alscope-operator", "namespace": "alscope-system", "resourceVersion": version},
            "spec": {"holderIdentity": holder, "leaseDurationSeconds": 15},
        });
        *self.lease.lock() = Some(lease);
    }

    fn holder(&self) -> Value {
        let lease = self.lease.lock();
        lease
            .as_ref()
            .map(|lease| lease["spec"]["holderIdentity"].clone())
            .unwrap_or_default()
    }
}

/// A candidate `one` that runs.
struct Running {
    leadership: Leadership,
    ending: CancellationToken,
    tasks: JoinSet<()>,
    began: Instant,
}

fn run(stored: &Stored) -> Running {
    let (leads, until) = watch::channel(None);
    let ending = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(candidate("one").run(stored.stub.client(), leads, ending.clone()));
    Running {
        leadership: Leadership::new(until),
        ending,
        tasks,
        began: Instant::now(),
    }
}

impl Running {
    /// Whether it leads so many milliseconds after the beginning.
    async fn leads_at(&self, milliseconds: u64) -> bool {
        sleep_until(self.began + Duration::from_millis(milliseconds)).await;
        self.leadership.holds()
    }
}

#[tokio::test(start_paused = true)]
async fn leadership_ends_while_an_attempt_hangs_well_before_another_may_lead() {
    let stored = Stored::new();
    let running = run(&stored);
    assert!(running.leads_at(100).await);
    stored.stub.rule(|_| StubResponse::Silence);
    assert!(running.leads_at(9_990).await);
    assert!(!running.leads_at(10_010).await);
    assert!(!running.leads_at(60_000).await);
}

#[tokio::test(start_paused = true)]
async fn leadership_counts_from_the_beginning_of_the_attempt() {
    let stored = Stored::new();
    stored.answers(|lease| StubResponse::Late(Duration::from_secs(4), lease));
    let running = run(&stored);
    assert!(!running.leads_at(3_900).await);
    assert!(running.leads_at(4_100).await);
    stored.stub.rule(|_| StubResponse::Silence);
    // The second began at 4 s, and was sent before the silence.
    assert!(running.leads_at(13_900).await);
    assert!(!running.leads_at(14_100).await);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_renewal_ends_leadership_at_its_deadline() {
    let stored = Stored::new();
    let running = run(&stored);
    assert!(running.leads_at(100).await);
    stored.stub.rule(|_| StubResponse::Code(503));
    assert!(running.leads_at(9_990).await);
    assert!(!running.leads_at(10_010).await);
    stored.answers(StubResponse::Object);
    assert!(running.leads_at(12_100).await);
}

#[tokio::test(start_paused = true)]
async fn another_holder_is_respected_and_waited_for() {
    let stored = Stored::new();
    stored.taken_by("other", "a");
    let running = run(&stored);
    assert!(!running.leads_at(14_000).await);
    stored.taken_by("other", "b");
    assert!(!running.leads_at(29_000).await);
    assert!(running.leads_at(34_000).await);
    assert_eq!(stored.holder(), "one");
    stored.taken_by("other", "c");
    assert!(!running.leads_at(37_000).await);
    assert_eq!(stored.holder(), "other");
    running.ending.cancel();
    running.tasks.join_all().await;
    assert_eq!(stored.holder(), "other");
}

#[tokio::test(start_paused = true)]
async fn the_lease_is_given_up_in_the_end_and_not_waited_for_long() {
    let stored = Stored::new();
    let running = run(&stored);
    assert!(running.leads_at(100).await);
    running.ending.cancel();
    running.tasks.join_all().await;
    assert_eq!(stored.holder(), "");

    let running = run(&stored);
    assert!(running.leads_at(100).await);
    stored.stub.rule(|_| StubResponse::Silence);
    running.ending.cancel();
    running.tasks.join_all().await;
    assert!(running.began.elapsed() < Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_asked_for_by_its_name() {
    let stored = Stored::new();
    let running = run(&stored);
    assert!(running.leads_at(3_100).await);
    let asked = stored.stub.asked(&["GET", "POST", "PUT"]);
    let asked: Vec<(&str, &str)> = asked
        .iter()
        .map(|one| (one.verb.as_str(), one.path.as_str()))
        .collect();
    let all = LEASE.strip_suffix("/alscope-operator").unwrap();
    assert_eq!(
        asked,
        [("GET", LEASE), ("POST", all), ("GET", LEASE), ("PUT", LEASE)]
    );
}

#[test]
fn a_lease_says_who_holds_it_since_when_and_for_how_long() {
    let (first, second, third) = (
        Timestamp::UNIX_EPOCH,
        Timestamp::constant(5, 0),
        Timestamp::constant(9, 0),
    );
    let says = |holder: &str, taken: Timestamp, renewed: Timestamp, transitions: i32| {
        Some(LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: Some(15),
            acquire_time: Some(MicroTime(taken)),
            renew_time: Some(MicroTime(renewed)),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        })
    };
    let new = candidate("a").lease(None, first);
    assert_eq!(new.metadata.name.as_deref(), Some("alscope-operator"));
    assert_eq!(new.metadata.namespace.as_deref(), Some("alscope-system"));
    assert_eq!(new.spec, says("a", first, first, 1));
    let renewed = candidate("a").lease(Some(&new), second);
    assert_eq!(renewed.spec, says("a", first, second, 1));
    let taken = candidate("b").lease(Some(&renewed), third);
    assert_eq!(taken.spec, says("b", third, third, 2));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_others_write_first_is_not_held() {
    let stored = Stored::new();
    stored.answers(|_| StubResponse::Code(409));
    let running = run(&stored);
    assert!(!running.leads_at(2_900).await);
    stored.answers(StubResponse::Object);
    assert!(running.leads_at(3_100).await);
    stored.answers(|_| StubResponse::Code(409));
    // At once, and not when the last renewal ends.
    assert!(!running.leads_at(6_100).await);
}

#[rstest]
#[case::a_slow_answer(StubResponse::Late(seconds(4), json!({})), 4)]
#[case::silence(StubResponse::Silence, 6)]
#[tokio::test(start_paused = true)]
async fn giving_up_is_waited_for_for_two_pauses(#[case] answer: StubResponse, #[case] waits: u64) {
    let stored = Stored::new();
    let running = run(&stored);
    assert!(running.leads_at(100).await);
    let leading = running.leadership.clone();
    stored.answers(move |_| answer.clone());
    let began = Instant::now();
    running.ending.cancel();
    running.tasks.join_all().await;
    assert_eq!(began.elapsed().as_secs(), waits);
    assert!(!leading.holds());
}

#[tokio::test(start_paused = true)]
async fn leadership_that_has_ended_turns_when_it_is_given_again() {
    let began = Instant::now();
    let (until, leads) = watch::channel(Some(began + seconds(1)));
    let leadership = Leadership::new(leads);
    leadership.changed_from(true).await;
    assert_eq!(began.elapsed(), seconds(1));
    let again = async {
        tokio::time::sleep(seconds(4)).await;
        until.send_replace(Some(began + seconds(100)));
    };
    tokio::join!(leadership.changed_from(false), again);
    assert_eq!(began.elapsed(), seconds(5));
    assert!(leadership.holds());
}

#[tokio::test(start_paused = true)]
async fn each_change_of_leadership_is_told_once() {
    let log = ThreadLog::begin();
    let stored = Stored::new();
    let running = run(&stored);
    assert!(running.leads_at(20_000).await);
    assert_eq!(log.lines_with("leader election").len(), 1);
    stored.taken_by("other", "a");
    assert!(!running.leads_at(30_000).await);
    assert_eq!(log.lines_with("leader=true").len(), 1);
    assert_eq!(log.lines_with("leader=false").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_can_not_be_written_leaves_leadership_until_its_deadline() {
    let stored = Stored::new();
    let running = run(&stored);
    assert!(running.leads_at(100).await);
    stored.answers(|_| StubResponse::Code(503));
    assert!(running.leads_at(9_990).await);
    assert!(!running.leads_at(10_010).await);
}
