//! What keeps a single workload from its restart, and what stops one that has begun: one row for each rule.

use alscope_plan::api::{RestartBudget, RestartsStatus, WorkloadStatus};
use alscope_plan::plan::proxies::PendingWorkload;
use alscope_plan::plan::restarts::{RestartWorld, Restarts};
use alscope_plan::world::{DisruptionBudget, Proxy, Workloads};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use rstest::rstest;
use serde_json::{Value, json};

use crate::cluster::BEGIN;
use crate::workloads::{budget, pod_of, read_workload, workload};

const MARK: &str = "c:1 wiring";

/// What the rules see: one namespace, one workload with a pod of `created`.
struct Case {
    object: Value,
    created: Timestamp,
    budgets: Vec<Value>,
    others: Vec<Value>,
    previous: Option<RestartsStatus>,
    is_open: bool,
}

impl Case {
    fn of(kind: &str) -> Self {
        Self {
            object: workload(kind, "shop", "web"),
            created: BEGIN - SignedDuration::from_hours(1),
            budgets: Vec::new(),
            others: Vec::new(),
            previous: None,
            is_open: true,
        }
    }

    /// The workload was restarted for this wiring, so many seconds ago.
    fn restarted(mut self, seconds: i64) -> Self {
        let at = BEGIN - SignedDuration::from_secs(seconds);
        self.object["metadata"]["annotations"] =
            json!({"alscope.dev/restarted-for": MARK, "alscope.dev/restarted-at": at.to_string()});
        self
    }

    fn decide(&self, is_pending: bool) -> Restarts {
        let kind = self.object["kind"].as_str().unwrap();
        let namespace = self.object["metadata"]["namespace"].as_str().unwrap();
        let pending = PendingWorkload {
            workload: WorkloadStatus {
                kind: kind.to_owned(),
                namespace: namespace.to_owned(),
                name: "web".to_owned(),
                command: "the command".to_owned(),
                ..WorkloadStatus::default()
            },
            newest_pod: Some(self.created),
        };
        let pod = pod_of(kind, namespace, "web", &json!({}), &self.created.to_string());
        let mut pods = vec![pod];
        pods.extend(self.others.iter().map(|other| {
            let name = other["metadata"]["name"].as_str().unwrap();
            pod_of(
                other["kind"].as_str().unwrap(),
                "shop",
                name,
                &json!({}),
                &BEGIN.to_string(),
            )
        }));
        let budgets = self.budgets.iter().cloned();
        Restarts::decide(&RestartWorld {
            pending: if is_pending {
                std::slice::from_ref(&pending)
            } else {
                &[]
            },
            proxies: &pods
                .iter()
                .map(|pod| Proxy::of(&serde_json::from_value(pod.clone()).unwrap()).unwrap())
                .collect::<Vec<_>>(),
            workloads: &Workloads {
                all: [&self.object]
                    .into_iter()
                    .chain(&self.others)
                    .filter_map(read_workload)
                    .collect(),
                budgets: budgets
                    .map(|one| DisruptionBudget::of(&serde_json::from_value(one).unwrap()))
                    .collect(),
            },
            mark: MARK,
            budget: &RestartBudget::default(),
            is_open: self.is_open,
            previous: self.previous.as_ref(),
            now: BEGIN,
        })
    }
}

#[rstest]
fn a_workload_at_rest_is_restarted(#[values("Deployment", "StatefulSet", "DaemonSet")] kind: &str) {
    let restarts = Case::of(kind).decide(true);
    assert_eq!(restarts.next.len(), 1);
    let next = &restarts.next[0];
    assert_eq!(
        (next.kind.as_str(), next.name.to_string().as_str()),
        (kind, "shop/web")
    );
    assert_eq!(
        (next.mark.as_str(), next.at, next.resource_version.as_str()),
        (MARK, BEGIN, "1")
    );
    assert_eq!(restarts.status.last_began, Some(Time(BEGIN)));
    let closed = Case {
        is_open: false,
        ..Case::of(kind)
    };
    let restarts = closed.decide(true);
    assert_eq!((restarts.next, restarts.status.last_began), (Vec::new(), None));
    let restarts = Case::of(kind).decide(false);
    assert_eq!((restarts.next, restarts.status.last_began), (Vec::new(), None));
}

