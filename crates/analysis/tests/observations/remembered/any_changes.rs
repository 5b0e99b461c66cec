//! Whatever happens in whatever order, a worker that remembers says what one without a memory says.

use std::net::IpAddr;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use alscope_analysis::directory::Port;
use alscope_analysis::directory::records::{NodeRecord, PodEndpoint, SelectedPort, Selector};
use alscope_analysis::port_protocol::PortProtocol;

/// What happens.
#[derive(Clone, Debug)]
enum Step {
    Change(Box<Change>),
    Publish,
    /// All kinds of entries come in, of calls that started now and long ago.
    Enter,
}

/// Addresses of pods, of Services, of nodes and outside, each of which may become anybody's.
const ADDRESSES: [&str; 6] = [PRODUCTPAGE, REVIEWS, REVIEWS_SERVICE, NODE, OUTSIDE, ENDPOINT];
const ENTERED: [Entered; 15] = [
    Outbound,
    Inbound,
    ByAuthority("web.demo"),
    ByAuthority("web-0.web"),
    ByAuthority("api.example.com"),
    ByAuthority(REVIEWS_SERVICE),
    Passed("api.example.com"),
    Gateway,
    API,
    API_IN_MESH,
    To(NODE, 9100, ANY),
    ByPipe,
    AtAnotherAddress,
    To(REVIEWS_SERVICE, 9080, ANY),
    To(ENDPOINT, 9080, ANY),
];

fn addresses() -> impl Strategy<Value = Vec<IpAddr>> {
    let some = subsequence(&ADDRESSES[..], 1..=2);
    some.prop_map(|some| some.iter().map(|text| text.parse().unwrap()).collect())
}

fn ports() -> impl Strategy<Value = Vec<Port>> {
    subsequence(vec![port(9080), grpc(9080), port(443), grpc(443)], 0..=2)
}

fn second() -> impl Strategy<Value = Moment> {
    (STARTED..NOW).prop_map(at)
}

fn a_pod() -> impl Strategy<Value = Record> {
    let names = select(vec!["productpage", "reviews", "other"]);
    let labels = (select(vec!["v1", "v2"]), select(vec!["a", "b"]));
    let held = (
        option::of(second()),
        option::of(second()),
        option::weighted(0.2, second()),
        option::weighted(0.1, second()),
    );
    let of_host = any::<bool>();
    (names, addresses(), labels, held, of_host).prop_map(
        |(name, addresses, (version, tier), (started, addressed, leaves, finished), of_host)| {
            let mut record = pod(name, PRODUCTPAGE);
            record.labels.insert("version".into(), version.into());
            record.labels.insert("tier".into(), tier.into());
            Record::Pod(PodRecord {
                addresses,
                started,
                addressed,
                leaves,
                finished,
                host_network: of_host,
                ports: if of_host { vec![9080, 9100] } else { vec![] },
                ..record
            })
        },
    )
}

fn a_machine() -> impl Strategy<Value = Record> {
    let names = select(vec!["machine", "other"]);
    let networks = select(vec!["", "west"]);
    (names, addresses(), networks, second()).prop_map(|(name, addresses, network, started)| {
        Record::WorkloadEntry(PodRecord {
            uid: format!("uid-of-{name}"),
            network: network.into(),
            started: Some(started),
            addresses,
            ..pod(name, PRODUCTPAGE)
        })
    })
}

fn a_selector() -> impl Strategy<Value = Option<Selector>> {
    let selector = |app: &str| Selector {
        labels: [("app".into(), app.into())].into(),
        ports: vec![SelectedPort {
            name: String::new(),
            target: Some(9080),
            protocol: PortProtocol::Grpc,
        }],
    };
    option::of(select(vec!["reviews", "machine"]).prop_map(selector))
}

