//! What the operator keeps between passes.

use std::collections::{BTreeMap, HashMap};

use alscope_plan::plan::refusal::WriteFailure;
use alscope_plan::plan::settings::OperatorSettings;
use alscope_plan::world::ObjectName;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::admin::Metrics;
use crate::apply::StepWriter;
use crate::clock::Clock;
use crate::gather::ClusterReader;
use crate::gather::replica_status::ReplicaPoller;
use crate::lease::leadership::Leadership;
use crate::report::StatusReporter;

/// The parts of an operator, and what it remembers of earlier passes.
#[derive(Debug)]
pub(super) struct Operator {
    pub(super) settings: OperatorSettings,
    pub(super) gather: ClusterReader,
    pub(super) writer: StepWriter,
    pub(super) report: StatusReporter,
    pub(super) leadership: Leadership,
    pub(super) stop: CancellationToken,
    pub(super) replica_poller: ReplicaPoller,
    /// Tells the poller the addresses of the replicas.
    pub(super) replicas: watch::Sender<Vec<String>>,
    pub(super) clock: Clock,
    pub(super) metrics: Metrics,
    /// The last failed write of each resource, by the uid of the resource.
    pub(super) failures: HashMap<String, FailedWrite>,
    /// When each status may be written again, by the uid of the resource.
    pub(super) statuses: HashMap<String, StatusSchedule>,
    /// The resourceVersion of each mesh config that the operator has overwritten and not seen changed yet.
    pub(super) overwritten_versions: BTreeMap<ObjectName, String>,
    /// The last message in the log about each mesh whose resource is gone, by the uid of the resource.
    pub(super) reported_orphans: HashMap<String, String>,
}

/// A failed write, and when it is tried again.
#[derive(Debug)]
pub(super) struct FailedWrite {
    pub(super) what: WriteFailure,
    /// How often in a row it has failed.
    pub(super) attempts: u32,
    pub(super) retry_at: Instant,
}

/// When the status of a resource may be written again.
#[derive(Debug)]
pub(super) struct StatusSchedule {
    pub(super) not_before: Instant,
    /// How often in a row it could not be written.
    pub(super) failures: u32,
}

impl Operator {
    /// Whether a pass may continue with its next write.
    pub(super) fn may_write(&self) -> bool {
        self.leadership.holds() && !self.stop.is_cancelled()
    }
}
