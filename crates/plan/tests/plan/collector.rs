//! The collector's objects once the mesh is wired: outages, other sizes, other images.

use std::path::Path;
use std::time::Duration;

use alscope_collector_config::{Analyzer, Config, Directory, Ending, Kubernetes};
use alscope_plan::plan::refusal::WriteFailure;
use alscope_plan::plan::step::Step;
use alscope_plan::world::{ObjectName, OwnedKind};
use serde_json::{Value, json};

use crate::cluster::{Cluster, Rollout};
use crate::invariants::assert_deletion_leaves_nothing;
use crate::mesh::{CHART, WIRED};
use crate::steps::names;

/// The cluster's object of a kind.
fn object(cluster: &Cluster, kind: OwnedKind) -> Option<&Value> {
    let owned = cluster.owned.iter().find(|owned| owned.kind == kind)?;
    Some(&owned.object)
}

/// Chains of analyzers: each order of what finds parties, without and with `persistence`.
const CHAINS: [&str; 8] = [
    "k8s-mesh",
    "mx-mesh",
    "k8s-mesh,mx-mesh",
    "mx-mesh,k8s-mesh",
    "k8s-mesh,persistence",
    "mx-mesh,persistence",
    "k8s-mesh,mx-mesh,persistence",
    "mx-mesh,persistence,k8s-mesh",
];

/// The collector's own reader takes the file that the operator writes, and understands what the resource asks for.
#[test]
fn the_collector_reads_the_configuration_that_it_is_given() {
    for chain in CHAINS {
        let names: Vec<&str> = chain.split(',').collect();
        let cluster = Cluster::wired(&json!({"analysis": {"http": names, "tcp": ["mx-mesh"]}}));
        let written = object(&cluster, OwnedKind::ConfigMap).unwrap();
        let text = written["data"]["collector.yaml"].as_str().unwrap();
        let config = Config::parse(text, Path::new("collector.yaml")).unwrap();
        let read: Vec<&str> = config
            .analysis
            .http
            .iter()
            .map(|analyzer| analyzer.as_str())
            .collect();
        assert_eq!(read, names);
        assert_eq!(config.analysis.tcp, [Analyzer::MxMesh]);
        let looks_up = config.analysis.http.contains(&Analyzer::K8sMesh);
        let directory = if looks_up {
            Directory::Kubernetes(Kubernetes::default())
        } else {
            Directory::None
        };
        assert_eq!(config.directory, directory, "{chain}");
        let deployment = object(&cluster, OwnedKind::Deployment).unwrap();
        assert_eq!(
            deployment.pointer("/spec/template/spec/automountServiceAccountToken"),
            (!looks_up).then_some(&json!(false)),
            "{chain}"
        );
    }
}

/// Beside what the configuration says: connections end within 5 s, those that came last within 6 more, kept entries are written
/// within 5, and the HTTP ports close within 2.
const OTHER_STAGES: Duration = Duration::from_secs(18);

#[test]
fn the_collector_is_given_the_time_that_its_end_may_take() {
    let cluster = Cluster::wired(&json!({}));
    let deployment = cluster
        .owned
        .iter()
        .find(|owned| owned.kind == OwnedKind::Deployment);
    let spec = &deployment.unwrap().object["spec"];
    let grace = spec["template"]["spec"]["terminationGracePeriodSeconds"]
        .as_u64()
        .unwrap();
    let Ending { accept, scrape, .. } = Ending::default();
    assert!(
        accept + OTHER_STAGES + scrape < Duration::from_secs(grace),
        "{grace}"
    );
    // A new one is ready before an old one is told to end.
    let rolling = json!({"maxUnavailable": 0, "maxSurge": 1});
    assert_eq!(spec["strategy"]["rollingUpdate"], rolling);
}

#[test]
fn tcp_entries_that_are_looked_up_need_the_api_too() {
    let cluster = Cluster::wired(&json!({"analysis": {"http": ["mx-mesh"], "tcp": ["mx-mesh", "k8s-mesh"]}}));
    let written = object(&cluster, OwnedKind::ConfigMap).unwrap();
    assert_eq!(
        written["data"]["collector.yaml"],
        "analysis:\n  http: mx-mesh\n  tcp: mx-mesh,k8s-mesh\ndirectory:\n  kubernetes: {}\n"
    );
    let pod = &object(&cluster, OwnedKind::Deployment).unwrap()["spec"]["template"]["spec"];
    assert_eq!(pod["automountServiceAccountToken"], Value::Null);
}

