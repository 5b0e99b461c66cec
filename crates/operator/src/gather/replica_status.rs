//! Polls the replicas of the collectors for what they have received, on their admin ports.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use alscope_plan::plan::settings::ADMIN_PORT;
use alscope_plan::world::ReplicaStatus;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// How often the replicas are polled.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
/// How many replicas are polled at once.
const MAX_CONCURRENT_REQUESTS: usize = 16;

/// What replicas have received, by address.
pub type PolledStatuses = Arc<Mutex<HashMap<String, ReplicaStatus>>>;

/// The last answers.
#[derive(Clone, Debug)]
pub struct ReplicaPoller {
    last: PolledStatuses,
    /// Asks one replica, and waits for its answer.
    ask: fn(&str) -> Option<ReplicaStatus>,
    /// What replicas are known to say, where none is asked.
    known: Option<PolledStatuses>,
}

impl Default for ReplicaPoller {
    fn default() -> Self {
        Self {
            last: PolledStatuses::default(),
            ask,
            known: None,
        }
    }
}

impl ReplicaPoller {
    /// Replicas that nobody asks: they say what stands here.
    pub fn known(replica_statuses: PolledStatuses) -> Self {
        Self {
            known: Some(replica_statuses),
            ..Self::default()
        }
    }

    /// What a replica said last.
    pub fn get(&self, address: &str) -> Option<ReplicaStatus> {
        self.last.lock().get(address).copied()
    }

    /// Polls the replicas that are named, every few seconds and as soon as others are named, until `ending`.
    pub async fn keep(self, mut named: watch::Receiver<Vec<String>>, ending: CancellationToken) {
        loop {
            let addresses = named.borrow_and_update().clone();
            let asking = async {
                self.refresh(addresses).await;
                sleep(POLL_INTERVAL).await;
            };
            tokio::select! {
                biased;
                () = ending.cancelled() => return,
                changed = named.changed() => if changed.is_err() {
                    // Nobody is there who could name others: the end comes.
                    ending.cancelled().await;
                    return;
                },
                () = asking => {}
            }
        }
    }

    /// Polls these replicas, and forgets the others. Each answer is known as soon as it comes.
    async fn refresh(&self, addresses: Vec<String>) {
        if let Some(known) = &self.known {
            let known = known.lock().clone();
            let known = known
                .into_iter()
                .filter(|(address, _)| addresses.contains(address));
            *self.last.lock() = known.collect();
            return;
        }
        self.last.lock().retain(|address, _| addresses.contains(address));
        let mut waiting = addresses.into_iter();
        let mut asked = JoinSet::new();
        loop {
            while asked.len() < MAX_CONCURRENT_REQUESTS
                && let Some(address) = waiting.next()
            {
                let ask = self.ask;
                asked.spawn_blocking(move || {
                    let answer = ask(&address);
                    (address, answer)
                });
            }
            match asked.join_next().await {
                Some(Ok((address, Some(intake)))) => {
                    self.last.lock().insert(address, intake);
                }
                Some(Ok((address, None))) => {
                    self.last.lock().remove(&address);
                }
                Some(Err(error)) => warn!(%error, "a collector could not be asked"),
                None => return,
            }
        }
    }
}

