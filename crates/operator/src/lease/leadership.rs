//! Whether this operator may write, and a client that checks this before each write.

use std::future::pending;
use std::time::Duration;

use axum::http::{Request, Response};
use kube::Client;
use kube::client::Body;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tower::BoxError;

/// How long a write may take. An admission webhook that does not answer may take ten seconds of it.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// The time until which this operator may write; absent while it may not.
#[derive(Clone, Debug)]
pub struct Leadership(watch::Receiver<Option<Instant>>);

/// Why a write was not sent, or its response not awaited.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteAborted {
    /// Another operator may write, or soon may.
    #[error("this operator does not lead any more, so it writes nothing; the one that leads goes on")]
    NotLeading,
    /// The API server does not answer in time.
    #[error("no answer within {} s; look whether the API server and its admission webhooks are well", WRITE_TIMEOUT.as_secs())]
    Unanswered,
}

impl Leadership {
    /// The leadership that the election decides about.
    pub fn new(until: watch::Receiver<Option<Instant>>) -> Self {
        Self(until)
    }

    /// Whether this operator may write now. It may not after the election has ended, whatever its last result was.
    pub fn holds(&self) -> bool {
        let is_alive = self.0.has_changed().is_ok();
        is_alive && self.0.borrow().is_some_and(|until| Instant::now() < until)
    }

    /// Returns when [`Self::holds`] is no longer `held`.
    pub async fn changed_from(&self, held: bool) {
        let mut until = self.0.clone();
        loop {
            let end = *until.borrow_and_update();
            if self.holds() != held {
                return;
            }
            let ends = async {
                match end {
                    Some(end) if held => sleep_until(end).await,
                    Some(_) | None => pending().await,
                }
            };
            tokio::select! {
                biased;
                changed = until.changed() => if changed.is_err() && !held {
                    // Nobody is left who could make it hold.
                    pending::<()>().await;
                },
                () = ends => {}
            }
        }
    }

    /// A client that sends requests only while this operator may write, and abandons them when it no longer may, with all retries of the
    /// client below.
    pub fn guarded_client(&self, client: &Client) -> Client {
        let namespace = client.default_namespace().to_owned();
        let (leadership, client) = (self.clone(), client.clone());
        let service = tower::service_fn(move |request: Request<Body>| {
            let (leadership, client) = (leadership.clone(), client.clone());
            async move { leadership.send(&client, request).await }
        });
        Client::new(service, namespace)
    }

    async fn send(&self, client: &Client, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        if !self.holds() {
            return Err(WriteAborted::NotLeading.into());
        }
        let answered = async {
            let (head, body) = client.send(request).await?.into_parts();
            let body = body.collect_bytes().await?;
            Ok::<_, kube::Error>(Response::from_parts(head, Body::from(body)))
        };
        tokio::select! {
            biased;
            () = self.changed_from(true) => Err(WriteAborted::NotLeading.into()),
            answer = timeout(WRITE_TIMEOUT, answered) => match answer {
                Ok(answer) => Ok(answer?),
                Err(_) => Err(WriteAborted::Unanswered.into()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::Api;
    use kube::api::PostParams;
    use serde_json::json;

    use crate::stub_api_server::{StubApiServer, StubResponse};

    use super::*;

    fn stub(answer: StubResponse) -> StubApiServer {
        let stub = StubApiServer::new();
        stub.rule(move |_| answer.clone());
        stub
    }

    /// What becomes of a write, and after how many seconds.
    async fn write(stub: &StubApiServer, leadership: &Leadership) -> (Result<(), String>, u64) {
        let api: Api<ConfigMap> =
            Api::namespaced(leadership.guarded_client(&stub.client()), "alscope-system");
        let began = Instant::now();
        let written = api.create(&PostParams::default(), &ConfigMap::default()).await;
        let result = match written {
            Ok(_) => Ok(()),
            Err(kube::Error::Service(error)) => Err(error.to_string()),
            Err(error) => Err(format!("unexpected: {error}")),
        };
        (result, began.elapsed().as_secs())
    }

    fn not_leading() -> Result<(), String> {
        Err(WriteAborted::NotLeading.to_string())
    }

    fn after(seconds: u64) -> Instant {
        Instant::now() + Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_sent_without_leadership() {
        let stub = stub(StubResponse::Object(json!({})));
        let (until, leads) = watch::channel(None);
        let leadership = Leadership::new(leads);
        assert_eq!(write(&stub, &leadership).await.0, not_leading());
        until.send_replace(Some(after(10)));
        assert_eq!(write(&stub, &leadership).await.0, Ok(()));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(write(&stub, &leadership).await.0, not_leading());
        until.send_replace(Some(after(10)));
        drop(until);
        assert_eq!(write(&stub, &leadership).await.0, not_leading());
        assert_eq!(stub.writes().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_in_flight_is_let_go_at_the_deadline() {
        let stub = stub(StubResponse::Silence);
        let (until, leads) = watch::channel(Some(after(10)));
        let leadership = Leadership::new(leads);
        let writing = write(&stub, &leadership);
        let renewing = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            until.send_replace(Some(after(10)));
            pending::<()>().await;
        };
        tokio::select! {
            written = writing => assert_eq!(written, (not_leading(), 15)),
            () = renewing => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_in_flight_is_let_go_when_another_leads() {
        let stub = stub(StubResponse::Silence);
        let (until, leads) = watch::channel(Some(after(10)));
        let leadership = Leadership::new(leads);
        let losing = async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            until.send_replace(None);
            pending::<()>().await;
        };
        tokio::select! {
            written = write(&stub, &leadership) => assert_eq!(written, (not_leading(), 2)),
            () = losing => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_without_an_answer_is_given_up() {
        let (_until, leads) = watch::channel(Some(after(1000)));
        let written = write(&stub(StubResponse::Silence), &Leadership::new(leads)).await;
        assert_eq!(written, (Err(WriteAborted::Unanswered.to_string()), 30));
    }
}
