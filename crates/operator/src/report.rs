//! Writes the status of resources, and publishes events for its changes.

use std::collections::HashMap;
use std::fmt;

use alscope_plan::api::{MeshObservability, MeshObservabilityStatus};
use alscope_plan::plan::events::{ResourceEvent, transition_events};
use alscope_plan::world::OPERATOR_NAME;
use kube::api::{Patch, PatchParams};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Api, Client, Resource as _};
use serde_json::json;
use tracing::{info, warn};

/// Writes status and events for one operator.
pub struct StatusReporter {
    client: Client,
    events: Recorder,
    /// The last event that a plan asked for, by the uid of the resource.
    last_events: HashMap<String, ResourceEvent>,
}

impl fmt::Debug for StatusReporter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("StatusReporter").finish_non_exhaustive()
    }
}

impl StatusReporter {
    /// A reporter with the name of this pod. The client sends nothing while this operator does not lead.
    pub fn new(client: Client, pod: &str) -> Self {
        let reporter = Reporter {
            controller: OPERATOR_NAME.to_owned(),
            instance: Some(pod.to_owned()),
        };
        Self {
            events: Recorder::new(client.clone(), reporter),
            last_events: HashMap::new(),
            client,
        }
    }

    /// Writes the status if it differs, guarded by the resourceVersion. Returns the newest version of the resource.
    pub async fn status(
        &self,
        resource: MeshObservability,
        status: &MeshObservabilityStatus,
    ) -> Result<MeshObservability, kube::Error> {
        let previous = resource.status.clone().unwrap_or_default();
        if previous == *status {
            return Ok(resource);
        }
        let api: Api<MeshObservability> = Api::all(self.client.clone());
        let name = resource.name().to_owned();
        // A JSON merge patch leaves fields that are not named; what is gone must be named as null.
        let mut value = serde_json::to_value(status).map_err(kube::Error::SerdeError)?;
        add_nulls_for_removed(
            &mut value,
            &serde_json::to_value(&previous).map_err(kube::Error::SerdeError)?,
        );
        let patch =
            json!({"metadata": {"resourceVersion": resource.metadata.resource_version}, "status": value});
        let written = api
            .patch_status(&name, &PatchParams::default(), &Patch::Merge(patch))
            .await?;
        self.publish_transitions(&written, &previous, status).await;
        Ok(written)
    }

    async fn publish_transitions(
        &self,
        resource: &MeshObservability,
        previous: &MeshObservabilityStatus,
        status: &MeshObservabilityStatus,
    ) {
        for event in transition_events(previous, status) {
            info!(resource = resource.metadata.name, reason = %event.reason, "{}", event.message);
            self.publish(resource, event.is_warning, &event.reason, &event.message)
                .await;
        }
    }

    /// Publishes an event of a plan, unless it is the last one that was published for the resource.
    pub async fn publish_once(&mut self, resource: &MeshObservability, event: &ResourceEvent) {
        if self.last_events.get(resource.uid()) == Some(event) {
            return;
        }
        self.last_events.insert(resource.uid().to_owned(), event.clone());
        info!(resource = resource.metadata.name, reason = %event.reason, "{}", event.message);
        self.publish(resource, event.is_warning, &event.reason, &event.message)
            .await;
    }

