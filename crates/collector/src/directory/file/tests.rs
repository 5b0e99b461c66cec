mod naming;
mod unreadable;

use std::net::IpAddr;

use alscope_analysis::directory::scope::Scope;
use alscope_analysis::directory::{Directory, ExternalHost, Owner, protocol_of};
use alscope_analysis::moment::Moment;
use alscope_analysis::port_protocol::PortProtocol;
use alscope_analysis::role::Role;
use alscope_naming::kubernetes_name::k8s_service_name;
use rstest::rstest;

use super::*;
use crate::directory::objects::Object as _;

/// As `kubectl get … -o yaml` prints it, with fields that no rule reads.
const LIST: &str = r#"
apiVersion: v1
items:
- apiVersion: v1
  kind: Pod
  metadata:
    name: reviews-v1-5d4f-abcde
    generateName: reviews-v1-5d4f-
    namespace: demo
    uid: 0d3c7a
    creationTimestamp: "2026-01-01T00:00:00Z"
    labels: {app: reviews, version: v1, pod-template-hash: 5d4f, unused: "yes"}
    ownerReferences:
    - {apiVersion: apps/v1, kind: ReplicaSet, name: reviews-v1-5d4f, uid: "1", controller: true, blockOwnerDeletion: true}
  spec:
    containers: [{name: app, image: x, ports: [{containerPort: 9080}]}]
    nodeName: node0
  status:
    phase: Running
    podIP: 10.0.0.2
    podIPs: [{ip: 10.0.0.2}, {ip: "fd00::2"}]
    hostIP: 10.0.0.100
    startTime: "2026-01-01T00:00:10Z"
- apiVersion: v1
  kind: Pod
  metadata: {name: done, namespace: demo, uid: 1e4d8b}
  spec: {containers: []}
  status:
    phase: Succeeded
    podIP: 10.0.0.3
    startTime: "2026-01-01T00:00:10Z"
    containerStatuses:
    - {name: a, image: x, imageID: x, ready: false, restartCount: 0, state: {terminated: {exitCode: 0, finishedAt: "2026-01-01T00:01:00Z"}}}
    - {name: b, image: x, imageID: x, ready: false, restartCount: 0, state: {terminated: {exitCode: 0, finishedAt: "2026-01-01T00:02:00Z"}}}
- apiVersion: v1
  kind: Service
  metadata: {name: reviews, namespace: demo, creationTimestamp: "2026-01-01T00:00:00Z"}
  spec: {clusterIP: 10.96.0.2, clusterIPs: [10.96.0.2], ports: [{port: 9080, name: http-web}]}
- apiVersion: v1
  kind: Service
  metadata: {name: edge, namespace: demo}
  spec: {clusterIP: 10.96.0.9, clusterIPs: [10.96.0.9, "fd00:96::9"], externalIPs: [192.0.2.1]}
  status: {loadBalancer: {ingress: [{ip: 192.0.2.2}, {hostname: edge.example.com}]}}
- apiVersion: v1
  kind: Service
  metadata: {name: headless, namespace: demo}
  spec: {clusterIP: None, clusterIPs: [None]}
- apiVersion: discovery.k8s.io/v1
  kind: EndpointSlice
  addressType: IPv4
  metadata: {name: reviews-xyz, namespace: demo, labels: {kubernetes.io/service-name: reviews}}
  endpoints:
  - addresses: [10.0.0.2]
    targetRef: {kind: Pod, name: reviews-v1-5d4f-abcde, namespace: demo, uid: 0d3c7a}
  ports: [{name: http, port: 9080, protocol: TCP}]
- apiVersion: discovery.k8s.io/v1
  kind: EndpointSlice
  addressType: IPv4
  metadata: {name: database-manual, namespace: demo, labels: {kubernetes.io/service-name: database}}
  endpoints: [{addresses: [192.0.2.7]}]
  ports: [{name: tcp-db, port: 5432, protocol: TCP}]