fn ask(address: &str) -> Option<ReplicaStatus> {
    let host = if address.contains(':') {
        format!("[{address}]")
    } else {
        address.to_owned()
    };
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(REQUEST_TIMEOUT))
        .build();
    let mut response = ureq::Agent::new_with_config(config)
        .get(format!("http://{host}:{ADMIN_PORT}/intake"))
        .call()
        .ok()?;
    response.body_mut().read_json().ok()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    impl ReplicaPoller {
        /// Asks in this way instead.
        pub(crate) fn asking(ask: fn(&str) -> Option<ReplicaStatus>) -> Self {
            Self {
                ask,
                ..Self::default()
            }
        }
    }

    /// Has received as many entries as its address says; `dead` does not answer.
    fn entries(address: &str) -> Option<ReplicaStatus> {
        let Ok(entries_received) = address.parse() else {
            let (_never, answer) = mpsc::channel();
            return answer.recv_timeout(REQUEST_TIMEOUT).ok();
        };
        Some(ReplicaStatus {
            entries_received,
            ..ReplicaStatus::default()
        })
    }

    /// Waits until this is so, at most a while.
    async fn until(what: impl Fn() -> bool) {
        let waited = async {
            while !what() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), waited)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn an_answer_is_known_while_others_are_waited_for_and_forgotten_with_its_replica() {
        let replica_poller = ReplicaPoller::asking(entries);
        let addresses = |all: &[&str]| all.iter().map(|&one| one.to_owned()).collect::<Vec<_>>();
        let (named, asked) = watch::channel(addresses(&["dead", "7"]));
        let ending = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(replica_poller.clone().keep(asked, ending.clone()));
        let received = |address: &str| replica_poller.get(address).map(|intake| intake.entries_received);
        until(|| received("7") == Some(7)).await;
        assert_eq!(received("dead"), None);
        named.send_replace(addresses(&["8"]));
        until(|| received("8") == Some(8)).await;
        assert_eq!(received("7"), None);
        ending.cancel();
        tasks.join_all().await;
    }

    /// Replicas that are being asked now, and the most that were asked at a time.
    static ASKED: (AtomicUsize, AtomicUsize) = (AtomicUsize::new(0), AtomicUsize::new(0));

    /// Answers once as many are asked as may be, and a moment later, in which one more would be seen.
    #[expect(clippy::unnecessary_wraps, reason = "some replicas do not answer")]
    fn late(_: &str) -> Option<ReplicaStatus> {
        let (now, most) = &ASKED;
        most.fetch_max(1 + now.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
        let (_never, moment) = mpsc::channel::<()>();
        while most.load(Ordering::SeqCst) < MAX_CONCURRENT_REQUESTS {
            moment.recv_timeout(Duration::from_millis(1)).ok();
        }
        moment.recv_timeout(Duration::from_millis(100)).ok();
        now.fetch_sub(1, Ordering::SeqCst);
        Some(ReplicaStatus::default())
    }

    #[tokio::test]
    async fn no_more_replicas_are_asked_at_a_time_than_the_bound_says() {
        let replica_poller = ReplicaPoller::asking(late);
        let addresses: Vec<String> = (0..3 * MAX_CONCURRENT_REQUESTS)
            .map(|one| one.to_string())
            .collect();
        let refreshed = replica_poller.refresh(addresses.clone());
        tokio::time::timeout(Duration::from_secs(30), refreshed)
            .await
            .unwrap();
        assert!(addresses.iter().all(|one| replica_poller.get(one).is_some()));
        assert_eq!(ASKED.1.load(Ordering::SeqCst), MAX_CONCURRENT_REQUESTS);
    }

    #[tokio::test]
    async fn what_is_known_of_replicas_is_said_of_those_that_are_named() {
        let said = |entries_received: u64| ReplicaStatus {
            entries_received,
            ..ReplicaStatus::default()
        };
        let known = HashMap::from([("a".to_owned(), said(1)), ("b".to_owned(), said(2))]);
        let replica_poller = ReplicaPoller::known(Arc::new(Mutex::new(known)));
        let (_named, asked) = watch::channel(vec!["b".to_owned(), "c".to_owned()]);
        let ending = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(replica_poller.clone().keep(asked, ending.clone()));
        until(|| replica_poller.get("b").is_some()).await;
        let all = ["a", "b", "c"].map(|address| replica_poller.get(address));
        assert_eq!(all, [None, Some(said(2)), None]);
        ending.cancel();
        tasks.join_all().await;
    }

    /// A replica on an address of its own: the admin port is the same for all.
    #[tokio::test]
    async fn a_replica_is_asked_on_its_admin_port() {
        const ADDRESS: &str = "127.83.21.5";
        let replica = tokio::net::TcpListener::bind((ADDRESS, ADMIN_PORT))
            .await
            .unwrap();
        let answer = || axum::Json(serde_json::json!({"entriesReceived": 7, "messagesRejected": 2}));
        let router = axum::Router::new().route("/intake", axum::routing::get(async move || answer()));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(replica, router).await.unwrap() });
        let intake = tokio::task::spawn_blocking(|| ask(ADDRESS)).await.unwrap();
        assert_eq!(
            intake,
            Some(ReplicaStatus {
                entries_received: 7,
                messages_rejected: 2,
                last_entry_at: None,
            })
        );
    }
}