fn a_service() -> impl Strategy<Value = Record> {
    let names = select(vec!["reviews", "web", "database"]);
    let created = select(vec![10, 20]);
    let addresses = prop_oneof![3 => addresses(), 1 => Just(vec![])];
    (
        names,
        addresses,
        ports(),
        created,
        select(vec!["a", "b"]),
        a_selector(),
    )
        .prop_map(|(name, addresses, ports, created, value, selector)| {
            service_with(name, |service| {
                service.selector = selector;
                service.addresses = addresses;
                service.ports = ports;
                service.created = at(created);
                service.labels = tier(value);
            })
        })
}

fn a_slice() -> impl Strategy<Value = Record> {
    let names = select(vec!["one", "two"]);
    let services = select(vec!["reviews", "web", "database"]);
    let targets = vec!["uid-productpage", "uid-reviews", "uid-other", "demo/other-7d9f-x"];
    let pods = vec((select(targets), option::of(select(&ADDRESSES[..]))), 0..=3);
    (names, services, pods, addresses(), ports()).prop_map(|(name, service, pods, addresses, ports)| {
        reviews_slice(|slice| {
            slice.name = name.into();
            slice.service = service.into();
            let at = |(target, address): (&str, Option<&str>)| PodEndpoint {
                target: target.into(),
                address: address.map(|text| text.parse().unwrap()),
            };
            slice.pods = pods.into_iter().map(at).collect();
            slice.addresses = addresses;
            slice.ports = ports;
        })
    })
}

fn a_node() -> impl Strategy<Value = Record> {
    (select(vec!["node0", "node1"]), addresses()).prop_map(|(name, addresses)| {
        Record::Node(NodeRecord {
            name: name.into(),
            addresses,
        })
    })
}

fn an_entry() -> impl Strategy<Value = Record> {
    let hosts = vec!["api.example.com", "*.example.com", "other.example.org"];
    let blocks = vec![
        "203.0.113.9",
        "203.0.113.0/24",
        "192.0.2.7/32",
        "0.0.0.0/0",
        "::/0",
    ];
    let names = select(vec!["one", "two"]);
    let labels = select(vec!["a", "b"]);
    let namespaces = subsequence(vec![".", "~", "demo"], 0..=2);
    (
        names,
        subsequence(hosts, 1..=2),
        subsequence(blocks, 0..=2),
        ports(),
        (labels, namespaces),
        a_selector(),
    )
        .prop_map(|(name, hosts, blocks, ports, (value, namespaces), selector)| {
            Record::ServiceEntry(ServiceEntryRecord {
                hosts: hosts.iter().map(ToString::to_string).collect(),
                export_to: namespaces.iter().map(ToString::to_string).collect(),
                ports,
                labels: tier(value),
                selector,
                namespace: "demo".into(),
                ..service_entry(name, "", &blocks)
            })
        })
}

fn change() -> impl Strategy<Value = Change> {
    let record = || prop_oneof![3 => a_pod(), 2 => a_service(), 3 => a_slice(), 1 => a_node(), 1 => an_entry(), 2 => a_machine()];
    prop_oneof![
        6 => record().prop_map(Is),
        3 => record().prop_map(IsGone),
        1 => select(ObjectKind::ALL.to_vec()).prop_map(AreNotListed),
        3 => (500..1500_i64).prop_map(IsForgotten),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => change().prop_map(|change| Step::Change(Box::new(change))),
        2 => Just(Step::Publish),
        3 => Just(Step::Enter),
    ]
}

proptest! {
    #[test]
    fn a_worker_always_says_what_the_directory_says(
        is_named_by_all in any::<bool>(),
        steps in vec((step(), 0..100_i64), 20..80),
    ) {
        let mut state = if is_named_by_all { named_mesh() } else { state() };
        let mut directory = state.publish().unwrap();
        let mut worker = Worker::default();
        let mut now = NOW;
        for (step, later) in steps {
            now += later;
            match step {
                Step::Change(change) => happen(&mut state, *change, now),
                Step::Publish => directory = state.publish().unwrap_or(directory),
                Step::Enter => {
                    for entered in ENTERED {
                        for start in [NOW, NOW + 500, now] {
                            worker.says(&directory, entered, at(start));
                        }
                    }
                }
            }
        }
    }
}
