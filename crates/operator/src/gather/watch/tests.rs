use alscope_plan::world::ReadResult;
use alscope_test_log::ThreadLog;
use futures::FutureExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use kube::api::ApiResource;
use kube::core::GroupVersionKind;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::gather::cache::{Cache, Watches};
use crate::stub_api_server::{StubApiServer, StubResponse};

use super::*;

mod relist;

const LIST: &str = "list";
const WATCH: &str = "watch";
const PATH: &str = "/api/v1/namespaces/istio-system/configmaps";
const TELEMETRIES: &str = "/apis/telemetry.istio.io/v1/telemetries";

/// An API server, a watch of the ConfigMap `istio` in it, and when that began.
struct Watched {
    stub: StubApiServer,
    cache: Cache<ConfigMap>,
    changed: Arc<Notify>,
    began: Instant,
    _watches: Watches,
}

fn config_map(data: &Value) -> Value {
    json!({"metadata": {"name": "istio", "namespace": "istio-system", "uid": "u", "resourceVersion": "1"}, "data": data})
}

fn there() -> StubResponse {
    StubResponse::Items(vec![config_map(&json!({}))])
}

/// A watch of which the first requests of a verb are answered with these codes; 0 is silence.
fn watched(answers: &[(&'static str, &[u16])]) -> Watched {
    let mut answers: BTreeMap<String, Vec<u16>> = answers
        .iter()
        .map(|(verb, codes)| (verb.to_uppercase(), codes.iter().rev().copied().collect()))
        .collect();
    let stub = StubApiServer::new();
    stub.each(PATH, move |verb| match answers.get_mut(verb).and_then(Vec::pop) {
        Some(code) => refusal(code),
        None => there(),
    });
    watch(stub)
}

fn refusal(code: u16) -> StubResponse {
    match code {
        0 => StubResponse::Silence,
        code => StubResponse::Code(code),
    }
}

fn watch(stub: StubApiServer) -> Watched {
    let changed = Arc::new(Notify::new());
    let mut watches = Watches::new(stub.client(), changed.clone(), CancellationToken::new());
    Watched {
        cache: watches.typed(Some("istio-system"), Selector::default()),
        stub,
        changed,
        began: Instant::now(),
        _watches: watches,
    }
}

impl Watched {
    /// Every request until now, and when it came, in whole seconds.
    fn requests(&self) -> Vec<(String, u64)> {
        let asked = self.stub.asked(&["LIST", "WATCH"]);
        asked
            .into_iter()
            .map(|one| {
                (
                    one.verb.to_lowercase(),
                    one.at.duration_since(self.began).as_secs(),
                )
            })
            .collect()
    }

    fn known(&self) -> ReadResult<Vec<String>> {
        self.cache.read(|one| Some(one.name_any()))
    }

    /// The verb of every request until now.
    fn verbs(&self) -> Vec<String> {
        self.requests().into_iter().map(|(verb, _)| verb).collect()
    }

    /// What is known after the next change, and when that was, in whole seconds.
    async fn next(&self) -> (ReadResult<Vec<String>>, u64) {
        self.changed.notified().await;
        (self.known(), self.began.elapsed().as_secs())
    }

    /// Goes on until so many seconds have passed since the beginning; `true` if there was news.
    async fn until(&self, seconds: u64) -> bool {
        let end = self.began + Duration::from_secs(seconds);
        tokio::time::sleep_until(end).await;
        self.changed.notified().now_or_never().is_some()
    }
}

fn forbidden(verb: &'static str) -> ReadResult<Vec<String>> {
    Err(ReadError::Forbidden {
        verb,
        resource: "configmaps".to_owned(),
        namespace: Some("istio-system".to_owned()),
    })
}

fn absent() -> ReadResult<Vec<String>> {
    Err(ReadError::Absent {
        resource: "configmaps".to_owned(),
    })
}

fn failed(message: &str) -> ReadResult<Vec<String>> {
    Err(ReadError::Failed {
        what: "configmaps".to_owned(),
        message: message.to_owned(),
    })
}

fn istio() -> Vec<String> {
    vec!["istio".to_owned()]
}

#[rstest]
#[case::forbidden(403, forbidden(LIST))]
#[case::not_installed(404, absent())]
#[case::gone(410, failed("the API server can't go on from the last known version (no)"))]
#[case::broken(500, failed("the API server answers with status 500: no"))]
#[tokio::test(start_paused = true)]
async fn a_list_that_fails_is_tried_again_and_is_news_once(
    #[case] code: u16,
    #[case] known: ReadResult<Vec<String>>,
) {
    let stub = StubApiServer::new();
    stub.list(PATH, refusal(code));
    let watched = watch(stub);
    assert_eq!(watched.known(), failed("it has not been listed yet"));
    assert_eq!(watched.next().await, (known, 0));
    assert!(!watched.until(120).await);
    let verbs = watched.verbs();
    assert!(
        verbs.len() > 5 && verbs.iter().all(|verb| verb == LIST),
        "{verbs:?}"
    );
    watched.stub.list(PATH, there());
    let (known, at) = watched.next().await;
    assert_eq!(known, Ok(istio()));
    assert!((120..=140).contains(&at), "{at}");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_not_answered_is_not_waited_for() {
    let watched = watched(&[(LIST, &[0])]);
    assert_eq!(
        watched.next().await,
        (failed("the API server sent nothing for 20 s"), 20)
    );
    let (known, at) = watched.next().await;
    assert_eq!(known, Ok(istio()));
    assert!((20..=21).contains(&at), "{at}");
}

#[tokio::test(start_paused = true)]
async fn a_refused_watch_is_news_once_and_back_when_it_begins() {
    let log = ThreadLog::begin();
    let watched = watched(&[(WATCH, &[403; 2])]);
    sleep(Duration::from_millis(400)).await;
    assert_eq!(watched.known(), forbidden(WATCH));
    assert!(watched.until(10).await);
    assert_eq!(watched.verbs(), [LIST, WATCH, LIST, WATCH, LIST, WATCH]);
    assert_eq!(watched.known(), Ok(istio()));
    assert_eq!(log.lines_with("watch failed and is tried again").len(), 1);
    assert_eq!(log.lines_with("watch is back").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_a_watch_that_had_listed_leaves_what_is_known() {
    let watched = watched(&[(WATCH, &[500; 2])]);
    assert_eq!(watched.next().await, (Ok(istio()), 0));
    assert!(!watched.until(100).await);
    assert_eq!(watched.verbs(), [LIST, WATCH, WATCH, WATCH]);
    assert_eq!(watched.known(), Ok(istio()));
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_comes_too_late_lists_anew() {
    let watched = watched(&[(WATCH, &[410])]);
    assert_eq!(watched.next().await, (Ok(istio()), 0));
    watched.until(100).await;
    assert_eq!(watched.verbs(), [LIST, WATCH, LIST, WATCH]);
    assert_eq!(watched.known(), Ok(istio()));
}

#[rstest]
#[case::broken(500)]
#[case::silent(0)]
#[tokio::test(start_paused = true)]
async fn what_is_neither_listed_nor_watched_any_more_is_not_known(#[case] code: u16) {
    let watched = watched(&[(WATCH, &[code; 20])]);
    assert_eq!(watched.next().await, (Ok(istio()), 0));
    watched.stub.list(PATH, refusal(code));
    let (known, at) = watched.next().await;
    assert!(matches!(known, Err(ReadError::Failed { .. })), "{known:?}");
    assert!((60..=185).contains(&at), "{at}");
    watched.stub.list(PATH, there());
    assert_eq!(watched.next().await.0, Ok(istio()));
}

#[tokio::test(start_paused = true)]
async fn an_object_that_can_not_be_decoded_leaves_nothing_known_but_its_metadata() {
    let stub = StubApiServer::new();
    stub.list(PATH, StubResponse::Items(vec![config_map(&json!({"mesh": 7}))]));
    let watched = watch(stub);
    let (known, _) = watched.next().await;
    let Err(ReadError::Undecodable { resource, name, .. }) = known else {
        panic!("{known:?}");
    };
    assert_eq!(
        (resource.as_str(), name),
        ("configmaps", ObjectName::new("istio-system", "istio"))
    );
    let (read, unread) = watched.cache.decoded_and_undecodable().unwrap();
    assert_eq!(read, []);
    let uids: Vec<_> = unread.into_iter().map(|one| one.metadata.uid).collect();
    assert_eq!(uids, [Some("u".to_owned())]);
    assert_eq!(watched.cache.undecodable_count(), ("configmaps", 1));
    assert_eq!(watched.cache.version().as_deref(), Some("1"));
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_need_not_be_installed_has_no_objects_without_its_definition() {
    let stub = StubApiServer::new();
    stub.list(TELEMETRIES, StubResponse::Code(404));
    let mut watches = Watches::new(stub.client(), Arc::default(), CancellationToken::new());
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("telemetry.istio.io", "v1", "Telemetry"));
    let cache = watches.dynamic(&resource, None, Selector::default(), MissingKind::IsEmpty);
    sleep(Duration::from_millis(10)).await;
    assert_eq!(cache.read(|one| Some(one.name_any())), Ok(Vec::new()));
}
