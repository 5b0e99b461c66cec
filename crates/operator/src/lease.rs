//! Leader election by a Lease: only one operator writes, and each write checks that the operator still leads.

pub mod leadership;

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::clock::Clock;

/// The name of the Lease.
pub const LEASE_NAME: &str = "alscope-operator";

/// An operator that wants to lead.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The namespace of the operator.
    pub namespace: String,
    /// The name of this operator, which no other has: that of the pod.
    pub identity: String,
    /// How long a leader may fail to renew the Lease before another takes it.
    pub duration: Duration,
    /// The clock for the times in the Lease.
    pub clock: Clock,
}

/// The state of a Lease, as one candidate sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LeaseState {
    /// Nobody holds the Lease any more.
    Free,
    /// The candidate holds the Lease.
    Held,
    /// Another candidate holds the Lease.
    HeldByOther,
}

impl Candidate {
    /// Takes and renews the Lease until `ending`, then releases it. The caller ends all writes before. `leads` has the time until which
    /// this operator may write. No other may take the Lease for a while after that, so that a write which was sent shortly before has
    /// arrived.
    pub async fn run(self, client: Client, leads: watch::Sender<Option<Instant>>, ending: CancellationToken) {
        let api: Api<Lease> = Api::namespaced(client, &self.namespace);
        let pause = self.duration / 5;
        // What was last seen of another's Lease, and since when: clocks of two machines are not compared.
        let mut seen: Option<(Option<String>, Instant)> = None;
        loop {
            // Others count from an answer that they get later than this.
            let began = Instant::now();
            match timeout(pause * 2, self.attempt(&api, &mut seen)).await {
                Ok(Ok(true)) => self.publish(&leads, Some(began + self.duration * 2 / 3)),
                Ok(Ok(false)) => self.publish(&leads, None),
                Ok(Err(error)) => {
                    warn!(%error, "the Lease can't be renewed; check the right to get, create and update leases");
                }
                Err(_) => warn!("the API server is too slow to renew the Lease"),
            }
            if leads.borrow().is_some_and(|until| until <= Instant::now()) {
                self.publish(&leads, None);
            }
            tokio::select! {
                biased;
                () = ending.cancelled() => break,
                () = sleep_until(began + pause) => {}
            }
        }
        let was_leader = leads.send_replace(None).is_some();
        if was_leader {
            match timeout(pause * 2, self.release(&api)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    warn!(%error, "the Lease could not be given up; the next leader waits until it ends");
                }
                Err(_) => {
                    warn!("the Lease could not be given up in time; the next leader waits until it ends");
                }
            }
        }
    }

    fn publish(&self, leads: &watch::Sender<Option<Instant>>, until: Option<Instant>) {
        let was_leader = leads.send_replace(until).is_some();
        if was_leader != until.is_some() {
            info!(identity = %self.identity, leader = until.is_some(), "leader election");
        }
    }

    /// Takes or renews the Lease. Returns whether the candidate holds it.
    async fn attempt(
        &self,
        api: &Api<Lease>,
        seen: &mut Option<(Option<String>, Instant)>,
    ) -> Result<bool, kube::Error> {
        let Some(lease) = api.get_opt(LEASE_NAME).await? else {
            let lease = self.lease(None, self.clock.now());
            return is_written(api.create(&PostParams::default(), &lease).await);
        };
        let version = lease.metadata.resource_version.clone();
        if seen.as_ref().is_none_or(|(known, _)| *known != version) {
            *seen = Some((version, Instant::now()));
        }
        let unchanged_for = seen.as_ref().map_or(Duration::ZERO, |(_, since)| since.elapsed());
        if self.state(&lease, unchanged_for) == LeaseState::HeldByOther {
            return Ok(false);
        }
        let mine = self.lease(Some(&lease), self.clock.now());
        is_written(api.replace(LEASE_NAME, &PostParams::default(), &mine).await)
    }

    fn state(&self, lease: &Lease, unchanged_for: Duration) -> LeaseState {
        let spec = lease.spec.clone().unwrap_or_default();
        match spec.holder_identity.as_deref() {
            None | Some("") => LeaseState::Free,
            Some(holder) if holder == self.identity => LeaseState::Held,
            Some(_) => {
                let seconds = spec.lease_duration_seconds.unwrap_or(0);
                let duration = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
                if unchanged_for > duration.max(self.duration) {
                    LeaseState::Free
                } else {
                    LeaseState::HeldByOther
                }
            }
        }
    }

    fn lease(&self, previous: Option<&Lease>, now: Timestamp) -> Lease {
        let spec = previous.and_then(|lease| lease.spec.clone()).unwrap_or_default();
        let is_mine = spec.holder_identity.as_deref() == Some(&self.identity);
        let seconds = self.duration.as_secs().max(1);
        Lease {
            metadata: previous.map_or_else(
                || ObjectMeta {
                    name: Some(LEASE_NAME.to_owned()),
                    namespace: Some(self.namespace.clone()),
                    ..ObjectMeta::default()
                },
                |lease| lease.metadata.clone(),
            ),
            spec: Some(LeaseSpec {
                holder_identity: Some(self.identity.clone()),
                lease_duration_seconds: i32::try_from(seconds).ok(),
                acquire_time: if is_mine {
                    spec.acquire_time
                } else {
                    Some(MicroTime(now))
                },
                renew_time: Some(MicroTime(now)),
                lease_transitions: Some(spec.lease_transitions.unwrap_or(0) + i32::from(!is_mine)),
                ..spec
            }),
        }
    }

    async fn release(&self, api: &Api<Lease>) -> Result<(), kube::Error> {
        let mut lease = api.get(LEASE_NAME).await?;
        if let Some(spec) = &mut lease.spec
            && spec.holder_identity.as_deref() == Some(&self.identity)
        {
            spec.holder_identity = Some(String::new());
            api.replace(LEASE_NAME, &PostParams::default(), &lease).await?;
        }
        Ok(())
    }
}

/// Whether the Lease was written; a conflict means that another candidate was first.
fn is_written(written: Result<Lease, kube::Error>) -> Result<bool, kube::Error> {
    match written {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
