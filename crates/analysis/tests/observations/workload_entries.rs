//! A `WorkloadEntry` is a party as a pod is: a virtual machine, in one of Istio's networks.

use als_proto::messages::envoy::data::accesslog::v3::AccessLogCommon;
use als_proto::messages::envoy::service::accesslog::v3::stream_access_logs_message::Identifier;
use alscope_analysis::accounting::Unattributed;
use alscope_analysis::directory::records::{
    ObjectKey, ObjectKind, PodRecord, Record, SelectedPort, Selector, ServiceEntryRecord, ServiceRecord,
};
use alscope_analysis::port_protocol::PortProtocol;
use rstest::rstest;

use crate::entry::*;
use crate::mesh::*;
use crate::objects::texts;

const MACHINE: &str = "192.168.1.5";
/// The proxy of the machine: its name is that of the machine, not of the entry.
const MACHINE_NODE: &str = "sidecar~192.168.1.5~machine-5.demo~demo.svc.cluster.local";

fn machine(name: &str, network: &str) -> PodRecord {
    PodRecord {
        name: name.into(),
        namespace: "demo".into(),
        uid: format!("uid-{name}"),
        labels: [("app".into(), "billing".into()), ("version".into(), "v7".into())].into(),
        is_workload_entry: true,
        network: network.into(),
        named_ports: [("grpc-pay".into(), 7070)].into(),
        addresses: vec![MACHINE.parse().unwrap()],
        started: Some(at(STARTED)),
        ..PodRecord::default()
    }
}

/// A pod at the machine's address, in a network.
fn pod_there(network: &str) -> PodRecord {
    PodRecord {
        network: network.into(),
        ..pod("heir", MACHINE)
    }
}

fn selected_port(name: &str, target: Option<u16>) -> SelectedPort {
    SelectedPort {
        name: name.into(),
        target,
        protocol: PortProtocol::Grpc,
    }
}

fn selector(app: &str, ports: &[(&str, Option<u16>)]) -> Option<Selector> {
    Some(Selector {
        labels: [("app".into(), app.into())].into(),
        ports: ports
            .iter()
            .map(|(name, target)| selected_port(name, *target))
            .collect(),
    })
}

fn service_entry(name: &str, created: i64, selector: Option<Selector>) -> Record {
    Record::ServiceEntry(ServiceEntryRecord {
        export_to: vec![],
        name: name.into(),
        namespace: "demo".into(),
        labels: [].into(),
        annotations: [].into(),
        selector,
        hosts: vec![format!("{name}.example.com")],
        addresses: vec![],
        ports: vec![port(80)],
        created: at(created),
    })
}

fn service(name: &str, selector: Option<Selector>) -> Record {
    Record::Service(ServiceRecord {
        name: name.into(),
        namespace: "demo".into(),
        labels: [].into(),
        annotations: [].into(),
        selector,
        addresses: vec![],
        ports: vec![port(80)],
        created: at(STARTED),
    })
}

fn mesh_with(records: impl IntoIterator<Item = Record>) -> Mesh {
    let mut mesh = Mesh::new();
    mesh.directory = directory_with(records);
    mesh
}

fn to_machine() -> AccessLogCommon {
    common(
        socket(PRODUCTPAGE, 40_000),
        socket("240.240.0.1", 80),
        socket(MACHINE, 7070),
        "outbound|80||billing.example.com",
    )
}

fn at_machine() -> AccessLogCommon {
    common(
        socket(PRODUCTPAGE, 40_000),
        socket(MACHINE, 7070),
        socket(MACHINE, 7070),
        "inbound|7070||",
    )
}

fn from_machine() -> AccessLogCommon {
    common(
        socket(MACHINE, 40_000),
        socket(REVIEWS_SERVICE, 9080),
        socket(REVIEWS, 9080),
        REVIEWS_CLUSTER,
    )
}

