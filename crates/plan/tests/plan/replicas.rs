//! How many replicas a collector has, by the resource or by an autoscaler, and who owns that number.

use alscope_plan::world::OwnedKind;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::invariants::assert_deletion_leaves_nothing;

/// The manager under which the operator leaves the number of replicas.
const KEEPER: &str = "alscope-operator-replicas";

/// The number of replicas of an applied Deployment that names none: what it is if somebody else owns it, else the API server's default.
pub(crate) fn default_replicas(kind: OwnedKind, object: &mut Value, known: Option<&Value>) {
    if kind != OwnedKind::Deployment {
        return;
    }
    let known = known.filter(|known| known["metadata"].get("managedFields").is_some());
    if object["spec"].get("replicas").is_none() {
        let replicas = known.map(|known| known["spec"]["replicas"].clone());
        object["spec"]["replicas"] = replicas.unwrap_or(json!(1));
        if let Some(known) = known {
            object["metadata"]["managedFields"] = known["metadata"]["managedFields"].clone();
        }
    }
}

impl Cluster {
    /// Another field manager owns the number of replicas, too; `None` if there is no such Deployment.
    pub(crate) fn keep_replicas(&mut self, uid: &str, replicas: i64) -> Option<()> {
        let deployment = self.owned.iter_mut().find(|owned| owned.uid() == uid)?;
        deployment.object["spec"]["replicas"] = json!(replicas);
        deployment.object["metadata"]["managedFields"] = json!([{"manager": KEEPER}]);
        Some(())
    }

    /// The autoscaler sets a number of replicas.
    fn scale(&mut self, replicas: i64) {
        let all = self.owned.iter_mut();
        for deployment in all.filter(|owned| owned.kind == OwnedKind::Deployment) {
            let generation = deployment.object["metadata"]["generation"].as_i64().unwrap();
            deployment.object["metadata"]["generation"] = json!(generation + 1);
            deployment.object["spec"]["replicas"] = json!(replicas);
            deployment.object["metadata"]["managedFields"] = json!([{"manager": "kube-controller-manager"}]);
        }
    }

    fn replicas(&self) -> Vec<&Value> {
        let deployments = self
            .owned
            .iter()
            .filter(|owned| owned.kind == OwnedKind::Deployment);
        deployments
            .map(|owned| &owned.object["spec"]["replicas"])
            .collect()
    }
}

fn autoscaled() -> Value {
    json!({"collector": {"replicas": 2, "autoscaling": {"minReplicas": 2, "maxReplicas": 5, "targetCPUUtilization": 70}}})
}

#[test]
fn an_autoscaler_takes_over_the_replicas_that_run() {
    let mut cluster = Cluster::wired(&json!({"collector": {"replicas": 4}}));
    cluster.change_spec(&autoscaled());
    cluster.settle();
    assert_eq!(
        cluster.log,
        [
            "KeepReplicas 4",
            "Apply Deployment",
            "Apply HorizontalPodAutoscaler"
        ]
    );
    assert_eq!(cluster.replicas(), [&json!(4)]);
    let autoscaler = cluster
        .owned
        .iter()
        .find(|owned| owned.kind == OwnedKind::HorizontalPodAutoscaler);
    assert_eq!(
        autoscaler.unwrap().object["spec"],
        json!({
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "alscope-collector"},
            "minReplicas": 2, "maxReplicas": 5,
            "metrics": [{"type": "Resource", "resource": {
                "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70},
            }}],
        })
    );
}

#[test]
fn what_an_autoscaler_sets_is_left_and_reported() {
    let mut cluster = Cluster::wired(&autoscaled());
    cluster.scale(5);
    cluster.pass();
    assert_eq!(cluster.condition("CollectorAvailable").0, "False");
    cluster.settle();
    assert_eq!(cluster.log, Vec::<String>::new());
    assert_eq!(cluster.replicas(), [&json!(5)]);
    let (status, _, message) = cluster.condition("CollectorAvailable");
    assert_eq!(
        (status.as_str(), message.as_str()),
        ("True", "5 of 5 replicas take entries")
    );
    let collector = cluster.status().collector.unwrap();
    assert_eq!((collector.replicas, collector.ready_replicas), (5, 5));
    // Another image is applied without a number.
    let mut spec = autoscaled();
    spec["collector"]["image"] = json!("other:1");
    cluster.change_spec(&spec);
    cluster.settle();
    assert_eq!(cluster.log, ["Apply Deployment"]);
    assert_eq!(cluster.replicas(), [&json!(5)]);
    assert_deletion_leaves_nothing(&mut cluster);
}

#[test]
fn an_autoscaler_that_is_turned_off_by_hand_is_named() {
    let mut cluster = Cluster::wired(&autoscaled());
    cluster.scale(0);
    cluster.settle();
    let (status, reason, message) = cluster.condition("CollectorAvailable");
    assert_eq!(
        (status.as_str(), reason.as_str()),
        ("False", "CollectorScaledToZero")
    );
    assert_eq!(
        message,
        "the Deployment alscope-collector has 0 replicas, which turns its autoscaler off, so nothing is collected; scale it to 1 with \
         kubectl scale"
    );
}

#[test]
fn without_an_autoscaler_the_number_is_the_resources_again() {
    let mut cluster = Cluster::wired(&autoscaled());
    cluster.scale(5);
    cluster.settle();
    cluster.change_spec(&json!({"collector": {"replicas": 3}}));
    cluster.settle();
    assert_eq!(
        cluster.log,
        ["Apply Deployment", "Delete HorizontalPodAutoscaler"]
    );
    assert_eq!(cluster.replicas(), [&json!(3)]);
    // It begins anew.
    cluster.change_spec(&autoscaled());
    cluster.settle();
    assert_eq!(cluster.log[2..3], ["KeepReplicas 3"]);
    assert_eq!(cluster.replicas(), [&json!(3)]);
}
