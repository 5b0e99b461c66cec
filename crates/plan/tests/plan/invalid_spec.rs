//! A resource that asks for what the collector would refuse: it is told so, and nothing of it is applied.

use alscope_plan::world::OwnedKind;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::invariants::assert_deletion_leaves_nothing;
use crate::mesh::{CHART, WIRED};

const PROBLEM: &str = "`spec.analysis.naming.istioServiceNameRule` in the resource is `${HOME:x}`, which takes an environment variable; \
                       write the value itself";

fn invalid() -> Value {
    json!({"analysis": {"naming": {"istioServiceNameRule": "${HOME:x}"}}, "collector": {"replicas": 3}})
}

#[test]
fn no_collector_is_made_of_an_invalid_spec_and_the_mesh_stays_as_it_is() {
    let mut cluster = Cluster::stock(&invalid());
    cluster.settle();
    assert_eq!(cluster.log, ["AddFinalizer"]);
    for condition in ["Accepted", "CollectorAvailable", "Ready"] {
        let (status, reason, message) = cluster.condition(condition);
        assert_eq!(
            (status.as_str(), reason.as_str()),
            ("False", "InvalidSpec"),
            "{condition}"
        );
        assert!(message.contains(PROBLEM), "{message}");
    }
    assert_eq!(cluster.mesh_configured().1, "WaitingForCollector");
    assert_eq!(cluster.text("istio").as_deref(), Some(CHART));
    cluster.change_spec(&json!({}));
    cluster.settle();
    assert_eq!(cluster.condition("Ready").0, "True");
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
    assert_deletion_leaves_nothing(&mut cluster);
}

#[test]
fn a_collector_that_runs_stays_until_the_spec_is_valid_again() {
    let mut cluster = Cluster::wired(&json!({}));
    let before = cluster.owned.clone();
    cluster.change_spec(&invalid());
    cluster.settle();
    assert_eq!(cluster.log, Vec::<String>::new());
    assert_eq!(cluster.owned, before);
    assert_eq!(
        cluster.condition("Accepted"),
        ("False".into(), "InvalidSpec".into(), PROBLEM.into())
    );
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
    assert_eq!(cluster.status().state.as_deref(), Some("InvalidSpec"));
    let mut valid = invalid();
    valid["analysis"] = json!({"naming": {"istioServiceNameRule": "x"}});
    cluster.change_spec(&valid);
    cluster.settle();
    assert_eq!(cluster.condition("Ready").0, "True");
    let file = cluster
        .owned
        .iter()
        .find(|owned| owned.kind == OwnedKind::ConfigMap)
        .unwrap();
    assert_eq!(
        file.object["data"]["collector.yaml"],
        "analysis:\n  http: k8s-mesh\n  naming:\n    istioServiceNameRule: x\n  tcp: k8s-mesh\ndirectory:\n  kubernetes: {}\n"
    );
    assert_deletion_leaves_nothing(&mut cluster);
}

#[test]
fn a_resource_with_an_invalid_spec_can_be_deleted() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.change_spec(&invalid());
    cluster.settle();
    assert_deletion_leaves_nothing(&mut cluster);
}