// proves: k8s-mesh/workload-entry
#[test]
fn a_machine_calls_and_is_called_with_its_labels() {
    let mut mesh = mesh_with([Record::WorkloadEntry(machine("billing-1", ""))]);
    mesh.take(PRODUCTPAGE_NODE, ok(to_machine()));
    mesh.take(MACHINE_NODE, ok(at_machine()));
    mesh.take(MACHINE_NODE, ok(from_machine()));
    assert_eq!(
        mesh.edges(),
        [
            "destination: productpage -> billing-1",
            "source: billing-1 -> reviews",
            "source: productpage -> billing-1"
        ]
    );
    assert_eq!(mesh.accounting().attributed, 3);
    for (labels, _) in mesh.http() {
        let side = if labels.get("source_workload") == "billing-1" {
            "source"
        } else {
            "destination"
        };
        let of_machine = [
            "app",
            "version",
            "canonical_service",
            "canonical_revision",
            "workload_namespace",
            "cluster",
        ];
        let values = of_machine.map(|name| labels.all()[&*format!("{side}_{name}")].to_owned());
        assert_eq!(values, ["billing", "v7", "billing", "v7", "demo", "Kubernetes"]);
    }
}

// proves: k8s-mesh/workload-entry
#[test]
fn a_machine_is_there_from_its_beginning_to_its_end() {
    let mut state = state();
    state.apply(Record::WorkloadEntry(machine("billing-1", "")), at(STARTED));
    let moved = PodRecord {
        addresses: vec!["192.168.1.6".parse().unwrap()],
        ..machine("billing-1", "")
    };
    state.apply(Record::WorkloadEntry(moved), at(1_500));
    state.delete(&Record::WorkloadEntry(machine("billing-1", "")).key(), at(1_800));
    let directory = state.publish().unwrap();
    let workload = |address: &str, start| {
        let found = directory.query().owner(address.parse().unwrap(), None, at(start));
        match found.owner {
            alscope_analysis::directory::Owner::Pod(pod) => pod.workload.to_string(),
            _ => "-".to_owned(),
        }
    };
    let found = [
        (MACHINE, 1_499),
        (MACHINE, 1_500),
        ("192.168.1.6", 1_494),
        ("192.168.1.6", 1_500),
        ("192.168.1.6", 1_800),
    ];
    assert_eq!(
        found.map(|(address, start)| workload(address, start)),
        ["billing-1", "-", "-", "billing-1", "-"]
    );
}

// proves: k8s-mesh/workload-entry
#[test]
fn a_list_of_pods_says_nothing_of_machines_nor_one_of_machines_of_pods() {
    let mut state = state();
    state.apply(Record::WorkloadEntry(machine("billing-1", "")), at(STARTED));
    state.begin_list(ObjectKind::Pod);
    for (workload, address) in [
        ("productpage", PRODUCTPAGE),
        ("reviews", REVIEWS),
        ("gateway", GATEWAY),
    ] {
        state.apply(Record::Pod(pod(workload, address)), at(1_500));
    }
    state.end_list(ObjectKind::Pod, at(1_500));
    let mut mesh = Mesh::new();
    mesh.directory = state.publish().unwrap();
    mesh.take(PRODUCTPAGE_NODE, ok(to_machine()));
    state.begin_list(ObjectKind::WorkloadEntry);
    state.end_list(ObjectKind::WorkloadEntry, at(1_600));
    mesh.directory = state.publish().unwrap();
    mesh.take(PRODUCTPAGE_NODE, ok(to_machine()));
    assert_eq!(
        mesh.edges(),
        [
            "source: productpage -> billing-1",
            "source: productpage -> unknown"
        ]
    );
}

// proves: k8s-mesh/workload-entry-name
#[test]
fn a_machine_whose_address_is_a_name_is_known_where_it_reports_by_the_entrys_name() {
    let named = PodRecord {
        addresses: vec![],
        ..machine("machine-5", "")
    };
    let mut mesh = mesh_with([Record::WorkloadEntry(named)]);
    mesh.take(MACHINE_NODE, ok(from_machine()));
    mesh.take(PRODUCTPAGE_NODE, ok(to_machine()));
    assert_eq!(
        mesh.edges(),
        ["source: machine-5 -> reviews", "source: productpage -> unknown"]
    );
    assert_eq!(mesh.accounting().parties_unattributed(Unattributed::NotFound), 1);
}