- apiVersion: networking.istio.io/v1
  kind: ServiceEntry
  metadata: {name: legacy, namespace: outside, creationTimestamp: "2026-01-01T00:00:00Z"}
  spec:
    hosts: [legacy.example.com]
    addresses: [198.51.100.0/24]
    resolution: STATIC
    endpoints: [{address: 192.0.2.9}, {address: unix:///run/x.sock}]
    ports: [{number: 443, name: https, protocol: HTTPS}]
- apiVersion: networking.istio.io/v1
  kind: ServiceEntry
  metadata: {name: api, namespace: outside}
  spec: {hosts: [api.example.com], addresses: [203.0.113.5], resolution: DNS, ports: [{number: 443, name: grpc-api, protocol: GRPC}]}
- apiVersion: v1
  kind: Node
  metadata: {name: node0}
  status: {addresses: [{type: InternalIP, address: 10.0.0.100}, {type: Hostname, address: node0}]}
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: ignored, namespace: demo}
kind: List
metadata: {resourceVersion: ""}
"#;

/// Reads a file in which everything can be decoded, and returns its directory.
fn parse(text: &str, mut state: DirectoryState) -> Result<Directory, FileError> {
    let rules = state.naming_rules().clone();
    super::parse(text, Path::new("cluster.yaml"), &rules, |item| {
        state.apply(item.unwrap(), clock::now());
    })?;
    Ok(state.publish().unwrap_or_default())
}

/// Converts a List from YAML to JSON.
fn json(yaml: &str) -> String {
    serde_saphyr::from_str::<Value>(yaml).unwrap().to_string()
}

fn at(time: &str) -> Moment {
    let time: jiff::Timestamp = time.parse().unwrap();
    Moment::from_unix(time.as_second(), 0)
}

/// Returns the outside host with this name that a sidecar of `namespace` sees.
fn external<'a>(directory: &'a Directory, host: &str, namespace: &str) -> Option<&'a ExternalHost> {
    let scope = Scope {
        namespace,
        role: Role::Sidecar,
        port: 443,
    };
    directory.query().external_host(host, &scope)
}

fn owner(directory: &Directory, address: &str, time: &str) -> String {
    let address: IpAddr = address.parse().unwrap();
    described(directory, &directory.query().owner(address, None, at(time)).owner)
}

fn described(directory: &Directory, owner: &Owner<'_>) -> String {
    match owner {
        Owner::Pod(pod) => {
            let service = directory
                .query()
                .service_of(pod, 9080)
                .map_or("-", |oldest| &oldest.service.name);
            format!(
                "{} {} {} {service}",
                pod.workload, pod.canonical_service, pod.canonical_revision
            )
        }
        Owner::Service(service) => format!("service {}", service.name),
        Owner::External(external) => format!("external {}.{}", external.host, external.namespace),
        Owner::Unknown(reason) => reason.as_str().to_owned(),
    }
}

#[rstest]
#[case::as_yaml(LIST.to_owned())]
#[case::as_json(json(LIST))]
fn what_kubectl_prints_becomes_the_directory(#[case] text: String) {
    let directory = parse(&text, DirectoryState::default()).unwrap();
    let later = "2026-01-02T00:00:00Z";
    assert_eq!(
        owner(&directory, "10.0.0.2", later),
        "reviews-v1 reviews v1 reviews"
    );
    assert_eq!(
        owner(&directory, "fd00::2", later),
        "reviews-v1 reviews v1 reviews"
    );
    assert_eq!(
        owner(&directory, "10.0.0.2", "2026-01-01T00:00:00Z"),
        "before-history"
    );
    assert_eq!(owner(&directory, "10.96.0.2", later), "service reviews");
    for address in ["10.96.0.9", "fd00:96::9", "192.0.2.1", "192.0.2.2"] {
        assert_eq!(owner(&directory, address, later), "service edge");
    }
    assert_eq!(owner(&directory, "10.0.0.100", later), "node-address");
    assert_eq!(
        owner(&directory, "10.0.0.3", "2026-01-01T00:02:00Z"),
        "done done latest -"
    );
    assert_eq!(owner(&directory, "10.0.0.3", "2026-01-01T00:02:01Z"), "not-found");
}

