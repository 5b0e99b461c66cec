//! Restarts by the operator from end to end: their order and pace, what stops them, and that no crash makes one twice.

use alscope_plan::plan::refusal::WriteFailure;
use alscope_plan::plan::step::Step;
use alscope_plan::world::{ObjectName, ReadError};
use serde_json::{Value, json};

use crate::cluster::{Cluster, Ended};
use crate::mesh;
use crate::workloads::{budget, pod_of};

const TWO_NAMESPACES: [(&str, &str, &str); 4] = [
    ("Deployment", "bank", "ledger"),
    ("StatefulSet", "bank", "store"),
    ("Deployment", "shop", "web"),
    ("DaemonSet", "shop", "agent"),
];

fn rollout() -> Value {
    json!({"mesh": {"restart": "Rollout"}})
}

/// The restarts in the log.
fn restarts(cluster: &Cluster) -> Vec<&str> {
    let log = cluster.log.iter();
    log.filter_map(|step| step.strip_prefix("Restart ")).collect()
}

fn reason(cluster: &Cluster) -> String {
    cluster.condition("ProxiesUpToDate").1
}

fn message(cluster: &Cluster) -> String {
    cluster.condition("ProxiesUpToDate").2
}

#[test]
fn workloads_restart_one_by_one_a_namespace_at_a_time_with_the_pause_between() {
    let mut cluster = Cluster::with_workloads(&rollout(), &TWO_NAMESPACES);
    let begin = cluster.now;
    cluster.pass();
    assert_eq!(restarts(&cluster), ["bank/ledger"]);
    cluster.pass_for(20);
    assert_eq!(restarts(&cluster), ["bank/ledger"], "it has not ended");
    assert_eq!(
        cluster.status().restarts.unwrap().under_way,
        ["bank/ledger (Deployment)"]
    );
    assert_eq!(reason(&cluster), "Restarting");
    assert_eq!(
        message(&cluster),
        "4 of 4 proxies started before the mesh was wired and learn the collector's address when their pods restart \
         (bank/ledger-5d8f-x, bank/store-5d8f-x, shop/web-5d8f-x, shop/agent-5d8f-x). The operator has restarted 0 of 4 workloads. \
         bank/ledger (Deployment) is under way"
    );
    cluster.roll_out_workload("bank/ledger");
    cluster.pass_for(30);
    assert_eq!(restarts(&cluster), ["bank/ledger"], "the pause");
    cluster.pass_for(1);
    assert_eq!(restarts(&cluster), ["bank/ledger", "bank/store"]);
    cluster.restart_all(5);
    assert_eq!(
        restarts(&cluster),
        ["bank/ledger", "bank/store", "shop/web", "shop/agent"]
    );
    assert!(cluster.now.duration_since(begin).as_secs() >= 3 * 30 + 20);
    cluster.pass();
    assert_eq!(reason(&cluster), "UpToDate");
    let status = cluster.status().restarts.unwrap();
    assert_eq!((status.restarted, status.outstanding, status.waiting), (4, 0, 0));
}

#[test]
fn the_budget_says_how_many_at_once_and_never_two_in_a_namespace() {
    let spec = json!({"mesh": {"restart": "Rollout", "restartBudget": {"workloads": 3, "pause": "0s"}}});
    let mut cluster = Cluster::with_workloads(&spec, &TWO_NAMESPACES);
    cluster.pass();
    assert_eq!(restarts(&cluster), ["bank/ledger", "shop/web"]);
    cluster.pass_for(5);
    assert_eq!(restarts(&cluster), ["bank/ledger", "shop/web"]);
    cluster.roll_out_workload("shop/web");
    cluster.pass();
    assert_eq!(restarts(&cluster), ["bank/ledger", "shop/web", "shop/agent"]);
    let spec = json!({"mesh": {"restart": "Rollout", "restartBudget": {"workloads": 1, "pause": "0s"}}});
    let mut cluster = Cluster::with_workloads(&spec, &TWO_NAMESPACES);
    cluster.pass();
    assert_eq!(restarts(&cluster), ["bank/ledger"]);
}

#[test]
fn by_default_nothing_is_restarted() {
    for spec in [json!({}), json!({"mesh": {"restart": "Report"}})] {
        let mut cluster = Cluster::with_workloads(&spec, &TWO_NAMESPACES);
        cluster.settle();
        assert_eq!(cluster.log, Vec::<String>::new());
        assert_eq!(cluster.status().restarts, None);
        assert_eq!(reason(&cluster), "RestartNeeded");
    }
}

#[test]
fn nothing_is_restarted_in_plan_and_unmanaged_and_none_on_the_way_back() {
    for state in ["Plan", "Unmanaged", "Removed"] {
        let mut cluster = Cluster::with_workloads(&json!({}), &TWO_NAMESPACES);
        cluster.change_spec(&json!({"managementState": state, "mesh": {"restart": "Rollout"}}));
        cluster.settle();
        assert_eq!(restarts(&cluster), Vec::<&str>::new(), "{state}");
        assert_eq!(cluster.status().restarts, None, "{state}");
    }
}