#[rstest]
#[case::nobody(&[], "billing", "billing")]
// proves: labels/service-of-selector
#[case::service_entry(&[service_entry("billing", 500, selector("billing", &[("grpc-pay", Some(80))]))], "billing.example.com", "billing.example.com")]
// proves: labels/service-of-selector
#[case::by_target_port(&[service_entry("billing", 500, selector("billing", &[("other", Some(80)), ("x", Some(7070))]))], "billing.example.com", "billing.example.com")]
// proves: labels/service-of-selector
#[case::oldest(&[service_entry("young", 900, selector("billing", &[("grpc-pay", None)])), service_entry("old", 500, selector("billing", &[("grpc-pay", None)]))],
    "old.example.com", "old.example.com")]
#[case::of_other_labels(&[service_entry("billing", 500, selector("other", &[("grpc-pay", None)]))], "billing", "billing")]
#[case::of_another_port(&[service_entry("billing", 500, selector("billing", &[("x", Some(80))]))], "billing", "billing")]
#[case::that_selects_nobody(&[service_entry("billing", 500, None)], "billing", "billing")]
// proves: labels/service-of-selector
#[case::service(&[service("pay", selector("billing", &[("grpc-pay", None)]))], "pay.demo.svc.cluster.local", "pay")]
// proves: labels/service-of-selector
#[case::service_first(&[service_entry("billing", 500, selector("billing", &[("grpc-pay", None)])), service("pay", selector("billing", &[("grpc-pay", None)]))],
    "pay.demo.svc.cluster.local", "pay")]
#[case::service_of_an_unnamed_port(&[service("pay", selector("billing", &[("explicit", None)]))], "billing", "billing")]
fn a_machines_service_is_who_selects_it(#[case] records: &[Record], #[case] host: &str, #[case] name: &str) {
    let entry = Record::WorkloadEntry(machine("billing-1", ""));
    let mut in_order = vec![entry.clone()];
    in_order.extend_from_slice(records);
    let mut reversed = in_order.clone();
    reversed.reverse();
    for records in [in_order, reversed] {
        let mut mesh = mesh_with(records);
        mesh.take(MACHINE_NODE, tcp(at_machine(), 1, 1));
        let (labels, _) = mesh.tcp().remove(0);
        assert_eq!(
            (
                labels.get("destination_service"),
                labels.get("destination_service_name")
            ),
            (host, name)
        );
    }
}

// proves: labels/service-of-selector
#[test]
fn a_service_entry_selects_pods_too() {
    let entry = service_entry("legacy", 500, selector("productpage", &[("http", Some(7000))]));
    let mut mesh = mesh_with([entry]);
    let inbound = common(
        socket(REVIEWS, 40_000),
        socket(PRODUCTPAGE, 7000),
        socket(PRODUCTPAGE, 7000),
        "inbound|7000||",
    );
    mesh.take(PRODUCTPAGE_NODE, tcp(inbound, 1, 1));
    let (labels, _) = mesh.tcp().remove(0);
    assert_eq!(labels.get("destination_service"), "legacy.example.com");
}

// proves: labels/service-of-selector
#[test]
fn a_selection_ends_with_the_object_that_made_it() {
    let selecting = [
        service("pay", selector("billing", &[("grpc-pay", None)])),
        service_entry("billing", 500, selector("billing", &[("grpc-pay", None)])),
    ];
    let mut state = state();
    state.apply(Record::WorkloadEntry(machine("billing-1", "")), at(STARTED));
    for record in &selecting {
        state.apply(record.clone(), at(STARTED));
    }
    let mut hosts = Vec::new();
    for gone in [None, Some(&selecting[0]), Some(&selecting[1])] {
        if let Some(gone) = gone {
            state.delete(&gone.key(), at(1_500));
        }
        let mut mesh = Mesh::new();
        mesh.directory = state.publish().unwrap();
        mesh.take(MACHINE_NODE, tcp(at_machine(), 1, 1));
        hosts.push(mesh.tcp().remove(0).0.get("destination_service").to_owned());
    }
    assert_eq!(
        hosts,
        ["pay.demo.svc.cluster.local", "billing.example.com", "billing"]
    );
}

