//! When the status of a resource is written: a significant change at once, counts every few seconds, and after failures ever later.

use std::time::Duration;

use alscope_plan::api::{MeshObservability, MeshObservabilityStatus};
use tokio::time::Instant;
use tracing::warn;

use crate::report;

use super::operator::{Operator, StatusSchedule};
use super::retry::{CONFLICT_RETRY_DELAY, POLL_INTERVAL, retry_delay};

/// How often a status is written of which only counts have changed. In a rollout they change several times a second.
pub(super) const COUNTS_INTERVAL: Duration = Duration::from_secs(5);
/// The longest pause until a failed write of the status is tried again.
const MAX_STATUS_RETRY_DELAY: Duration = Duration::from_secs(30);

impl Operator {
    /// Writes the status if it is due. Returns the newest version of the resource, and when counts that were held back are due. If the
    /// status could not be written, the error says when to look again.
    pub(super) async fn report_status(
        &mut self,
        resource: &MeshObservability,
        status: &MeshObservabilityStatus,
    ) -> Result<(MeshObservability, Duration), Duration> {
        let (uid, now) = (resource.uid(), Instant::now());
        let wait = self.statuses.get(uid).map_or(Duration::ZERO, |schedule| {
            schedule.not_before.saturating_duration_since(now)
        });
        let failures = self.statuses.get(uid).map_or(0, |schedule| schedule.failures);
        let previous = resource.status.clone().unwrap_or_default();
        if previous == *status {
            return Ok((resource.clone(), Duration::MAX));
        }
        if wait > Duration::ZERO && failures > 0 {
            return Err(wait);
        }
        if wait > Duration::ZERO && !report::is_significant(&previous, status) {
            return Ok((resource.clone(), wait));
        }
        match self.report.status(resource.clone(), status).await {
            Ok(newest) => {
                self.wait_with_status(uid, COUNTS_INTERVAL, 0);
                Ok((newest, Duration::MAX))
            }
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Err(CONFLICT_RETRY_DELAY),
            Err(_) if !self.leadership.holds() => Err(POLL_INTERVAL),
            Err(error) => {
                let pause = retry_delay(failures).min(MAX_STATUS_RETRY_DELAY);
                warn!(%error, resource = %resource.name(), requeue_after = ?pause, "the status can't be written; check the right to patch meshobservabilities/status");
                self.wait_with_status(uid, pause, failures + 1);
                Err(pause)
            }
        }
    }

    fn wait_with_status(&mut self, uid: &str, pause: Duration, failures: u32) {
        let schedule = StatusSchedule {
            not_before: Instant::now() + pause,
            failures,
        };
        self.statuses.insert(uid.to_owned(), schedule);
    }
}
