//! What the end of a resource is told as, and how often.

use alscope_plan::plan::refusal::WriteFailure;
use alscope_plan::plan::step::Step;
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
        told.extend(plan.notes.into_iter().map(|note| (is_end, note.reason)));
        cluster.pass();
        cluster.advance(5);
    }
    assert_eq!(told, [(true, "RestoreIncomplete".to_owned())]);
    cluster.refuses = None;
    cluster.settle();
    assert_eq!(cluster.resources, []);
}