#[rstest]
#[case::paused("Deployment", "/spec/paused", json!(true), "its rollout is paused; run `kubectl -n shop rollout resume deployment/web` when it suits you")]
#[case::on_delete("DaemonSet", "/spec/updateStrategy", json!({"type": "OnDelete"}), "its update strategy is OnDelete; restart it with the command, then delete its pods when it suits you")]
#[case::partition("StatefulSet", "/spec/updateStrategy", json!({"rollingUpdate": {"partition": 1}}), "its update strategy has a partition, which keeps pods as they are; set the partition to 0 when it suits you")]
#[case::rolling("Deployment", "/metadata/generation", json!(2), "it rolls out already; the operator waits for the end")]
#[case::unavailable("Deployment", "/status/availableReplicas", json!(0), "some of its pods are not available; the operator waits until all are")]
#[case::unavailable_daemon_set("DaemonSet", "/status/numberAvailable", json!(0), "some of its pods are not available; the operator waits until all are")]
#[case::kube_system("DaemonSet", "/metadata/namespace", json!("kube-system"), "the operator restarts nothing in kube-system; run the command")]
#[case::another_kind("CloneSet", "/metadata/generation", json!(1), "the operator does not restart this kind; run the command")]
fn what_must_not_be_disturbed_waits_with_the_reason(
    #[case] kind: &str,
    #[case] pointer: &str,
    #[case] value: Value,
    #[case] reason: &str,
) {
    let mut case = Case::of(kind);
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    case.object.pointer_mut(parent).unwrap()[key] = value;
    let restarts = case.decide(true);
    assert_eq!(restarts.next, []);
    let waiting = &restarts.status.waiting_for;
    assert_eq!(waiting.len(), 1);
    assert_eq!(
        (waiting[0].reason.as_str(), waiting[0].command.as_str()),
        (reason, "the command")
    );
    assert_eq!((restarts.status.waiting, restarts.status.outstanding), (1, 0));
    assert_eq!(restarts.note(None).reason, "RestartWaiting");
}

