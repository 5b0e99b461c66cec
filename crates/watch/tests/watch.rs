//! A watch of a Kubernetes API server that fails in all ways that the server of tests knows. Time is paused, so hours pass at
//! once.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use alscope_test_api_server::{ApiServer, Effect, Fault, Verb as ServerVerb};
use alscope_watch::{NextRequest, Observer, Selector, Verb, Watch, WatchFailure, WatchOptions};
use parking_lot::Mutex;
use rstest::rstest;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const WATCH_TIMEOUT: Duration = Duration::from_mins(4);

/// What the watch has told.
#[derive(Debug, Default)]
struct Told {
    known: BTreeSet<String>,
    listed: BTreeSet<String>,
    lists: Vec<Instant>,
    watches: Vec<Instant>,
    works: usize,
    failures: Vec<(Instant, String)>,
}

struct Recorder {
    told: Arc<Mutex<Told>>,
    after_failure: NextRequest,
}

impl Observer for Recorder {
    type Object = String;

    fn decode<'de, D>(&self, object: D) -> Result<String, WatchFailure>
    where
        D: Deserializer<'de> + Copy,
    {
        let object = Value::deserialize(object).map_err(|_| WatchFailure::Unreadable)?;
        let name = object["metadata"]["name"].as_str().map(str::to_owned);
        name.ok_or(WatchFailure::Unreadable)
    }

    async fn begin_list(&mut self) {
        self.told.lock().listed.clear();
    }

    async fn apply(&mut self, object: String) {
        let mut told = self.told.lock();
        told.known.insert(object.clone());
        told.listed.insert(object);
    }

    async fn delete(&mut self, object: String) {
        self.told.lock().known.remove(&object);
    }

    async fn end_list(&mut self) {
        let mut told = self.told.lock();
        told.known = std::mem::take(&mut told.listed);
        told.lists.push(Instant::now());
    }

    fn begin_watch(&mut self) {
        self.told.lock().watches.push(Instant::now());
    }

    fn works(&mut self) {
        self.told.lock().works += 1;
    }

    async fn failed(&mut self, verb: Verb, failure: &WatchFailure) -> NextRequest {
        let text = format!("{verb}: {failure}");
        self.told.lock().failures.push((Instant::now(), text));
        self.after_failure
    }
}

/// A server, and a watch of its ConfigMaps.
struct Run {
    server: ApiServer,
    told: Arc<Mutex<Told>>,
    began: Instant,
    _task: JoinSet<()>,
}

fn server() -> ApiServer {
    let (server, _) = ApiServer::new();
    server.put(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "reader"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list", "watch"]}],
    }));
    server.put(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "reader"},
        "subjects": [{"kind": "User", "name": "reader", "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"kind": "ClusterRole", "name": "reader", "apiGroup": "rbac.authorization.k8s.io"},
    }));
    server
}

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default", "labels": {"of": name}}})
}

fn options(relist_interval: Option<Duration>) -> WatchOptions {
    WatchOptions {
        selector: Selector::default(),
        watch_timeout: WATCH_TIMEOUT,
        relist_interval,
    }
}

fn run(server: ApiServer, options: WatchOptions, after_failure: NextRequest) -> Run {
    let told = Arc::<Mutex<Told>>::default();
    let recorder = Recorder {
        told: told.clone(),
        after_failure,
    };
    let url_path = "/api/v1/configmaps".to_owned();
    let watch = Watch::new(server.client_of("reader"), url_path, options, recorder);
    let mut task = JoinSet::new();
    task.spawn(watch.run());
    Run {
        server,
        told,
        began: Instant::now(),
        _task: task,
    }
}

fn watched(server: ApiServer) -> Run {
    run(server, options(None), NextRequest::Resume)
}

fn fault(verb: ServerVerb, times: u32, effect: Effect) -> Fault {
    Fault {
        user: "reader".to_owned(),
        verb: Some(verb),
        resource: "configmaps".to_owned(),
        skip: 0,
        times,
        effect,
    }
}

impl Run {
    fn known(&self) -> Vec<String> {
        self.told.lock().known.iter().cloned().collect()
    }

