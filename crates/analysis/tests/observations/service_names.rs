//! What SkyWalking's users know the two ends of a call by: names of services by rules, beside the labels of series.

#![expect(clippy::panic, reason = "a test may fail")]

use als_proto::messages::envoy::data::accesslog::v3::AccessLogCommon;
use alscope_analysis::aggregate::registry::Registry;
use alscope_analysis::analyze::k8s_mesh::Lookup;
use alscope_analysis::chain::Analyzer::{self, K8sMesh, MxMesh};
use alscope_analysis::chain::Chain;
use alscope_analysis::directory::Directory;
use alscope_analysis::directory::naming_rules::NamingRules;
use alscope_analysis::directory::records::{EndpointSliceRecord, Record, ServiceEntryRecord, ServiceRecord};
use alscope_analysis::directory::state::DirectoryState;
use alscope_analysis::directory::validity::Validity;
use alscope_analysis::identify::{Identified, IdentifiedObservation, look_up};
use alscope_naming::kubernetes_name::{istio_service_name, k8s_service_name};
use prost_types::Any;
use rstest::rstest;

use crate::connection::{connection, read_identity};
use crate::entry::*;
use crate::mesh::*;
use crate::objects::*;

/// The names of the caller and of whom it called, of a sidecar's connection that started at `start`; and when they hold.
fn names(
    directory: &Directory,
    chain: &[Analyzer],
    (node, common): (&str, AccessLogCommon),
    start: i64,
) -> ([String; 2], Validity) {
    let registry = Registry::default();
    let chain = Chain::new(chain.iter().copied());
    let message = connection(node, common);
    let answer = read_identity(&message, &registry, chain, "", |node, identity| {
        let mut lookup = Lookup::new(directory, node, at(start));
        look_up(chain, &identity.decode().unwrap(), &mut lookup, &registry)
    });
    let Identified::Observations(observation, None) = answer.identified else {
        panic!("a sidecar's connection is one observation")
    };
    let IdentifiedObservation {
        source_name,
        destination_name,
        ..
    } = observation;
    let names = [source_name, destination_name].map(|name| registry.text(name).to_string());
    (names, answer.validity)
}

/// The state of the mesh with these rules; a blank one is the default.
fn with_naming_rules(k8s: &str, istio: &str) -> DirectoryState {
    let default = NamingRules::default();
    let rules = NamingRules {
        k8s: match k8s {
            "" => default.k8s,
            rule => k8s_service_name(rule).unwrap(),
        },
        istio: istio_service_name(istio).unwrap(),
    };
    in_mesh(DirectoryState::default().with_naming_rules(rules))
}

fn directory_of(mut state: DirectoryState, records: Vec<Record>) -> Directory {
    for record in records {
        state.apply(record, at(STARTED));
    }
    state.publish().unwrap()
}

/// What productpage's sidecar says of a connection to `address`, through no cluster that names a host.
fn to(address: &str, port: u32) -> (&'static str, AccessLogCommon) {
    let common = common(
        socket(PRODUCTPAGE, 40_000),
        socket(address, port),
        socket(address, port),
        "PassthroughCluster",
    );
    (PRODUCTPAGE_NODE, common)
}

/// A Service with a label and an annotation, and the slice by which it sends to `port` of reviews.
fn service(name: &str, created: i64, port_number: u16) -> [Record; 2] {
    let record = ServiceRecord {
        name: name.into(),
        namespace: "demo".into(),
        labels: [("team".into(), format!("{name}-team"))].into(),
        annotations: [("example.com/alias".into(), format!("{name}-alias"))].into(),
        selector: None,
        addresses: vec![],
        ports: vec![port(80)],
        created: at(created),
    };
    let slice = EndpointSliceRecord {
        name: format!("{name}-slice"),
        namespace: "demo".into(),
        service: name.into(),
        ports: vec![port(port_number)],
        pods: vec!["uid-reviews".into()],
        addresses: vec![],
        created: at(created),
    };
    [Record::Service(record), Record::EndpointSlice(slice)]
}

