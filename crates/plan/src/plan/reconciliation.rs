//! What one pass over one resource knows, and what it decides.

use std::time::Duration;

use jiff::Timestamp;

use crate::api::{MeshObservability, MeshObservabilityStatus};
use crate::world::{Backup, World};

use super::conditions::{ConditionState, ConditionStates, with_conditions};
use super::events::ResourceEvent;
use super::refusal::WriteFailure;
use super::settings::OperatorSettings;
use super::step::Step;

/// How often a resource is reconciled when nothing happens.
pub(super) const RESYNC_INTERVAL: Duration = Duration::from_mins(10);
/// How often is checked what no watch reports: the counters of the replicas, and the end of a drain.
pub(super) const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// How often a mesh config that somebody reverted is checked.
pub(super) const REVERT_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// What one pass over one resource knows.
#[derive(Clone, Copy, Debug)]
pub struct Reconciliation<'a> {
    /// The cluster as the operator has read it.
    pub world: &'a World,
    /// The settings that the operator was started with.
    pub settings: &'a OperatorSettings,
    /// The resource to reconcile.
    pub resource: &'a MeshObservability,
    /// The write that failed in the last pass over this resource.
    pub failure: Option<&'a WriteFailure>,
    /// The current time.
    pub now: Timestamp,
}

/// What a pass over one resource decides.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The writes, in order. A write that fails ends the pass.
    pub steps: Vec<Step>,
    /// The new status of the resource.
    pub status: MeshObservabilityStatus,
    /// Events to publish beside those that follow from a change of the status.
    pub events: Vec<ResourceEvent>,
    /// When to reconcile the resource again if nothing happens before.
    pub requeue_after: Duration,
}

impl Reconciliation<'_> {
    /// The address that the proxies of the mesh are to send access logs to, as `host:port`.
    pub(super) fn collector_address(&self) -> String {
        self.settings.address(self.resource.name())
    }

    /// The address that an earlier pass wrote into mesh config.
    pub(super) fn previous_address<'b>(&'b self, backup: Option<&'b Backup>) -> Option<&'b str> {
        match &self.resource.status {
            Some(status) => previous_address(backup, status),
            None => backup.map(|backup| backup.address.as_str()),
        }
    }

    /// A plan that writes nothing but these conditions, on top of `status`.
    pub(super) fn report_only(
        &self,
        status: MeshObservabilityStatus,
        conditions: &ConditionStates,
        requeue_after: Duration,
    ) -> Plan {
        Plan {
            steps: Vec::new(),
            status: with_conditions(status, self.resource, conditions, self.now),
            events: Vec::new(),
            requeue_after,
        }
    }

    /// A plan for a resource of another installation: its status stays as it is.
    pub(super) fn leave_alone(&self, event: ResourceEvent) -> Plan {
        Plan {
            steps: Vec::new(),
            status: self.resource.status.clone().unwrap_or_default(),
            events: vec![event],
            requeue_after: RESYNC_INTERVAL,
        }
    }

    /// A plan for a resource that is not accepted: `others` is the state of all other conditions.
    pub(super) fn not_accepted(&self, accepted: ConditionState, others: &ConditionState) -> Plan {
        let conditions = ConditionStates {
            accepted,
            collector_available: others.clone(),
            mesh_configured: others.clone(),
            proxies_up_to_date: others.clone(),
            data_flowing: others.clone(),
            sending: None,
        };
        self.report_only(MeshObservabilityStatus::default(), &conditions, RESYNC_INTERVAL)
    }
}

/// The address that an earlier pass wrote into mesh config. The status still has it when the backup is lost.
pub(super) fn previous_address<'a>(
    backup: Option<&'a Backup>,
    status: &'a MeshObservabilityStatus,
) -> Option<&'a str> {
    let in_status = || status.backup.as_ref().map(|backup| backup.address.as_str());
    let address = backup.map(|backup| backup.address.as_str()).or_else(in_status);
    address.filter(|address| !address.is_empty())
}