#[test]
fn the_service_leads_to_the_named_ports_of_the_collectors_pods() {
    let cluster = Cluster::wired(&json!({}));
    let service = &object(&cluster, OwnedKind::Service).unwrap()["spec"];
    let pods = &object(&cluster, OwnedKind::Deployment).unwrap()["spec"]["template"];
    let labels = pods["metadata"]["labels"].as_object().unwrap();
    let selector = service["selector"].as_object().unwrap();
    assert!(!selector.is_empty());
    assert!(
        selector
            .iter()
            .all(|(name, value)| labels.get(name) == Some(value))
    );
    let ports = service["ports"].as_array().unwrap();
    let open = pods["spec"]["containers"][0]["ports"].as_array().unwrap();
    let reached = ports.iter().map(|port| {
        let target = open.iter().find(|open| open["name"] == port["targetPort"]);
        (
            port["port"].as_u64(),
            target.map(|open| open["containerPort"].as_u64().unwrap()),
        )
    });
    let reached: Vec<_> = reached.collect();
    assert_eq!(reached, [(Some(11800), Some(11800)), (Some(9090), Some(9090))]);
}

#[test]
fn other_sources_are_one_write_of_the_policy_and_no_rollout() {
    let mut cluster = Cluster::wired(&json!({}));
    let proxies = json!([{"namespaceSelector": {"matchLabels": {"istio-injection": "enabled"}}}]);
    cluster.change_spec(&json!({"collector": {"networkPolicy": {"proxies": proxies}}}));
    cluster.settle();
    assert_eq!(cluster.log, ["Apply NetworkPolicy"]);
    let policy = object(&cluster, OwnedKind::NetworkPolicy).unwrap();
    assert_eq!(policy["spec"]["ingress"][0]["from"], proxies);
    assert_eq!(
        policy["spec"]["podSelector"]["matchLabels"],
        object(&cluster, OwnedKind::Deployment).unwrap()["spec"]["selector"]["matchLabels"]
    );
    cluster.change_spec(&json!({}));
    cluster.settle();
    assert_eq!(cluster.log[1..], ["Apply NetworkPolicy"]);
    let policy = object(&cluster, OwnedKind::NetworkPolicy).unwrap();
    assert_eq!(policy["spec"]["ingress"][0].get("from"), None);
}

#[test]
fn a_policy_that_is_not_wanted_is_taken_away_and_comes_back() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.change_spec(&json!({"collector": {"networkPolicy": {"enabled": false}}}));
    cluster.settle();
    assert_eq!(cluster.log, ["Delete NetworkPolicy"]);
    assert_eq!(cluster.condition("Ready").0, "True");
    cluster.change_spec(&json!({}));
    cluster.settle();
    assert_eq!(cluster.log[1..], ["Apply NetworkPolicy"]);
    assert_deletion_leaves_nothing(&mut cluster);
}

#[test]
fn a_policy_that_the_operator_may_not_write_is_named_although_the_collector_runs() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.refuses = Some(|step| match step {
        Step::Apply(desired) if desired.kind == OwnedKind::NetworkPolicy => Some(WriteFailure::Forbidden {
            verb: "patch",
            resource: "networkpolicies".to_owned(),
            name: ObjectName::new("alscope-system", &desired.name),
        }),
        _ => None,
    });
    cluster.change_spec(&json!({"collector": {"networkPolicy": {"prometheus": [{"podSelector": {}}]}}}));
    cluster.settle();
    let expected = (
        "False".to_owned(),
        "Forbidden".to_owned(),
        "the operator may not patch networkpolicies alscope-system/alscope-collector; give its service account this right, as \
         the chart's Role does"
            .to_owned(),
    );
    assert_eq!(cluster.condition("CollectorAvailable"), expected);
    assert_eq!(cluster.condition("Ready"), expected);
    assert_eq!(cluster.mesh_configured(), ("True".to_owned(), "Wired".to_owned()));
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
    cluster.refuses = None;
    cluster.settle();
    assert_eq!(cluster.log, ["Apply NetworkPolicy"]);
    assert_eq!(cluster.condition("Ready").0, "True");
}

#[test]
fn an_outage_of_the_collector_does_not_touch_the_mesh() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.rollout = Rollout::Held;
    cluster.break_collector();
    cluster.settle();
    assert_eq!(cluster.log, Vec::<String>::new());
    assert_eq!(cluster.mesh_configured(), ("True".to_owned(), "Wired".to_owned()));
    let (status, reason, _) = cluster.condition("CollectorAvailable");
    assert_eq!(
        (status.as_str(), reason.as_str()),
        ("False", "CollectorProgressing")
    );
    assert_eq!(cluster.status().state.as_deref(), Some("CollectorProgressing"));
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
}