/// reviews with these labels beside the ones of every pod, and with an annotation.
fn reviews(labels: &[(&str, &str)]) -> Record {
    let mut record = pod("reviews", REVIEWS);
    record
        .labels
        .extend(labels.iter().map(|(key, value)| ((*key).into(), (*value).into())));
    record.annotations = [("team".into(), "red".into())].into();
    Record::Pod(record)
}

const CANONICAL: &str = "service.istio.io/canonical-name";

#[rstest]
// proves: names/default-rule
#[case::canonical_name("", &[(CANONICAL, "shop")], "shop.demo")]
// proves: names/default-rule, names/canonical-name
#[case::app("", &[], "reviews.demo")]
// proves: names/canonical-name
#[case::workload("", &[("app", "")], "reviews.demo")]
// proves: names/rule
#[case::label("${pod.metadata.labels.tier}-${pod.metadata.namespace}", &[("tier", "back")], "back-demo")]
#[case::group("mesh::${pod.metadata.labels.app}", &[], "mesh::reviews")]
// proves: names/rule
#[case::annotation("${pod.metadata.annotations.team}", &[], "red")]
// proves: names/rule
#[case::pod("${pod.metadata.name}", &[], "reviews-7d9f-x")]
// proves: names/missing
#[case::missing("${pod.metadata.labels.tier}.${pod.metadata.namespace}", &[], "-.demo")]
// proves: names/alternatives
#[case::second("${pod.metadata.labels.tier,pod.metadata.labels.app}", &[], "reviews")]
// proves: names/alternatives
#[case::first("${pod.metadata.labels.tier,pod.metadata.labels.app}", &[("tier", "back")], "back")]
// proves: names/service-of-pod
#[case::service("${service.metadata.name}.${service.metadata.namespace}", &[], "reviews.demo")]
// proves: names/alternatives
#[case::service_label("${service.metadata.labels.team,pod.metadata.labels.app}", &[], "reviews")]
fn a_pod_is_named_by_its_metadata(
    #[case] rule: &str,
    #[case] labels: &[(&str, &str)],
    #[case] expected: &str,
) {
    let directory = directory_of(with_naming_rules(rule, ""), vec![reviews(labels)]);
    let ([_, called], _) = names(&directory, &[K8sMesh], to(REVIEWS, 9080), NOW);
    assert_eq!(called, expected);
    let calls = common(
        socket(REVIEWS, 40_000),
        socket(REVIEWS, 1),
        None,
        "PassthroughCluster",
    );
    let ([caller, _], _) = names(&directory, &[K8sMesh], (REVIEWS_NODE, calls), NOW);
    assert_eq!(caller, expected);
}

const SERVICE: &str = "${service.metadata.name}/${service.metadata.labels.team}/\
                       ${service.metadata.annotations.(example.com/alias)}";

#[rstest]
// proves: names/service-of-pod
#[case::older("older", 10, 9080, "older/older-team/older-alias")]
// proves: names/service-of-pod
#[case::older_at_another_port("older", 10, 7000, "older/older-team/older-alias")]
#[case::younger("younger", STARTED + 1, 9080, "reviews/-/-")]
// proves: names/service-of-pod
#[case::as_old_and_first_by_name("a", STARTED, 9080, "a/a-team/a-alias")]
#[case::as_old_and_last_by_name("z", STARTED, 9080, "reviews/-/-")]
fn of_several_services_the_oldest_names_a_pod_whatever_port_is_called(
    #[case] name: &str,
    #[case] created: i64,
    #[case] port: u16,
    #[case] expected: &str,
) {
    let directory = directory_of(
        with_naming_rules(SERVICE, ""),
        service(name, created, port).into(),
    );
    let ([_, called], _) = names(&directory, &[K8sMesh], to(REVIEWS, 9080), NOW);
    assert_eq!(called, expected);
}