#[test]
fn a_rollout_that_failed_before_is_not_made_worse() {
    let mut case = Case::of("Deployment");
    case.object["status"] = json!({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 1, "availableReplicas": 1,
        "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]});
    let restarts = case.decide(true);
    assert_eq!((restarts.next.len(), restarts.status.stopped), (0, None));
    assert_eq!(
        restarts.waiting[0].reason,
        "its last rollout makes no progress; see `kubectl -n shop rollout status deployment/web`, and mend it"
    );
}

#[rstest]
#[case::of_the_workload("web", 0, 0)]
#[case::that_allows_one("web", 1, 1)]
#[case::of_another_workload("db", 0, 1)]
fn a_budget_without_room_keeps_its_workload(
    #[case] name: &str,
    #[case] allowed: i32,
    #[case] restarted: usize,
) {
    let mut case = Case::of("Deployment");
    case.budgets.push(budget("shop", name, allowed));
    assert_eq!(case.decide(true).next.len(), restarted);
    case.budgets = vec![budget("bank", name, allowed)];
    assert_eq!(case.decide(true).next.len(), 1, "another namespace's");
}

#[rstest]
#[case::at_rest(1, true, 1)]
#[case::rolling(2, true, 0)]
#[case::rolling_without_a_proxy(2, false, 1)]
fn another_workload_of_the_mesh_that_rolls_out_in_the_namespace_is_waited_for(
    #[case] generation: u64,
    #[case] has_proxy: bool,
    #[case] restarted: usize,
) {
    let mut case = Case::of("Deployment");
    let mut other = workload("StatefulSet", "shop", "db");
    other["metadata"]["generation"] = json!(generation);
    if !has_proxy {
        other["metadata"]["namespace"] = json!("bank");
    }
    case.others.push(other);
    assert_eq!(case.decide(true).next.len(), restarted);
}

#[test]
fn a_restart_for_another_wiring_does_not_count() {
    let mut case = Case::of("Deployment").restarted(3_600);
    case.object["metadata"]["annotations"]["alscope.dev/restarted-for"] = json!("c:1 earlier");
    let restarts = case.decide(true);
    assert_eq!((restarts.next.len(), restarts.status.restarted), (1, 0));
}

#[test]
fn a_restart_is_not_made_twice_while_its_old_pods_are_still_seen() {
    let restarts = Case::of("Deployment").restarted(60).decide(true);
    assert_eq!(restarts.next, []);
    assert_eq!(restarts.status.under_way, ["shop/web (Deployment)"]);
    let restarts = Case::of("Deployment").restarted(60).decide(false);
    assert_eq!(
        (restarts.status.restarted, restarts.status.under_way.len()),
        (1, 0)
    );
}

#[test]
fn a_pod_that_came_after_the_restart_without_the_address_stops_all() {
    let mut case = Case::of("Deployment").restarted(60);
    case.created = BEGIN - SignedDuration::from_secs(59);
    assert!(
        case.decide(true)
            .status
            .stopped
            .unwrap()
            .starts_with("shop/web (Deployment) was restarted for this address")
    );
    case.created = BEGIN - SignedDuration::from_secs(61);
    assert_eq!(case.decide(true).status.stopped, None);
}

#[rstest]
#[case::stateful_set("StatefulSet", "/status/updateRevision", json!("b"))]
#[case::daemon_set("DaemonSet", "/status/updatedNumberScheduled", json!(0))]
#[case::daemon_set_not_available("DaemonSet", "/status/numberAvailable", json!(0))]
fn where_kubernetes_has_no_deadline_ten_minutes_without_a_new_pod_are_one(
    #[case] kind: &str,
    #[case] pointer: &str,
    #[case] value: Value,
) {
    let case = |seconds| {
        let mut case = Case::of(kind).restarted(seconds);
        *case.object.pointer_mut(pointer).unwrap() = value.clone();
        case
    };
    let early = case(600).decide(false).status;
    assert_eq!((early.under_way.len(), early.stopped), (1, None));
    let late = case(601).decide(false);
    assert_eq!(
        late.status.stopped.as_deref().unwrap(),
        format!(
            "shop/web ({kind}) does not become ready after its restart; see `kubectl -n shop rollout status {}/web`, and mend it",
            kind.to_lowercase()
        )
    );
    assert_eq!(late.note(None).reason, "RestartStopped");
    let mut with_new_pod = case(3_600);
    with_new_pod.created = BEGIN - SignedDuration::from_secs(30);
    assert_eq!(with_new_pod.decide(false).status.stopped, None);
}

#[test]
fn a_deployment_has_its_own_deadline() {
    let mut case = Case::of("Deployment").restarted(3_600);
    case.object["status"] = json!({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 1, "availableReplicas": 1,
        "conditions": [{"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated"}]});
    assert_eq!(case.decide(true).status.stopped, None);
    case.object["status"]["conditions"][0]["reason"] = json!("ProgressDeadlineExceeded");
    assert!(case.decide(true).status.stopped.is_some());
}

#[test]
fn a_deployment_that_is_paused_in_the_middle_stops_all() {
    let mut case = Case::of("Deployment").restarted(60);
    case.object["spec"]["paused"] = json!(true);
    case.object["status"]["updatedReplicas"] = json!(0);
    let stopped = case.decide(true).status.stopped.unwrap();
    assert_eq!(
        stopped,
        "shop/web (Deployment) can't end its restart: its rollout is paused; run `kubectl -n shop rollout resume deployment/web` when it suits you"
    );
}

#[rstest]
#[case::just_now(29, 0)]
#[case::long_enough(30, 1)]
fn the_next_begins_when_the_pause_is_over(#[case] seconds: i64, #[case] restarted: usize) {
    let mut case = Case::of("Deployment");
    case.previous = Some(RestartsStatus {
        last_ended: Some(Time(BEGIN - SignedDuration::from_secs(seconds))),
        ..RestartsStatus::default()
    });
    assert_eq!(case.decide(true).next.len(), restarted);
    case.previous = Some(RestartsStatus {
        last_began: Some(Time(BEGIN - SignedDuration::from_secs(seconds))),
        ..RestartsStatus::default()
    });
    assert_eq!(
        case.decide(true).next.len(),
        restarted,
        "what is read may be older than a restart"
    );
    case.previous = Some(RestartsStatus {
        under_way: vec!["shop/db (Deployment)".to_owned()],
        ..RestartsStatus::default()
    });
    let restarts = case.decide(true);
    assert_eq!(restarts.next, [], "it has ended now");
    assert_eq!(restarts.status.last_ended, Some(Time(BEGIN)));
}
