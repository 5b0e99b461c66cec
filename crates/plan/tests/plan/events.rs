//! What is told in events, and how often.

use alscope_plan::api::MeshObservabilityStatus;
use alscope_plan::plan::events::transition_events;
use alscope_plan::plan::refusal::WriteFailure;
use alscope_plan::plan::step::Step;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use serde_json::json;

use crate::cluster::{Cluster, Judged};

/// The finalizer can't be removed.
fn keeps_the_finalizer(step: &Step) -> Option<WriteFailure> {
    matches!(step, Step::RemoveFinalizer).then(|| WriteFailure::Failed {
        verb: "patch",
        resource: "meshobservabilities".to_owned(),
        name: alscope_plan::world::ObjectName::new("", "alscope"),
        message: "no".to_owned(),
    })
}

#[test]
fn what_can_not_be_restored_is_told_at_the_end_and_once() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.judged = Judged::Never;
    cluster.edit(|text| format!("{text}\nbroken: [\n"));
    cluster.refuses = Some(keeps_the_finalizer);
    cluster.delete();
    let mut told = Vec::new();
    for _ in 0..60 {
        let plan = cluster.plan();
        let is_end = plan.steps.contains(&Step::RemoveFinalizer);
        told.extend(plan.events.into_iter().map(|event| (is_end, event.reason)));
        cluster.pass();
        cluster.advance(5);
    }
    assert_eq!(told, [(true, "RestoreIncomplete".to_owned())]);
    cluster.refuses = None;
    cluster.settle();
    assert_eq!(cluster.resources, []);
}

fn not_true(type_: &str, reason: &str) -> Condition {
    Condition {
        last_transition_time: Time(jiff::Timestamp::UNIX_EPOCH),
        message: format!("{type_} says why"),
        observed_generation: None,
        reason: reason.to_owned(),
        status: "False".to_owned(),
        type_: type_.to_owned(),
    }
}

#[test]
fn each_condition_that_is_not_true_is_told_and_their_sum_is_not() {
    let conditions = [
        ("CollectorAvailable", "CollectorUnavailable"),
        ("MeshConfigured", "MeshConfigInvalid"),
        ("Ready", "CollectorUnavailable"),
    ];
    let next = MeshObservabilityStatus {
        conditions: conditions.map(|(type_, reason)| not_true(type_, reason)).into(),
        ..MeshObservabilityStatus::default()
    };
    let told = transition_events(&MeshObservabilityStatus::default(), &next);
    let told: Vec<&str> = told.iter().map(|event| event.message.as_str()).collect();
    assert_eq!(told, ["CollectorAvailable says why", "MeshConfigured says why"]);
}