    /// Publishes one event. A failure is only logged.
    pub async fn publish(&self, resource: &MeshObservability, is_warning: bool, reason: &str, message: &str) {
        const MAX_NOTE_BYTES: usize = 1_000;
        let end = message.floor_char_boundary(MAX_NOTE_BYTES);
        let event = Event {
            type_: if is_warning {
                EventType::Warning
            } else {
                EventType::Normal
            },
            reason: reason.to_owned(),
            note: message.get(..end).map(str::to_owned),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        if let Err(error) = self.events.publish(&event, &resource.object_ref(&())).await {
            warn!(%error, reason, "an event could not be published; check the right to create events");
        }
    }
}

/// Whether two statuses differ in more than counts and messages.
pub fn is_significant(previous: &MeshObservabilityStatus, next: &MeshObservabilityStatus) -> bool {
    without_counts(previous) != without_counts(next)
}

fn without_counts(status: &MeshObservabilityStatus) -> MeshObservabilityStatus {
    let mut status = status.clone();
    status.proxies = None;
    if let Some(restarts) = &mut status.restarts {
        restarts.waiting_for.clear();
        (restarts.restarted, restarts.outstanding, restarts.waiting) = (0, 0, 0);
    }
    if let Some(collector) = &mut status.collector {
        collector.ready_replicas = 0;
    }
    for condition in &mut status.conditions {
        condition.message.clear();
    }
    status
}

/// Adds null to `next` for each field that only `previous` has, at every depth of objects.
fn add_nulls_for_removed(next: &mut serde_json::Value, previous: &serde_json::Value) {
    let (Some(next), Some(previous)) = (next.as_object_mut(), previous.as_object()) else {
        return;
    };
    for (key, value) in previous {
        match next.get_mut(key) {
            Some(next) => add_nulls_for_removed(next, value),
            None => {
                next.insert(key.clone(), serde_json::Value::Null);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    #[rstest]
    #[case::proxies(json!({"proxies": {"summary": "2/3", "total": 3, "upToDate": 2, "pendingRestart": 1}}), false)]
    #[case::replicas(json!({"collector": {"address": "c:1", "image": "i", "replicas": 2, "readyReplicas": 2}}), false)]
    #[case::message(json!({"conditions": [{"type": "Ready", "status": "True", "reason": "Ready", "message": "2", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}), false)]
    #[case::reason(json!({"conditions": [{"type": "Ready", "status": "True", "reason": "Other", "message": "1", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}), true)]
    #[case::status(json!({"conditions": [{"type": "Ready", "status": "False", "reason": "Ready", "message": "1", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}), true)]
    #[case::wanted_replicas(json!({"collector": {"address": "c:1", "image": "i", "replicas": 3, "readyReplicas": 1}}), true)]
    #[case::mesh(json!({"mesh": {"configMaps": [{"revision": "default", "name": "a/b", "wired": false}]}}), true)]
    #[case::drain(json!({"drainingSince": "2026-01-01T00:00:00Z"}), true)]
    #[case::generation(json!({"observedGeneration": 2}), true)]
    #[case::restarted(json!({"restarts": {"restarted": 2, "outstanding": 0, "waiting": 1, "waitingFor": [{"kind": "Pod", "namespace": "a", "name": "b", "reason": "c", "command": "d"}]}}), false)]
    #[case::under_way(json!({"restarts": {"restarted": 1, "outstanding": 1, "waiting": 0, "underWay": ["a/b (Deployment)"]}}), true)]
    #[case::stopped(json!({"restarts": {"restarted": 1, "outstanding": 1, "waiting": 0, "stopped": "look"}}), true)]
    fn counts_and_messages_are_no_news(#[case] change: Value, #[case] expected: bool) {
        let mut value = json!({
            "observedGeneration": 1,
            "proxies": {"summary": "1/3", "total": 3, "upToDate": 1, "pendingRestart": 2},
            "collector": {"address": "c:1", "image": "i", "replicas": 2, "readyReplicas": 1},
            "conditions": [{"type": "Ready", "status": "True", "reason": "Ready", "message": "1", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
            "mesh": {"configMaps": [{"revision": "default", "name": "a/b", "wired": true}]},
            "restarts": {"restarted": 1, "outstanding": 1, "waiting": 0},
        });
        let previous: MeshObservabilityStatus = serde_json::from_value(value.clone()).unwrap();
        for (key, changed) in change.as_object().unwrap() {
            value[key] = changed.clone();
        }
        let next: MeshObservabilityStatus = serde_json::from_value(value).unwrap();
        assert_ne!(previous, next);
        assert_eq!(is_significant(&previous, &next), expected);
    }

    #[test]
    fn what_is_gone_is_named_at_every_depth() {
        let mut next = json!({"mesh": {"resets": [1]}, "state": "Ready"});
        let previous =
            json!({"mesh": {"contention": {"manager": "helm"}, "resets": []}, "drainingSince": "t"});
        add_nulls_for_removed(&mut next, &previous);
        assert_eq!(
            next,
            json!({"mesh": {"resets": [1], "contention": null}, "state": "Ready", "drainingSince": null})
        );
    }
}
