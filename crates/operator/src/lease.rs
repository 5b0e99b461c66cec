//! Leader election by a Lease: one operator writes. What really guards each write is its resourceVersion.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::clock::Clock;

/// The Lease's name.
pub const NAME: &str = "alscope-operator";

/// Who wants to lead, and for how long one renewal holds.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The operator's namespace.
    pub namespace: String,
    /// This pod, or whatever tells two operators apart.
    pub identity: String,
    /// How long a leader that is gone is waited for.
    pub duration: Duration,
    /// What times in the Lease are read from.
    pub clock: Clock,
}

/// What a Lease says, seen from one candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Nobody holds it, or no longer.
    Free,
    /// The candidate holds it.
    Mine,
    /// Another holds it.
    Taken,
}

impl Candidate {
    /// Takes and renews the Lease until `stopping`, then gives it up. `leads` says whether this operator may write; it turns
    /// false well before another can take the Lease.
    pub async fn run(self, client: Client, leads: watch::Sender<bool>, stopping: CancellationToken) {
        let api: Api<Lease> = Api::namespaced(client, &self.namespace);
        let pause = self.duration / 5;
        let holds_for = self.duration * 2 / 3;
        let mut renewed = None;
        // What was last seen of another's Lease, and since when: clocks of two machines are not compared.
        let mut seen: Option<(Option<String>, Instant)> = None;
        loop {
            match tokio::time::timeout(pause * 2, self.attempt(&api, &mut seen)).await {
                Ok(Ok(true)) => renewed = Some(Instant::now()),
                Ok(Ok(false)) => renewed = None,
                Ok(Err(error)) => {
                    warn!(%error, "the Lease can't be renewed; check the right to get, create and update leases");
                }
                Err(_) => warn!("the API server is too slow to renew the Lease"),
            }
            let is_leader = renewed.is_some_and(|at: Instant| at.elapsed() < holds_for);
            leads.send_if_modified(|leads| {
                let changed = *leads != is_leader;
                if changed {
                    info!(identity = %self.identity, leader = is_leader, "leader election");
                }
                *leads = is_leader;
                changed
            });
            tokio::select! {
                () = stopping.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
            }
        }
        let was_leader = *leads.borrow();
        leads.send_replace(false);
        if was_leader && let Err(error) = self.give_up(&api).await {
            warn!(%error, "the Lease could not be given up; the next leader waits until it ends");
        }
    }

    /// Takes or renews the Lease; `true` when it is held.
    async fn attempt(
        &self,
        api: &Api<Lease>,
        seen: &mut Option<(Option<String>, Instant)>,
    ) -> Result<bool, kube::Error> {
        let Some(lease) = api.get_opt(NAME).await? else {
            let lease = self.lease(None, self.clock.now());
            return conflict_is_no(api.create(&PostParams::default(), &lease).await);
        };
        let version = lease.metadata.resource_version.clone();
        if seen.as_ref().is_none_or(|(known, _)| *known != version) {
            *seen = Some((version, Instant::now()));
        }
        let unchanged_for = seen.as_ref().map_or(Duration::ZERO, |(_, since)| since.elapsed());
        if self.standing(&lease, unchanged_for) == Standing::Taken {
            return Ok(false);
        }
        let mine = self.lease(Some(&lease), self.clock.now());
        conflict_is_no(api.replace(NAME, &PostParams::default(), &mine).await)
    }

    fn standing(&self, lease: &Lease, unchanged_for: Duration) -> Standing {
        let spec = lease.spec.clone().unwrap_or_default();
        match spec.holder_identity.as_deref() {
            None | Some("") => Standing::Free,
            Some(holder) if holder == self.identity => Standing::Mine,
            Some(_) => {
                let seconds = spec.lease_duration_seconds.unwrap_or(0);
                let duration = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
                if unchanged_for > duration.max(self.duration) {
                    Standing::Free
                } else {
                    Standing::Taken
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
                    name: Some(NAME.to_owned()),
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

    async fn give_up(&self, api: &Api<Lease>) -> Result<(), kube::Error> {
        let mut lease = api.get(NAME).await?;
        if let Some(spec) = &mut lease.spec
            && spec.holder_identity.as_deref() == Some(&self.identity)
        {
            spec.holder_identity = Some(String::new());
            api.replace(NAME, &PostParams::default(), &lease).await?;
        }
        Ok(())
    }
}

/// Another candidate was first.
fn conflict_is_no(written: Result<Lease, kube::Error>) -> Result<bool, kube::Error> {
    match written {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(candidate("b").standing(&lease, seconds(15)), Standing::Taken);
        assert_eq!(candidate("b").standing(&lease, seconds(16)), Standing::Free);
        assert_eq!(candidate("a").standing(&lease, seconds(0)), Standing::Mine);
    }

    #[test]
    fn a_lease_that_was_given_up_is_free() {
        let mut lease = candidate("a").lease(None, Timestamp::UNIX_EPOCH);
        if let Some(spec) = &mut lease.spec {
            spec.holder_identity = Some(String::new());
        }
        assert_eq!(candidate("b").standing(&lease, seconds(0)), Standing::Free);
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
}