/// A proxy of the mesh that is in this network.
fn in_network(node: &str, network: &str) -> Identifier {
    identifier_with(node, texts(&[("CLUSTER_ID", "Kubernetes"), ("NETWORK", network)]))
}

fn entry_of(name: &str, network: &str) -> Record {
    Record::WorkloadEntry(machine(name, network))
}

#[rstest]
// proves: directory/network
#[case::nobody_tells(&[entry_of("vm", "")], "", "vm")]
// proves: directory/network
#[case::the_proxy_does_not_tell(&[entry_of("vm", "west")], "", "vm")]
// proves: directory/network
#[case::the_entry_does_not_tell(&[entry_of("vm", "")], "west", "vm")]
// proves: directory/network
#[case::the_same(&[entry_of("vm", "west")], "west", "vm")]
// proves: directory/network
#[case::another(&[entry_of("vm", "east")], "west", "unknown")]
// proves: directory/network
#[case::one_of_two_is_the_proxys(&[entry_of("vm", "west"), entry_of("other", "east")], "west", "vm")]
// proves: directory/network
#[case::one_of_two_is_certainly_the_proxys(&[entry_of("vm", "west"), entry_of("other", "")], "west", "vm")]
// proves: directory/ambiguous
#[case::any_of_two(&[entry_of("vm", "west"), entry_of("other", "east")], "", "?")]
// proves: directory/ambiguous
#[case::two_of_one(&[entry_of("vm", "west"), entry_of("other", "west")], "west", "?")]
// proves: k8s-mesh/pod-first
#[case::pod_where_networks_do_not_tell(&[entry_of("vm", ""), Record::Pod(pod_there(""))], "", "heir")]
// proves: k8s-mesh/pod-first
#[case::pod_of_the_same_network(&[entry_of("vm", "west"), Record::Pod(pod_there("west"))], "west", "heir")]
// proves: directory/network
#[case::pod_of_another_network(&[entry_of("vm", "west"), Record::Pod(pod_there("east"))], "west", "vm")]
// proves: directory/network
#[case::pod_of_nobody_knows_which(&[entry_of("vm", "west"), Record::Pod(pod_there(""))], "west", "vm")]
// proves: directory/network
#[case::pod_alone_of_another_network(&[Record::Pod(pod_there("east"))], "west", "unknown")]
fn an_address_is_whose_it_is_in_the_proxys_network(
    #[case] records: &[Record],
    #[case] network: &str,
    #[case] expected: &str,
) {
    let mut mesh = mesh_with(records.iter().cloned());
    mesh.take_from(in_network(PRODUCTPAGE_NODE, network), ok(to_machine()));
    let ambiguous = mesh.accounting().parties_unattributed(Unattributed::Ambiguous);
    assert_eq!(ambiguous, u64::from(expected == "?"));
    let expected = expected.replace('?', "unknown");
    assert_eq!(mesh.edges(), [format!("source: productpage -> {expected}")]);
}

// proves: directory/network
#[test]
fn a_label_tells_a_pods_network() {
    let mut labelled = pod_there("");
    labelled
        .labels
        .insert("topology.istio.io/network".into(), "east".into());
    let mut mesh = mesh_with([Record::Pod(labelled)]);
    mesh.take_from(in_network(PRODUCTPAGE_NODE, "west"), ok(to_machine()));
    mesh.take_from(in_network(PRODUCTPAGE_NODE, "east"), ok(to_machine()));
    assert_eq!(
        mesh.edges(),
        ["source: productpage -> heir", "source: productpage -> unknown"]
    );
}

#[test]
fn a_key_is_the_uid() {
    let key = entry_of("vm", "").key();
    assert_eq!(
        key,
        ObjectKey {
            kind: ObjectKind::WorkloadEntry,
            id: "uid-vm".into()
        }
    );
}