#[test]
fn a_collector_without_replicas_is_not_wired_to() {
    let mut cluster = Cluster::stock(&json!({"collector": {"replicas": 0}}));
    cluster.settle();
    let (status, reason, _) = cluster.condition("CollectorAvailable");
    assert_eq!(
        (status.as_str(), reason.as_str()),
        ("False", "CollectorScaledToZero")
    );
    assert_eq!(
        cluster.mesh_configured(),
        ("False".to_owned(), "WaitingForCollector".to_owned())
    );
    assert_eq!(cluster.text("istio").as_deref(), Some(CHART));
    assert_eq!(cluster.backups(), []);
}

#[test]
fn a_collector_that_is_scaled_to_zero_leaves_a_wired_mesh_wired() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.change_spec(&json!({"collector": {"replicas": 0}}));
    cluster.settle();
    assert_eq!(cluster.log, ["Apply Deployment"]);
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
    assert_eq!(cluster.mesh_configured(), ("True".to_owned(), "Wired".to_owned()));
    assert_eq!(cluster.status().state.as_deref(), Some("CollectorScaledToZero"));
}

#[test]
fn another_image_is_one_write_of_the_deployment() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.change_spec(&json!({"collector": {"image": "registry.example/collector:2"}}));
    let steps = cluster.plan().steps;
    let [Step::Apply(desired)] = &steps[..] else {
        unreachable!("{:?}", names(&steps));
    };
    assert_eq!(
        desired.object.pointer("/spec/template/spec/containers/0/image"),
        Some(&json!("registry.example/collector:2"))
    );
    cluster.settle();
    assert_eq!(cluster.log, ["Apply Deployment"]);
    assert_eq!(
        cluster.status().collector.unwrap().image,
        "registry.example/collector:2"
    );
}

#[test]
fn an_upgrade_of_the_operator_brings_its_collector_with_it() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.settings.collector_image = "ghcr.io/alscope/collector:2".to_owned();
    cluster.settle();
    assert_eq!(cluster.log, ["Apply Deployment"]);
}

#[test]
fn an_old_configuration_stays_until_every_pod_has_the_new_one() {
    let mut cluster = Cluster::wired(&json!({}));
    let old = cluster
        .owned
        .iter()
        .find(|owned| owned.kind == OwnedKind::ConfigMap)
        .unwrap()
        .name
        .clone();
    // As of an older version of the operator, whose configuration was another.
    for owned in &mut cluster.owned {
        if owned.kind == OwnedKind::ConfigMap {
            owned.name = "alscope-collector-0000000000".to_owned();
        }
        if owned.kind == OwnedKind::Deployment {
            owned.object["spec"]["template"]["spec"]["volumes"][0]["configMap"]["name"] =
                json!("alscope-collector-0000000000");
        }
    }
    cluster.rollout = Rollout::Held;
    cluster.settle();
    assert_eq!(cluster.log, ["Apply ConfigMap", "Apply Deployment"]);
    let configurations = |cluster: &Cluster| {
        let of_kind = cluster
            .owned
            .iter()
            .filter(|owned| owned.kind == OwnedKind::ConfigMap);
        of_kind.map(|owned| owned.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        configurations(&cluster),
        ["alscope-collector-0000000000".to_owned(), old.clone()]
    );
    cluster.roll_out();
    cluster.settle();
    assert_eq!(cluster.log[2..], ["Delete ConfigMap"]);
    assert_eq!(configurations(&cluster), [old]);
}

#[test]
fn an_object_that_somebody_deleted_is_made_again() {
    for kind in OwnedKind::ALL {
        let mut cluster = Cluster::wired(&json!({"collector": {"autoscaling": {"maxReplicas": 3}}}));
        cluster.judged = crate::cluster::Judged::Never;
        cluster.owned.retain(|owned| owned.kind != kind);
        cluster.settle();
        let mut expected = vec![format!("Apply {}", kind.as_str())];
        if kind == OwnedKind::HorizontalPodAutoscaler {
            // Nobody may own the number of replicas any more.
            expected.insert(0, "KeepReplicas 1".to_owned());
        }
        assert_eq!(cluster.log, expected);
        assert_eq!(cluster.condition("Ready").0, "True");
        assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
    }
}

#[test]
fn what_somebody_else_sets_in_an_object_is_set_right_once() {
    let mut cluster = Cluster::wired(&json!({}));
    for owned in &mut cluster.owned {
        if owned.kind == OwnedKind::Deployment {
            owned.object["spec"]["replicas"] = json!(5);
        }
    }
    cluster.settle();
    assert_eq!(cluster.log, ["Apply Deployment"]);
}
