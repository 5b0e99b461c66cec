mod successors;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::records::{EndpointSliceRecord, NodeRecord, ObjectKind, PodRecord, Record, ServiceRecord};
use super::state::DirectoryState;
use super::*;
use crate::accounting::Unattributed;
use crate::moment::Moment;
use crate::port_protocol::PortProtocol;

fn at(seconds: i64) -> Moment {
    Moment(seconds * 1_000_000_000)
}

fn ip(last: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, last).into()
}

fn pod(name: &str, address: u8, started: i64) -> PodRecord {
    PodRecord {
        name: name.into(),
        namespace: "demo".into(),
        uid: format!("uid-{name}"),
        labels: BTreeMap::from([("app".into(), name.into())]),
        annotations: BTreeMap::new(),
        controller: None,
        addresses: vec![ip(address)],
        host_network: false,
        ports: vec![],
        started: Some(at(started)),
        finished: None,
        ..PodRecord::default()
    }
}

fn port_of(number: u16) -> Port {
    Port {
        number,
        protocol: PortProtocol::Undeclared,
    }
}

fn service(name: &str, address: u8, created: i64) -> ServiceRecord {
    ServiceRecord {
        name: name.into(),
        namespace: "demo".into(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        selector: None,
        addresses: vec![ip(address)],
        ports: vec![],
        created: at(created),
    }
}

fn name_of(found: &FoundOwner<'_>) -> Result<String, Unattributed> {
    match &found.owner {
        Owner::Pod(pod) => Ok(pod.name.to_string()),
        Owner::Service(service) => Ok(format!("service {}", service.name)),
        Owner::External(external) => Ok(format!("external {}", external.host)),
        Owner::Unknown(reason) => Err(*reason),
    }
}

// proves: directory/ownership, directory/before-history
#[test]
fn a_replaced_pod_keeps_its_calls_and_its_successor_gets_its_own() {
    let mut state = DirectoryState::default();
    state.apply(Record::Pod(pod("old", 1, 100)), at(101));
    state.delete(&Record::Pod(pod("old", 1, 100)).key(), at(200));
    state.apply(Record::Pod(pod("new", 1, 210)), at(211));
    let directory = state.publish().unwrap();
    let owner = |start| name_of(&directory.query().owner(ip(1), None, at(start)));
    assert_eq!(owner(199), Ok("old".into()));
    assert_eq!(owner(205), Err(Unattributed::NotFound));
    assert_eq!(owner(210), Ok("new".into()));
    assert_eq!(owner(90), Err(Unattributed::BeforeHistory));
}

// proves: directory/finished-pod
#[test]
fn a_finished_pod_ends_its_ownership_when_its_last_container_did() {
    let mut state = DirectoryState::default();
    state.apply(Record::Pod(pod("job", 1, 100)), at(101));
    state.apply(
        Record::Pod(PodRecord {
            finished: Some(at(150)),
            ..pod("job", 1, 100)
        }),
        at(160),
    );
    state.apply(Record::Pod(pod("next", 1, 151)), at(161));
    let directory = state.publish().unwrap();
    assert_eq!(
        name_of(&directory.query().owner(ip(1), None, at(149))),
        Ok("job".into())
    );
    assert_eq!(
        name_of(&directory.query().owner(ip(1), None, at(155))),
        Ok("next".into())
    );
}

// proves: directory/memory
#[test]
fn a_gone_pod_is_remembered_for_ten_minutes() {
    let mut state = DirectoryState::default();
    state.apply(Record::Pod(pod("old", 1, 100)), at(101));
    state.delete(&Record::Pod(pod("old", 1, 100)).key(), at(200));
    state.forget(at(800));
    assert_eq!(
        name_of(&state.publish().unwrap().query().owner(ip(1), None, at(150))),
        Ok("old".into())
    );
    state.forget(at(801));
    assert_eq!(
        name_of(&state.publish().unwrap().query().owner(ip(1), None, at(150))),
        Err(Unattributed::NotFound)
    );
}

#[test]
fn a_heartbeat_publishes_nothing_and_a_change_publishes_the_next_version() {
    let mut state = DirectoryState::default();
    state.apply(Record::Pod(pod("a", 1, 100)), at(101));
    assert_eq!(state.publish().unwrap().version(), 1);
    state.apply(Record::Pod(pod("a", 1, 100)), at(102));
    assert!(state.publish().is_none());
    let relabelled = PodRecord {
        labels: BTreeMap::from([("app".into(), "b".into())]),
        ..pod("a", 1, 100)
    };
    state.apply(Record::Pod(relabelled), at(103));
    let directory = state.publish().unwrap();
    assert_eq!(directory.version(), 2);
    let Owner::Pod(found) = directory.query().owner(ip(1), None, at(104)).owner else {
        panic!("no pod")
    };
    assert_eq!(&*found.canonical_service, "b");
}

#[test]
fn a_new_list_ends_what_it_does_not_name() {
    let mut state = DirectoryState::default();
    state.apply(Record::Pod(pod("kept", 1, 100)), at(101));
    state.apply(Record::Pod(pod("gone", 2, 100)), at(101));
    state.begin_list(ObjectKind::Pod);
    state.apply(Record::Pod(pod("kept", 1, 100)), at(200));
    state.end_list(ObjectKind::Pod, at(200));
    let directory = state.publish().unwrap();
    assert_eq!(
        name_of(&directory.query().owner(ip(1), None, at(300))),
        Ok("kept".into())
    );
    assert_eq!(
        name_of(&directory.query().owner(ip(2), None, at(300))),
        Err(Unattributed::NotFound)
    );
    assert_eq!(
        name_of(&directory.query().owner(ip(2), None, at(150))),
        Ok("gone".into())
    );
}

// proves: directory/listed-unread
#[test]
fn a_new_list_ends_nothing_that_it_names_and_that_cannot_be_read() {
    let mut state = DirectoryState::default();
    state.apply(Record::Pod(pod("broken", 1, 100)), at(101));
    state.begin_list(ObjectKind::Pod);
    state.keep(&Record::Pod(pod("broken", 1, 100)).key());
    state.end_list(ObjectKind::Pod, at(200));
    assert_eq!(
        name_of(&state.publish().unwrap().query().owner(ip(1), None, at(300))),
        Ok("broken".into())
    );
}

// proves: directory/ownership
#[test]
fn an_address_that_a_pod_lost_ends_then() {
    let mut state = DirectoryState::default();
    state.apply(Record::Pod(pod("a", 1, 100)), at(101));
    state.apply(
        Record::Pod(PodRecord {
            addresses: vec![ip(2)],
            ..pod("a", 1, 100)
        }),
        at(200),
    );
    let directory = state.publish().unwrap();
    assert_eq!(
        name_of(&directory.query().owner(ip(1), None, at(150))),
        Ok("a".into())
    );
    assert_eq!(
        name_of(&directory.query().owner(ip(1), None, at(200))),
        Err(Unattributed::NotFound)
    );
    assert_eq!(
        name_of(&directory.query().owner(ip(2), None, at(200))),
        Ok("a".into())
    );
}

// proves: directory/host-network, directory/node
#[test]
fn a_node_address_is_a_host_network_pod_only_by_its_port() {
    let mut state = DirectoryState::default();
    state.apply(
        Record::Node(NodeRecord {
            name: "node0".into(),
            addresses: vec![ip(9)],
        }),
        at(1),
    );
    let agent = PodRecord {
        host_network: true,
        ports: vec![9100],
        ..pod("agent", 9, 100)
    };
    state.apply(Record::Pod(agent), at(101));
    let directory = state.publish().unwrap();
    assert_eq!(
        name_of(&directory.query().owner(ip(9), Some(9100), at(150))),
        Ok("agent".into())
    );
    assert_eq!(
        name_of(&directory.query().owner(ip(9), Some(22), at(150))),
        Err(Unattributed::NodeAddress)
    );
    assert_eq!(
        name_of(&directory.query().owner(ip(9), None, at(150))),
        Err(Unattributed::NodeAddress)
    );
    state.delete(
        &Record::Node(NodeRecord {
            name: "node0".into(),
            addresses: vec![],
        })
        .key(),
        at(200),
    );
    assert_eq!(
        name_of(&state.publish().unwrap().query().owner(ip(9), None, at(150))),
        Err(Unattributed::NotFound)
    );
}

// proves: directory/service-address
#[test]
fn a_cluster_address_is_its_service() {
    let mut state = DirectoryState::default();
    state.apply(Record::Service(service("web", 96, 50)), at(51));
    let directory = state.publish().unwrap();
    assert_eq!(
        name_of(&directory.query().owner(ip(96), Some(80), at(60))),
        Ok("service web".into())
    );
    assert!(directory.query().service("demo", "web").is_some());
    assert!(directory.query().service("other", "web").is_none());
}

// proves: directory/service-of-port
#[test]
fn the_oldest_service_that_sends_to_the_port_is_the_pods() {
    let mut state = DirectoryState::default();
    let slice = |service: &str, port| EndpointSliceRecord {
        name: format!("{service}-x"),
        namespace: "demo".into(),
        service: service.into(),
        ports: vec![port_of(port)],
        pods: vec!["uid-a".into()],
        addresses: vec![],
        created: at(80),
    };
    for (name, created, port) in [("young", 70_u8, 9080), ("old", 60, 9080), ("oldest", 50, 9090)] {
        state.apply(Record::Service(service(name, created, created.into())), at(80));
        state.apply(Record::EndpointSlice(slice(name, port)), at(80));
    }
    state.apply(Record::Pod(pod("a", 1, 100)), at(101));
    let directory = state.publish().unwrap();
    let Owner::Pod(found) = directory.query().owner(ip(1), None, at(150)).owner else {
        panic!("no pod")
    };
    let service_name = |directory: &Directory, port| {
        directory
            .query()
            .service_of(found, port)
            .map(|oldest| oldest.service.name.to_string())
    };
    assert_eq!(service_name(&directory, 9080).as_deref(), Some("old"));
    assert_eq!(service_name(&directory, 9090).as_deref(), Some("oldest"));
    assert_eq!(service_name(&directory, 1), None);
    let is_only = |directory: &Directory, port| {
        let oldest = directory.query().service_of(found, port);
        oldest.map(|oldest| oldest.is_only)
    };
    assert_eq!(
        [9080, 9090].map(|port| is_only(&directory, port)),
        [Some(false), Some(true)]
    );
    // A pod of two address families is in two slices of one Service.
    let ipv6 = EndpointSliceRecord {
        name: "oldest-ipv6".into(),
        ..slice("oldest", 9090)
    };
    state.apply(Record::EndpointSlice(ipv6), at(150));
    let directory = state.publish().unwrap();
    assert_eq!(is_only(&directory, 9090), Some(true));
    state.delete(&Record::EndpointSlice(slice("old", 9080)).key(), at(200));
    assert_eq!(
        service_name(&state.publish().unwrap(), 9080).as_deref(),
        Some("young")
    );
}

// proves: directory/dual-stack
#[test]
fn each_address_of_a_pod_is_the_pods_also_written_as_ipv6() {
    let mut state = DirectoryState::default();
    let addresses = vec![ip(1), "fd00::1".parse().unwrap()];
    state.apply(
        Record::Pod(PodRecord {
            addresses,
            ..pod("a", 1, 100)
        }),
        at(101),
    );
    let directory = state.publish().unwrap();
    for address in ["10.0.0.1", "fd00::1", "::ffff:10.0.0.1"] {
        let found = directory.query().owner(address.parse().unwrap(), None, at(150));
        assert_eq!(name_of(&found), Ok("a".into()), "{address}");
    }
}

// proves: directory/service-recreated
#[test]
fn a_service_that_comes_back_keeps_the_calls_of_the_first_one() {
    let mut state = DirectoryState::default();
    state.apply(Record::Service(service("web", 96, 50)), at(51));
    state.delete(&Record::Service(service("web", 96, 50)).key(), at(100));
    state.apply(Record::Service(service("web", 96, 200)), at(201));
    let directory = state.publish().unwrap();
    let owner = |start| name_of(&directory.query().owner(ip(96), Some(80), at(start)));
    let web: Result<String, Unattributed> = Ok("service web".into());
    assert_eq!(
        [60, 150, 200].map(owner),
        [web.clone(), Err(Unattributed::NotFound), web]
    );
    state.delete(&Record::Service(service("web", 96, 200)).key(), at(300));
    let directory = state.publish().unwrap();
    assert_eq!(
        name_of(&directory.query().owner(ip(96), Some(80), at(300))),
        Err(Unattributed::NotFound)
    );
}

// proves: directory/service-edited
#[test]
fn an_edited_service_keeps_its_address_and_gets_its_new_ports() {
    let mut state = DirectoryState::default();
    state.apply(Record::Service(service("web", 96, 50)), at(51));
    let edited = ServiceRecord {
        ports: vec![Port {
            number: 80,
            protocol: PortProtocol::Grpc,
        }],
        ..service("web", 96, 50)
    };
    state.apply(Record::Service(edited), at(100));
    let directory = state.publish().unwrap();
    let Owner::Service(found) = directory.query().owner(ip(96), Some(80), at(60)).owner else {
        panic!("no service")
    };
    assert_eq!(protocol_of(&found.ports, 80), PortProtocol::Grpc);
}

#[test]
fn a_service_has_a_host_in_each_domain() {
    let mut state = DirectoryState::default();
    state.apply(Record::Service(service("web", 96, 50)), at(51));
    let directory = state.publish().unwrap();
    let web = directory.query().service("demo", "web").unwrap();
    for _ in 0..2 {
        assert_eq!(web.host_in("first.local"), Ok(&"web.demo.svc.first.local".into()));
        assert_eq!(
            web.host_in("other.local"),
            Err("web.demo.svc.other.local".to_owned())
        );
    }
}