// proves: names/missing
#[test]
fn a_pod_without_a_service_has_none_of_its_metadata() {
    let directory = directory_of(with_naming_rules(SERVICE, ""), vec![]);
    let ([caller, _], _) = names(&directory, &[K8sMesh], to(REVIEWS, 9080), NOW);
    assert_eq!(caller, "-/-/-");
}

// proves: names/service-of-pod
#[test]
fn a_service_without_ports_names_its_pods() {
    let [record, slice] = service("headless", 10, 0);
    let Record::EndpointSlice(slice) = slice else {
        panic!("no slice")
    };
    let slice = Record::EndpointSlice(EndpointSliceRecord {
        ports: vec![],
        ..slice
    });
    let directory = directory_of(with_naming_rules(SERVICE, ""), vec![record, slice]);
    let ([_, called], _) = names(&directory, &[K8sMesh], to(REVIEWS, 9080), NOW);
    assert_eq!(called, "headless/headless-team/headless-alias");
}

fn entry(name: &str, labels: &[(&str, &str)]) -> Record {
    let labels = labels.iter();
    Record::ServiceEntry(ServiceEntryRecord {
        name: name.into(),
        namespace: "outside".into(),
        labels: labels
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect(),
        annotations: [("owner".into(), "blue".into())].into(),
        selector: None,
        hosts: vec!["legacy.example.com".into(), "old.example.com".into()],
        addresses: vec!["198.51.100.0/24".parse().unwrap()],
        export_to: vec![],
        ports: vec![port(443)],
        created: at(STARTED),
    })
}

#[rstest]
// proves: names/service-entry
#[case::default_rule("", &[], "legacy.outside")]
// proves: names/service-entry
#[case::label("external::${serviceEntry.metadata.labels.team}", &[("team", "red")], "external::red")]
// proves: names/service-entry
#[case::annotation("${serviceEntry.metadata.labels.team,serviceEntry.metadata.annotations.owner}", &[], "blue")]
// proves: names/missing
#[case::missing("${serviceEntry.metadata.labels.team}", &[], "-")]
fn a_host_outside_is_named_by_its_service_entry(
    #[case] rule: &str,
    #[case] labels: &[(&str, &str)],
    #[case] expected: &str,
) {
    let directory = directory_of(with_naming_rules("never", rule), vec![entry("legacy", labels)]);
    let ([_, by_address], _) = names(&directory, &[K8sMesh], to("198.51.100.7", 443), NOW);
    let (node, mut common) = to("203.0.113.5", 443);
    common.upstream_cluster = "outbound|443||old.example.com".into();
    let ([_, by_host], _) = names(&directory, &[K8sMesh], (node, common), NOW);
    assert_eq!([by_address.as_str(), by_host.as_str()], [expected, expected]);
}

/// The Service `database`, whose only endpoint is no pod.
fn database() -> Vec<Record> {
    let [Record::Service(service), Record::EndpointSlice(slice)] = service("database", STARTED, 5432) else {
        panic!("a Service and its slice")
    };
    let addresses = vec!["192.0.2.7".parse().unwrap()];
    let slice = EndpointSliceRecord {
        pods: vec![],
        addresses,
        ..slice
    };
    vec![Record::EndpointSlice(slice), Record::Service(service)]
}

#[rstest]
// proves: names/service-address
#[case::service_by_default("", REVIEWS_SERVICE, "reviews.demo")]
// proves: names/service-address
#[case::service(SERVICE, REVIEWS_SERVICE, "reviews/-/-")]
// proves: names/service-address
#[case::label_of_pods("${pod.metadata.labels.app}", REVIEWS_SERVICE, "-")]
// proves: names/service-address
#[case::endpoint_by_default("", "192.0.2.7", "database.demo")]
// proves: names/service-address
#[case::endpoint(SERVICE, "192.0.2.7", "database/database-team/database-alias")]
// proves: names/unknown
#[case::nobody("", "203.0.113.5", "unknown")]
// proves: names/unknown
#[case::node("", NODE, "unknown")]
fn an_address_without_a_pod_is_its_service(
    #[case] rule: &str,
    #[case] address: &str,
    #[case] expected: &str,
) {
    let directory = directory_of(with_naming_rules(rule, ""), database());
    let ([_, called], _) = names(&directory, &[K8sMesh], to(address, 5432), NOW);
    assert_eq!(called, expected);
}