#[test]
fn what_is_outside_is_in_the_directory_by_address_or_by_host() {
    let directory = parse(LIST, DirectoryState::default()).unwrap();
    let owner = |address| owner(&directory, address, "2026-01-02T00:00:00Z");
    assert_eq!(owner("192.0.2.7"), "service database");
    assert_eq!(owner("192.0.2.9"), "external legacy.example.com.outside");
    assert_eq!(owner("198.51.100.255"), "external legacy.example.com.outside");
    assert_eq!(owner("203.0.113.5"), "not-found");
    let api = external(&directory, "api.example.com", "demo").unwrap();
    assert_eq!((&*api.namespace, &*api.entry), ("outside", "api"));
    assert_eq!(protocol_of(&api.ports, 443), PortProtocol::Grpc);
    let reviews = directory.query().service("demo", "reviews").unwrap();
    assert_eq!(protocol_of(&reviews.ports, 9080), PortProtocol::Http);
}

/// Pods of the host network, machines, and who selects them.
const SELECTED: &str = r#"
kind: List
items:
- kind: Pod
  metadata: {name: edge-x, namespace: demo, uid: edge}
  spec:
    hostNetwork: true
    initContainers:
    - {name: setup, ports: [{containerPort: 7001}]}
    - {name: proxy, restartPolicy: Always, ports: [{containerPort: 7002}]}
    containers: [{name: app, ports: [{containerPort: 7003}, {containerPort: 7004, protocol: UDP}]}]
  status: {podIPs: [{ip: 10.0.0.100}], startTime: "2026-01-01T00:00:10Z"}
- kind: EndpointSlice
  metadata: {name: edge-1, namespace: demo, labels: {kubernetes.io/service-name: edge}}
  endpoints: [{addresses: [10.0.0.100], targetRef: {kind: Pod, name: edge-x, namespace: demo}}]
  ports: [{name: http, port: 7005}]
- kind: Node
  metadata: {name: node0}
  status: {addresses: [{type: InternalIP, address: 10.0.0.100}]}
- kind: WorkloadEntry
  metadata:
    {name: vm-1, namespace: demo, labels: {app: billing, version: v2}, annotations: {istio.io/autoRegistrationGroup: billing-vms}}
  spec: {address: 192.168.1.5, ports: {pay: 7070, broken: 4294967295}, labels: {app: spec, tier: back}, network: west}
- kind: WorkloadEntry
  metadata: {name: vm-2, namespace: demo}
  spec: {address: vm-2.example.com}
- kind: ServiceEntry
  metadata: {name: billing, namespace: demo}
  spec:
    hosts: [billing.example.com]
    workloadSelector: {labels: {app: billing, tier: back}}
    ports: [{number: 80, name: pay, protocol: GRPC}, {number: 81, name: web, protocol: HTTP, targetPort: 8081}, {number: 82, name: raw}]
- kind: Service
  metadata: {name: vms, namespace: demo}
  spec: {selector: {tier: back}, ports: [{port: 90, targetPort: pay}, {port: 91, name: pay, targetPort: 9}, {port: 92, targetPort: 9292}]}
"#;