#[test]
fn nothing_is_restarted_before_the_mesh_is_wired_and_has_been_for_a_while() {
    let mut cluster = Cluster::with_workloads(&rollout(), &TWO_NAMESPACES);
    cluster.reset("helm", mesh::CHART);
    cluster.pass_for(4);
    assert_eq!(restarts(&cluster), Vec::<&str>::new(), "it is not wired");
    cluster.settle_until_wired();
    let wired = cluster.now;
    cluster.pass();
    assert_eq!(reason(&cluster), "RestartWaiting");
    assert!(message(&cluster).ends_with("none begins now: istio-system/istio has changed a moment ago"));
    cluster.pass_for(8);
    assert_eq!(restarts(&cluster), Vec::<&str>::new(), "istiod may not know it");
    cluster.pass_for(5);
    assert_eq!(restarts(&cluster), ["bank/ledger"]);
    assert!(cluster.now.duration_since(wired).as_secs() >= 10);
}

#[test]
fn nothing_is_restarted_while_the_collector_is_not_available() {
    let mut cluster = Cluster::with_workloads(&rollout(), &TWO_NAMESPACES);
    cluster.rollout = crate::cluster::Rollout::Held;
    cluster.break_collector();
    cluster.pass_for(5);
    assert_eq!(restarts(&cluster), Vec::<&str>::new());
    assert_eq!(reason(&cluster), "RestartWaiting");
    assert!(message(&cluster).ends_with("none begins now: the collector is not available"));
    cluster.rollout = crate::cluster::Rollout::AtOnce;
    cluster.pass_for(5);
    assert_eq!(restarts(&cluster), ["bank/ledger"]);
}

#[test]
fn nothing_is_restarted_on_what_could_not_be_read() {
    let error = || {
        Some(ReadError::Forbidden {
            verb: "list",
            resource: "statefulsets.apps".to_owned(),
            namespace: None,
        })
    };
    let mut cluster = Cluster::with_workloads(&rollout(), &TWO_NAMESPACES);
    cluster.unreadable.workloads = error();
    cluster.pass_for(3);
    assert_eq!(restarts(&cluster), Vec::<&str>::new());
    assert_eq!(reason(&cluster), "RestartNeeded");
    assert!(
        message(&cluster).ends_with(
            "The operator restarts no workload: the operator may not list statefulsets.apps; give its service account this right, as the \
             chart's ClusterRole and Role do; the chart's value mesh.restartWorkloads gives it the rights"
        ),
        "{}",
        message(&cluster)
    );
    cluster.unreadable.workloads = None;
    cluster.unreadable.proxies = error();
    cluster.pass_for(3);
    cluster.unreadable.proxies = None;
    cluster.unreadable.telemetries = error();
    cluster.pass_for(3);
    assert_eq!(restarts(&cluster), Vec::<&str>::new());
    cluster.unreadable.telemetries = None;
    cluster.pass_for(1);
    assert_eq!(restarts(&cluster), ["bank/ledger"]);
}

#[test]
fn a_restart_that_does_not_become_ready_stops_the_others_until_it_is_mended() {
    let mut cluster = Cluster::with_workloads(&rollout(), &TWO_NAMESPACES);
    cluster.pass();
    cluster.workload("bank/ledger")["status"] = json!({
        "observedGeneration": 2, "replicas": 2, "updatedReplicas": 1, "availableReplicas": 1,
        "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}],
    });
    cluster.pass_for(100);
    assert_eq!(restarts(&cluster), ["bank/ledger"]);
    assert_eq!(reason(&cluster), "RestartStopped");
    let stopped = "bank/ledger (Deployment) does not become ready after its restart; see `kubectl -n bank rollout status \
                   deployment/ledger`, and mend it";
    assert_eq!(
        cluster.status().restarts.unwrap().stopped.as_deref(),
        Some(stopped)
    );
    assert!(message(&cluster).contains(stopped));
    cluster.roll_out_workload("bank/ledger");
    cluster.pass_for(32);
    assert_eq!(restarts(&cluster), ["bank/ledger", "bank/store"]);
    assert_eq!(cluster.status().restarts.unwrap().stopped, None);
}

#[test]
fn a_workload_whose_new_pods_lack_the_address_is_not_restarted_again_and_stops_the_others() {
    let mut cluster = Cluster::with_workloads(&rollout(), &TWO_NAMESPACES);
    cluster.pass();
    cluster.advance(5);
    cluster.roll_out_workload("bank/ledger");
    let created = cluster.now.to_string();
    cluster
        .pods
        .retain(|pod| pod["metadata"]["name"] != "ledger-5d8f-x");
    cluster
        .pods
        .push(pod_of("Deployment", "bank", "ledger", &json!({}), &created));
    cluster.pass_for(700);
    assert_eq!(restarts(&cluster), ["bank/ledger"]);
    assert!(message(&cluster).contains("bank/ledger (Deployment) was restarted for this address"));
    // Somebody restarts it.
    cluster.roll_out_workload("bank/ledger");
    cluster.pass_for(32);
    assert_eq!(restarts(&cluster), ["bank/ledger", "bank/store"]);
}