// proves: names/history
#[test]
fn an_address_of_a_service_that_is_gone_has_its_name_and_not_that_of_its_successor() {
    let service = |created, team: &str| {
        Record::Service(ServiceRecord {
            name: "web".into(),
            namespace: "demo".into(),
            labels: [("team".into(), team.into())].into(),
            annotations: [].into(),
            selector: None,
            addresses: vec!["10.96.0.7".parse().unwrap()],
            ports: vec![port(80)],
            created: at(created),
        })
    };
    let mut state = with_naming_rules("${service.metadata.labels.team}", "");
    state.apply(service(STARTED, "red"), at(STARTED));
    state.delete(&service(STARTED, "red").key(), at(NOW - 100));
    state.apply(service(NOW - 90, "blue"), at(NOW - 90));
    let directory = state.publish().unwrap();
    let called = [NOW - 200, NOW - 80].map(|start| {
        let ([_, called], _) = names(&directory, &[K8sMesh], to("10.96.0.7", 80), start);
        called
    });
    assert_eq!(called, ["red", "blue"]);
}

#[test]
fn an_endpoint_whose_service_is_not_listed_has_its_name() {
    let directory = directory_of(
        with_naming_rules(SERVICE, ""),
        database().into_iter().take(1).collect(),
    );
    let ([_, called], _) = names(&directory, &[K8sMesh], to("192.0.2.7", 5432), NOW);
    assert_eq!(called, "database/-/-");
}

#[rstest]
// proves: names/peer
#[case::canonical_name(any_struct(&texts(&[("service", "shop"), ("workload", "shop-v1"), ("namespace", "demo")])), "shop.demo")]
// proves: names/peer
#[case::app(any_struct(&texts(&[("app", "shop"), ("workload", "shop-v1"), ("namespace", "demo")])), "shop.demo")]
// proves: names/peer
#[case::workload(any_struct(&texts(&[("workload", "shop-v1"), ("namespace", "demo")])), "shop-v1.demo")]
// proves: names/peer
#[case::node_metadata(
    any_struct(&with_labels(&[("NAMESPACE", "demo"), ("WORKLOAD_NAME", "shop-v1")], "LABELS", &[(CANONICAL, "shop")])),
    "shop.demo"
)]
// proves: names/missing
#[case::no_namespace(any_struct(&texts(&[("service", "shop")])), "shop.-")]
#[case::nobody(any_struct(&texts(&[])), "unknown")]
fn a_described_workload_is_named_by_skywalkings_mapping(#[case] peer: Any, #[case] expected: &str) {
    let (node, mut common) = to("203.0.113.5", 9080);
    common.filter_state_objects = [("upstream_peer".to_owned(), peer)].into();
    let directory = directory_of(with_naming_rules("never", ""), vec![]);
    let ([caller, called], validity) = names(&directory, &[MxMesh], (node, common), NOW);
    // What productpage's node says of itself names no workload.
    assert_eq!([caller.as_str(), called.as_str()], ["unknown", expected]);
    assert_eq!(validity, Validity::ALWAYS);
}

// proves: names/history
#[test]
fn a_call_has_the_name_of_its_time_and_a_remembered_answer_no_other() {
    let mut state = with_naming_rules("${pod.metadata.labels.tier}", "");
    state.apply(reviews(&[("tier", "blue")]), at(STARTED));
    state.apply(reviews(&[("tier", "green")]), at(NOW));
    let directory = state.publish().unwrap();
    let called = |start| {
        let ([_, called], validity) = names(&directory, &[K8sMesh], to(REVIEWS, 9080), start);
        (called, validity.contains(at(NOW - 1)), validity.contains(at(NOW)))
    };
    assert_eq!(called(NOW - 1), ("blue".to_owned(), true, false));
    assert_eq!(called(NOW), ("green".to_owned(), false, true));
}
