//! When the status of a resource is written: news at once, counts now and then, and ever later while it can't be.

use std::time::Duration;

use alscope_plan::api::{MeshObservability, MeshObservabilityStatus};
use tokio::time::Instant;
use tracing::warn;

use crate::report;

use super::pass::{AFTER_CONFLICT, retry_after};
use super::{Operator, SOON};

/// How often a status is written of which only counts have changed: in a rollout they do so several times a second.
pub(super) const COUNTS_EVERY: Duration = Duration::from_secs(5);
/// When it is tried again at the latest.
const LAST_RETRY: Duration = Duration::from_secs(30);

/// When a resource's status may be written again.
#[derive(Debug)]
pub(super) struct Told {
    not_before: Instant,
    /// How often in a row it could not be written.
    failures: u32,
}

impl Operator {
    /// Writes the status if it is due. Returns the newest version of the resource and when counts are due that are not written
    /// yet, or, when it could not be written, when to look again.
    pub(super) async fn report_status(
        &mut self,
        resource: &MeshObservability,
        status: &MeshObservabilityStatus,
    ) -> Result<(MeshObservability, Duration), Duration> {
        let (uid, now) = (resource.uid(), Instant::now());
        let wait = self.statuses.get(uid).map_or(Duration::ZERO, |told| {
            told.not_before.saturating_duration_since(now)
        });
        let failures = self.statuses.get(uid).map_or(0, |told| told.failures);
        let previous = resource.status.clone().unwrap_or_default();
        if previous == *status {
            return Ok((resource.clone(), Duration::MAX));
        }
        if wait > Duration::ZERO && failures > 0 {
            return Err(wait);
        }
        if wait > Duration::ZERO && !report::is_news(&previous, status) {
            return Ok((resource.clone(), wait));
        }
        match self.report.status(resource.clone(), status).await {
            Ok(newest) => {
                self.wait_with_status(uid, COUNTS_EVERY, 0);
                Ok((newest, Duration::MAX))
            }
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Err(AFTER_CONFLICT),
            Err(_) if !self.leadership.holds() => Err(SOON),
            Err(error) => {
                let pause = retry_after(failures).min(LAST_RETRY);
                warn!(%error, resource = %resource.name(), again_in = ?pause, "the status can't be written; check the right to patch meshobservabilities/status");
                self.wait_with_status(uid, pause, failures + 1);
                Err(pause)
            }
        }
    }

    fn wait_with_status(&mut self, uid: &str, pause: Duration, failures: u32) {
        let told = Told {
            not_before: Instant::now() + pause,
            failures,
        };
        self.statuses.insert(uid.to_owned(), told);
    }
}