#[test]
fn a_new_wiring_restarts_what_has_lost_the_address_since() {
    let mut cluster = Cluster::with_workloads(&rollout(), &TWO_NAMESPACES[..1]);
    cluster.restart_all(2);
    cluster.change_spec(&json!({"managementState": "Removed", "mesh": {"restart": "Rollout"}}));
    cluster.settle();
    cluster.roll_out_workload("bank/ledger");
    cluster.change_spec(&rollout());
    cluster.settle_until_wired();
    cluster.advance(20);
    cluster.restart_all(2);
    assert_eq!(restarts(&cluster), ["bank/ledger", "bank/ledger"]);
    cluster.pass();
    assert_eq!(reason(&cluster), "UpToDate");
}

#[test]
fn a_refused_restart_is_told_where_proxies_are_and_tried_again() {
    let mut cluster = Cluster::with_workloads(&rollout(), &TWO_NAMESPACES);
    cluster.refuses = Some(|step| match step {
        Step::Restart(restart) => Some(WriteFailure::Forbidden {
            verb: "patch",
            resource: "deployments.apps".to_owned(),
            name: restart.name.clone(),
        }),
        _ => None,
    });
    cluster.pass_for(3);
    assert_eq!(reason(&cluster), "Forbidden");
    let what = "the operator may not patch deployments.apps bank/ledger; give its service account this right: the chart's value \
                mesh.restartWorkloads gives it";
    assert!(message(&cluster).ends_with(what), "{}", message(&cluster));
    assert_eq!(cluster.mesh_configured(), ("True".to_owned(), "Wired".to_owned()));
    assert_eq!(cluster.condition("CollectorAvailable").0, "True");
    cluster.refuses = None;
    cluster.pass_for(1);
    assert_eq!(restarts(&cluster), ["bank/ledger"]);
}

#[test]
fn a_crash_at_any_write_and_answers_that_are_lost_restart_nothing_twice() {
    let spec = json!({"mesh": {"restart": "Rollout", "restartBudget": {"pause": "2s"}}});
    for repeats in [false, true] {
        for life in 0..4 {
            let mut cluster = Cluster::with_workloads(&spec, &TWO_NAMESPACES);
            cluster.repeats = repeats;
            for _ in 0..40 {
                cluster.lives_for.get_or_insert(life);
                if cluster.pass().0 == Ended::Killed {
                    cluster.lives_for = Some(life.max(1));
                }
                cluster.advance(1);
                for name in cluster.rolling() {
                    cluster.roll_out_workload(&name);
                }
            }
            let restarted = restarts(&cluster);
            assert_eq!(
                restarted,
                ["bank/ledger", "bank/store", "shop/web", "shop/agent"],
                "{life} {repeats}"
            );
            assert_eq!(reason(&cluster), "UpToDate");
        }
    }
}

#[test]
fn the_pause_holds_although_the_operator_forgets_everything() {
    let mut cluster = Cluster::with_workloads(&rollout(), &TWO_NAMESPACES);
    cluster.pass();
    cluster.advance(5);
    cluster.roll_out_workload("bank/ledger");
    // Its last status is lost.
    cluster.resources[0].status.as_mut().unwrap().restarts = None;
    cluster.pass_for(24);
    assert_eq!(restarts(&cluster), ["bank/ledger"]);
    cluster.pass_for(2);
    assert_eq!(restarts(&cluster), ["bank/ledger", "bank/store"]);
}

#[test]
fn a_budget_keeps_its_workload_and_not_the_others() {
    let mut cluster = Cluster::with_workloads(&rollout(), &TWO_NAMESPACES);
    cluster.budgets.push(budget("bank", "ledger", 0));
    cluster.pass();
    assert_eq!(restarts(&cluster), ["bank/store"]);
    let status = cluster.status().restarts.unwrap();
    assert_eq!((status.outstanding, status.waiting), (3, 1));
    assert_eq!(
        status.waiting_for[0].reason,
        "PodDisruptionBudget ledger allows no disruption now; the operator waits until it does, or run the command"
    );
    assert_eq!(
        status.waiting_for[0].command,
        "kubectl -n bank rollout restart deployment/ledger"
    );
    cluster.budgets = vec![budget("bank", "ledger", 1)];
    cluster.restart_all(1);
    assert_eq!(restarts(&cluster).len(), 4);
    assert_eq!(
        ObjectName::parse(restarts(&cluster)[1]),
        Some(ObjectName::new("bank", "ledger"))
    );
}
