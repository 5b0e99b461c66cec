use std::collections::{HashMap, VecDeque};

use axum::extract::{Query, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use futures::FutureExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client, ResourceExt as _};
use rstest::rstest;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::gather::cache::{Cache, Watches};
use crate::world::Read;

use super::*;

/// An API server with the ConfigMap `istio`: refuses the first requests of a verb with these codes and says when each came.
#[derive(Clone)]
struct ApiServer {
    refusals: Arc<Mutex<HashMap<&'static str, VecDeque<u16>>>>,
    asked: mpsc::Sender<(&'static str, Instant)>,
}

async fn answer(Shared(server): Shared<ApiServer>, Query(query): Query<HashMap<String, String>>) -> Response {
    let verb = if query.contains_key("watch") { WATCH } else { LIST };
    server.asked.try_send((verb, Instant::now())).unwrap();
    let refusal = server
        .refusals
        .lock()
        .unwrap()
        .get_mut(verb)
        .and_then(VecDeque::pop_front);
    match refusal {
        Some(code) => {
            let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "no", "code": code});
            (StatusCode::from_u16(code).unwrap(), Json(status)).into_response()
        }
        // Nothing happens.
        None if verb == WATCH => {
            let silence = futures::stream::pending::<Result<String, std::convert::Infallible>>();
            axum::body::Body::from_stream(silence).into_response()
        }
        None => {
            let items =
                json!([{"metadata": {"name": "istio", "namespace": "istio-system", "resourceVersion": "1"}}]);
            let list = json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items});
            Json(list).into_response()
        }
    }
}

struct Watched {
    cache: Cache<ConfigMap>,
    changed: Arc<Notify>,
    asked: mpsc::Receiver<(&'static str, Instant)>,
    began: Instant,
    _watches: Watches,
}

/// A watch of ConfigMaps that the API server refuses so many times with these codes.
fn watched(refusals: &[(&'static str, &[u16])]) -> Watched {
    let refusals = refusals
        .iter()
        .map(|(verb, codes)| (*verb, codes.iter().copied().collect()));
    let (asked, taken) = mpsc::channel(16);
    let server = ApiServer {
        refusals: Arc::new(Mutex::new(refusals.collect())),
        asked,
    };
    let client = Client::new(Router::new().fallback(answer).with_state(server), "default");
    let changed = Arc::new(Notify::new());
    let mut watches = Watches::new(changed.clone(), CancellationToken::new());
    let namespace = "istio-system";
    let api = Api::namespaced(client, namespace);
    Watched {
        cache: watches.typed(api, watcher::Config::default(), Some(namespace)),
        changed,
        asked: taken,
        began: Instant::now(),
        _watches: watches,
    }
}

impl Watched {
    /// When the next requests came, in whole seconds.
    async fn requests(&mut self, count: usize) -> Vec<(&'static str, u64)> {
        let mut requests = Vec::new();
        while requests.len() < count {
            let (verb, at) = self.asked.recv().await.unwrap();
            requests.push((verb, at.duration_since(self.began).as_secs()));
        }
        requests
    }

    /// What is known after the next change, and when that was, in whole seconds.
    async fn next(&self) -> (Read<Vec<String>>, u64) {
        self.changed.notified().await;
        let known = self.cache.read();
        let names = known.map(|all| all.iter().map(|one| one.name_any()).collect());
        (names, self.began.elapsed().as_secs())
    }

    fn is_news(&self) -> bool {
        self.changed.notified().now_or_never().is_some()
    }
}

fn forbidden(verb: &'static str) -> Read<Vec<String>> {
    Err(ReadError::Forbidden {
        verb,
        resource: "configmaps".to_owned(),
        namespace: Some("istio-system".to_owned()),
    })
}

fn istio() -> Vec<String> {
    vec!["istio".to_owned()]
}

#[rstest]
#[case::forbidden(403, forbidden(LIST))]
#[case::not_installed(404, Ok(Vec::new()))]
#[tokio::test(start_paused = true)]
async fn a_refused_list_is_tried_ever_later_and_is_news_once(
    #[case] code: u16,
    #[case] known: Read<Vec<String>>,
) {
    let mut watched = watched(&[(LIST, &[code; 8])]);
    assert_eq!(watched.next().await, (known, 0));
    let times = [0, 1, 3, 7, 15, 31, 61, 91];
    assert_eq!(watched.requests(8).await, times.map(|second| (LIST, second)));
    assert!(!watched.is_news());
    assert_eq!(watched.next().await, (Ok(istio()), 121));
}

#[tokio::test(start_paused = true)]
async fn a_refused_watch_is_news_once_and_back_when_it_stands() {
    let mut watched = watched(&[(WATCH, &[403; 2])]);
    assert_eq!(watched.requests(3).await, [(LIST, 0), (WATCH, 0), (LIST, 1)]);
    assert_eq!(watched.next().await, (forbidden(WATCH), 1));
    assert_eq!(watched.requests(3).await, [(WATCH, 1), (LIST, 3), (WATCH, 3)]);
    assert!(!watched.is_news());
    assert_eq!(watched.next().await, (Ok(istio()), 8));
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_fails_is_asked_again_at_once_but_the_same_failure_is_no_news() {
    let mut watched = watched(&[(LIST, &[500; 3])]);
    let (known, _) = watched.next().await;
    let failed = matches!(&known, Err(ReadError::Failed { what, .. }) if what == "configmaps");
    assert!(failed, "{known:?}");
    let requests = watched.requests(3).await;
    assert!(requests.iter().all(|(_, second)| *second < 10), "{requests:?}");
    assert!(!watched.is_news());
    assert_eq!(watched.next().await.0, Ok(istio()));
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_a_watch_that_had_listed_leaves_what_is_known() {
    let mut watched = watched(&[(WATCH, &[500; 2])]);
    assert_eq!(watched.next().await, (Ok(istio()), 0));
    watched.requests(4).await;
    assert!(!watched.is_news());
    assert_eq!(watched.cache.read().map(|all| all.len()), Ok(1));
}