    /// How many lists were complete, and how many watches began.
    fn counts(&self) -> (usize, usize) {
        let told = self.told.lock();
        (told.lists.len(), told.watches.len())
    }

    fn failures(&self) -> Vec<(Instant, String)> {
        self.told.lock().failures.clone()
    }
}

#[tokio::test(start_paused = true)]
async fn pages_and_events_show_every_object_once() {
    let server = server();
    let names: Vec<String> = (0..250).map(|number| format!("c{number:03}")).collect();
    for name in &names {
        server.put(config_map(name));
    }
    let run = watched(server);
    sleep(SECOND).await;
    assert_eq!((run.known(), run.counts()), (names.clone(), (1, 1)));
    run.server.put(config_map("new"));
    run.server.remove_object("configmaps", "default", "c000");
    sleep(SECOND).await;
    let mut expected = names[1..].to_vec();
    expected.push("new".to_owned());
    assert_eq!((run.known(), run.counts()), (expected, (1, 1)));
}

#[rstest]
#[case::by_label(Selector::labels("of=b"))]
#[case::by_field(Selector::fields("metadata.name=b"))]
#[tokio::test(start_paused = true)]
async fn a_selector_holds_for_the_list_and_the_watch(#[case] selector: Selector) {
    let server = server();
    server.put(config_map("a"));
    let options = WatchOptions {
        selector,
        ..options(None)
    };
    let run = run(server, options, NextRequest::Resume);
    sleep(SECOND).await;
    run.server.put(config_map("b"));
    run.server.put(config_map("c"));
    sleep(SECOND).await;
    assert_eq!(run.known(), ["b"]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_in_time_goes_on_without_a_list_and_a_pause() {
    let run = watched(server());
    sleep(3 * WATCH_TIMEOUT + SECOND).await;
    assert_eq!((run.counts(), run.failures()), ((1, 4), vec![]));
    let watches = run.told.lock().watches.clone();
    assert_eq!(watches[1] - watches[0], WATCH_TIMEOUT);
    assert!(run.told.lock().works >= 3);
}

#[tokio::test(start_paused = true)]
async fn pauses_grow_while_requests_fail_and_are_short_after_a_watch_that_worked() {
    let server = server();
    let forever = server.inject(fault(ServerVerb::List, u32::MAX, Effect::Refuse(500)));
    let run = watched(server);
    sleep(10 * MINUTE).await;
    let failures = run.failures();
    let pauses: Vec<Duration> = failures.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(pauses[0] <= SECOND, "{pauses:?}");
    let least = |count: i32| Duration::from_secs_f64((0.5 * 1.15_f64.powi(count)).min(10.0));
    for (count, pause) in (0..).zip(&pauses) {
        let shortest = least(count);
        assert!(
            (shortest..=2 * shortest + SECOND / 100).contains(pause),
            "{count}: {pause:?}"
        );
    }
    assert_eq!(
        failures[0].1,
        "list: the API server answers with status 500: an error on the server has prevented the request from succeeding"
    );
    run.server.clear_fault(forever);
    sleep(MINUTE + 2 * WATCH_TIMEOUT).await;
    let failed = run.failures().len();
    run.server
        .inject(fault(ServerVerb::Watch, 2, Effect::Refuse(500)));
    run.server.end_watches();
    sleep(MINUTE).await;
    let again = run.failures().split_off(failed);
    assert_eq!(again.len(), 2);
    assert!(again[1].0 - again[0].0 <= SECOND, "{again:?}");
}

#[rstest]
#[case::resume(NextRequest::Resume, (1, 1))]
#[case::relist(NextRequest::Relist, (3, 1))]
#[tokio::test(start_paused = true)]
async fn the_observer_says_whether_a_failed_watch_lists_again(
    #[case] after_failure: NextRequest,
    #[case] counts: (usize, usize),
) {
    let server = server();
    server.inject(fault(ServerVerb::Watch, 2, Effect::Refuse(500)));
    let run = run(server, options(None), after_failure);
    sleep(10 * SECOND).await;
    assert_eq!(run.counts(), counts);
    assert_eq!(run.failures().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_forgotten_is_listed_at_once_and_is_no_failure() {
    let run = watched(server());
    sleep(10 * SECOND).await;
    run.server.put(config_map("a"));
    run.server.end_watches();
    sleep(SECOND / 10).await;
    assert_eq!((run.counts(), run.failures()), ((2, 2), vec![]));
    assert_eq!(run.known(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_is_a_failure_after_20_s() {
    let server = server();
    server.inject(fault(ServerVerb::List, 1, Effect::Hang));
    server.inject(fault(ServerVerb::Watch, 1, Effect::Hang));
    let run = watched(server);
    sleep(MINUTE).await;
    let failures = run.failures();
    let texts: Vec<&str> = failures.iter().map(|(_, text)| text.as_str()).collect();
    let silent = ["list", "watch"].map(|verb| format!("{verb}: the API server sent nothing for 20 s"));
    assert_eq!(texts, silent);
    assert_eq!(failures[0].0 - run.began, 20 * SECOND);
    assert_eq!(run.counts(), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_at_once_is_a_failure() {
    let run = watched(server());
    sleep(SECOND).await;
    run.server.inject(fault(ServerVerb::Watch, 1, Effect::Close));
    run.server.put(config_map("a"));
    sleep(SECOND / 10).await;
    let failures = run.failures();
    assert_eq!(failures.len(), 1);
    assert_eq!(
        failures[0].1,
        "watch: the API server ended the watch after 1000 ms"
    );
    sleep(10 * SECOND).await;
    assert_eq!((run.known(), run.counts()), (vec!["a".to_owned()], (1, 2)));
}

#[tokio::test(start_paused = true)]
async fn a_lost_event_is_made_good_by_the_next_list() {
    let run = run(server(), options(Some(8 * MINUTE)), NextRequest::Resume);
    sleep(SECOND).await;
    run.server.inject(fault(ServerVerb::Watch, 1, Effect::DropEvent));
    run.server.put(config_map("a"));
    sleep(MINUTE).await;
    assert!(run.known().is_empty());
    sleep(13 * MINUTE).await;
    assert_eq!(run.known(), ["a"]);
    let lists = run.told.lock().lists.clone();
    assert!(
        (8 * MINUTE..=12 * MINUTE + 10 * SECOND).contains(&(lists[1] - run.began)),
        "{lists:?}"
    );
    assert_eq!(run.failures(), vec![]);
}

#[tokio::test(start_paused = true)]
async fn a_list_beside_a_watch_that_works_may_fail() {
    let run = run(server(), options(Some(8 * MINUTE)), NextRequest::Resume);
    sleep(SECOND).await;
    run.server.inject(fault(ServerVerb::List, 1, Effect::Refuse(500)));
    sleep(13 * MINUTE).await;
    run.server.put(config_map("a"));
    sleep(SECOND).await;
    assert_eq!((run.known(), run.failures()), (vec!["a".to_owned()], vec![]));
    assert_eq!(run.counts().0, 1);
    sleep(12 * MINUTE).await;
    assert_eq!(run.counts().0, 2);
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_is_missing_or_may_not_be_read_is_told_apart() {
    let server = server();
    let told = Arc::<Mutex<Told>>::default();
    for url_path in ["/api/v1/secrets", "/apis/telemetry.istio.io/v1/telemetries"] {
        let recorder = Recorder {
            told: told.clone(),
            after_failure: NextRequest::Resume,
        };
        let client = server.client_of("reader");
        let watch = Watch::new(client, url_path.to_owned(), options(None), recorder);
        let shown = format!("{watch:?}");
        assert!(shown.contains(url_path), "{shown}");
        timeout(SECOND / 10, watch.run()).await.unwrap_err();
    }
    let failures: Vec<String> = told
        .lock()
        .failures
        .iter()
        .map(|(_, text)| text.clone())
        .collect();
    assert!(
        failures[0].starts_with("list: the API server refuses the request (403: secrets is forbidden"),
        "{failures:?}"
    );
    assert!(
        failures[1].starts_with("list: the API server does not know the resource (404: "),
        "{failures:?}"
    );
}