#[rstest]
#[case::init_container(7001, "node-address")]
// proves: directory/native-sidecar
#[case::native_sidecar(7002, "edge-x edge-x latest -")]
// proves: directory/host-network
#[case::container(7003, "edge-x edge-x latest -")]
#[case::udp(7004, "node-address")]
// proves: directory/endpoint-of-pod
#[case::of_a_slice_by_the_pods_name(7005, "edge-x edge-x latest -")]
#[case::undeclared(7006, "node-address")]
fn a_pod_of_the_host_network_is_found_by_its_ports(#[case] port: u16, #[case] expected: &str) {
    let directory = parse(SELECTED, DirectoryState::default()).unwrap();
    let found = directory.query().owner(
        "10.0.0.100".parse().unwrap(),
        Some(port),
        at("2026-01-02T00:00:00Z"),
    );
    assert_eq!(described(&directory, &found.owner), expected);
}

// proves: k8s-mesh/workload-entry, workload/group
#[test]
fn a_workload_entry_is_a_party() {
    let directory = parse(SELECTED, DirectoryState::default()).unwrap();
    let found = directory
        .query()
        .owner("192.168.1.5".parse().unwrap(), None, at("2026-01-02T00:00:00Z"));
    let Owner::Pod(vm) = found.owner else {
        panic!("{found:?}")
    };
    assert_eq!(described(&directory, &found.owner), "billing-vms billing v2 -");
    assert_eq!(
        (&*vm.name, &*vm.namespace, &*vm.network),
        ("vm-1", "demo", "west")
    );
    let entry_of = |port| {
        let mut query = directory.query();
        let found = query.service_entry_of(vm, port);
        found.map(|(external, protocol)| (external.host.to_string(), protocol))
    };
    let host = |protocol| Some(("billing.example.com".to_owned(), protocol));
    assert_eq!(entry_of(7070), host(PortProtocol::Grpc));
    assert_eq!(entry_of(8081), host(PortProtocol::Http));
    assert_eq!(entry_of(82), host(PortProtocol::Undeclared));
    assert_eq!(entry_of(80), None);
    let service_of = |port| {
        directory
            .query()
            .service_of(vm, port)
            .map(|oldest| oldest.service.name.to_string())
    };
    let vms = Some("vms".to_owned());
    assert_eq!([7070, 9292, 9].map(service_of), [vms.clone(), vms, None]);
}

/// Tests SkyWalking's setting `istioServiceEntryIgnoredNamespaces` from its section in the file to the
/// directory.
#[test]
fn service_entries_of_ignored_namespaces_are_not_there() {
    let text =
        "directory: { file: a }\nenvoy-metric: { default: { istioServiceEntryIgnoredNamespaces: outside } }";
    let config = alscope_collector_config::Config::parse(text, Path::new("collector.yaml")).unwrap();
    let state = crate::directory::empty(&config);
    let directory = parse(LIST, state).unwrap();
    assert_eq!(
        owner(&directory, "192.0.2.9", "2026-01-02T00:00:00Z"),
        "not-found"
    );
    assert!(external(&directory, "api.example.com", "demo").is_none());
}

// proves: directory/service-entry-visibility
#[test]
fn an_entry_is_there_for_the_namespaces_that_it_is_exported_to() {
    let exported = LIST.replace(
        "{hosts: [api.example.com],",
        "{hosts: [api.example.com], exportTo: [., shop],",
    );
    let directory = parse(&exported, DirectoryState::default()).unwrap();
    let seen =
        ["outside", "shop", "demo"].map(|namespace| external(&directory, "api.example.com", namespace));
    assert_eq!(seen.map(|external| external.is_some()), [true, true, false]);
}

// proves: directory/service-exported
#[test]
fn a_service_is_there_for_the_namespaces_that_its_annotation_names() {
    let exported = LIST.replace(
        "{name: reviews, namespace: demo,",
        "{name: reviews, namespace: demo, annotations: {networking.istio.io/exportTo: '., shop', unused: x},",
    );
    assert_ne!(exported, LIST);
    let directory = parse(&exported, DirectoryState::default()).unwrap();
    let service = directory.query().service("demo", "reviews").unwrap();
    let seen = ["demo", "shop", "elsewhere"].map(|namespace| service.is_exported_to(namespace));
    assert_eq!(seen, [true, true, false]);
}
