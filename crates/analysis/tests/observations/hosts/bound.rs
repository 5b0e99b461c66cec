//! However many hosts strangers write, there are few series, and calls between known parties keep theirs.

use alscope_analysis::aggregate::registry::Registry;
use alscope_analysis::analyze::k8s_mesh::Lookup;
use alscope_analysis::chain::Analyzer::K8sMesh;
use alscope_analysis::chain::Chain;
use alscope_analysis::identify::identity_cache::IdentityAnswer;
use alscope_analysis::identify::{Identified, look_up};
use alscope_analysis::reporter::Reporter;
use proptest::prelude::*;

use super::*;
use crate::connection::{connection, read_identity};

/// More than the hosts that are told apart, in calls of one kind.
const JUNK: u64 = 3_000;

/// `mesh` after so many requests, each for a host of its own, one of which the directory has.
fn attacked(mut mesh: Mesh, node: &str, common: &AccessLogCommon) -> Mesh {
    for number in 0..JUNK {
        mesh.take(node, asks(common.clone(), &format!("junk-{number}.example")));
        mesh.take(
            node,
            asks(common.clone(), &format!("junk-{number}.wild.example.com")),
        );
    }
    mesh
}

/// How many series `reporter` has, and how many requests are in the one of the call between `edge`'s workloads.
fn series(mesh: &mut Mesh, reporter: &str, edge: &str) -> (usize, u64) {
    let series = mesh.http();
    let own = series
        .iter()
        .filter(|(labels, _)| labels.get("reporter") == reporter);
    let of_edge = series.iter().filter(|(labels, _)| labels.edge() == edge);
    (own.count(), of_edge.map(|(_, counts)| counts.requests).sum())
}

// proves: labels/host-unknown, labels/gateway-without-route, labels/service-wildcard
#[test]
fn hosts_of_strangers_are_one_series_at_each_proxy() {
    let without_route = AccessLogCommon {
        upstream_remote_address: None,
        upstream_cluster: String::new(),
        ..through_gateway()
    };
    let other_cluster = AccessLogCommon {
        upstream_cluster: "my-cluster".into(),
        ..through_gateway()
    };
    for (node, common, reporter, most) in [
        (GATEWAY_NODE, &without_route, "source", 1),
        (GATEWAY_NODE, &without_route, "destination", 1),
        (GATEWAY_NODE, &other_cluster, "source", 2),
        ("edge-7", &other_cluster, "source", 2),
        (REVIEWS_NODE, &inbound(), "destination", 1),
        (WAYPOINT_NODE, &to_nobody(""), "waypoint", 2),
        (PRODUCTPAGE_NODE, &to_nobody(""), "source", 2),
    ] {
        let mut mesh = attacked(mesh(), node, common);
        mesh.take(PRODUCTPAGE_NODE, ok(outbound()));
        let (count, _) = series(&mut mesh, reporter, "");
        let real = usize::from(reporter == "source");
        assert_eq!(count, most + real, "{node} {reporter}");
        let (_, requests) = series(&mut mesh, "source", "source: productpage -> reviews");
        assert_eq!(requests, 1, "{node}");
        let accounting = mesh.accounting();
        assert_eq!((accounting.overflowed, accounting.outside_overflowed), (0, 0));
    }
}

// proves: labels/outside-hosts-bound
#[test]
fn of_hosts_outside_so_many_are_told_apart_and_the_rest_is_other_and_counted() {
    let mut mesh = attacked(mesh(), PRODUCTPAGE_NODE, &to_nobody("PassthroughCluster"));
    // A known host, and one that has its place, count as before.
    mesh.take(
        PRODUCTPAGE_NODE,
        asks(to_nobody("PassthroughCluster"), "web.demo"),
    );
    mesh.take(
        PRODUCTPAGE_NODE,
        asks(to_nobody("PassthroughCluster"), "junk-0.example:8080"),
    );
    mesh.take(PRODUCTPAGE_NODE, ok(outbound()));
    let accounting = mesh.accounting();
    assert_eq!(accounting.observations(Reporter::Source), 2 * JUNK + 3);
    assert_eq!(
        (accounting.overflowed, accounting.outside_overflowed),
        (0, JUNK - 200)
    );
    let requests = |host: &str| -> u64 {
        let of_host = mesh_series(&mut mesh, host);
        of_host.iter().sum()
    };
    let mut requests = requests;
    assert_eq!(requests("other"), JUNK - 200);
    assert_eq!(requests("junk-0.example"), 2);
    assert_eq!(requests("junk-199.example"), 1);
    assert_eq!(requests("junk-200.example"), 0);
    assert_eq!(requests("*.wild.example.com"), JUNK);
    assert_eq!(requests("web.demo.svc.cluster.local"), 1);
    assert_eq!(requests("reviews.demo.svc.cluster.local"), 1);
    // The hosts with a place, `other`, the wildcard, and the two known ones.
    assert_eq!(mesh.http().len(), 204);
}

/// The requests of each series whose service has this host.
fn mesh_series(mesh: &mut Mesh, host: &str) -> Vec<u64> {
    let series = mesh.http().into_iter();
    let of_host = series.filter(|(labels, _)| labels.get("destination_service") == host);
    of_host.map(|(_, counts)| counts.requests).collect()
}

// proves: labels/outside-hosts-bound
#[test]
fn server_names_and_authorities_share_the_places_which_are_as_many_as_configured() {
    let mut mesh = mesh_within(RegistryBounds {
        outside_hosts: 2,
        ..RegistryBounds::default()
    });
    mesh.take(
        PRODUCTPAGE_NODE,
        connects("203.0.113.5", "PassthroughCluster", "a.example"),
    );
    mesh.take(PRODUCTPAGE_NODE, asks(to_nobody("BlackHoleCluster"), "b.example"));
    mesh.take(
        PRODUCTPAGE_NODE,
        asks(to_nobody("PassthroughCluster"), "a.example:80"),
    );
    for _ in 0..2 {
        mesh.take(
            PRODUCTPAGE_NODE,
            connects("203.0.113.5", "PassthroughCluster", "c.example"),
        );
    }
    let host = |(labels, count): (Labels, u64)| (labels.get("destination_service").to_owned(), count);
    let http = mesh.http().into_iter();
    let tcp = mesh.tcp().into_iter();
    let http = http.map(|(labels, counts)| host((labels, counts.requests)));
    let tcp = tcp.map(|(labels, counts)| host((labels, counts.connections)));
    let mut hosts: Vec<(String, u64)> = http.chain(tcp).collect();
    hosts.sort();
    let expected = [("a.example", 1), ("a.example", 1), ("b.example", 1), ("other", 2)];
    assert_eq!(hosts, expected.map(|(host, count)| (host.to_owned(), count)));
    assert_eq!(mesh.accounting().outside_overflowed, 2);
}

// proves: labels/outside-hosts-bound
#[test]
fn places_are_for_sidecars_alone() {
    for node in [GATEWAY_NODE, "edge-7", WAYPOINT_NODE] {
        let mut mesh = mesh();
        mesh.take(node, asks(to_nobody("PassthroughCluster"), "a.example"));
        let series = mesh.http();
        let hosts: Vec<&str> = series
            .iter()
            .map(|(labels, _)| labels.get("destination_service"))
            .collect();
        assert!(!hosts.contains(&"a.example"), "{node}: {hosts:?}");
    }
}

/// What `registry` makes of productpage's request for `authority`, which its sidecar passed on to no service at `start`.
fn passed_on(registry: &Registry, authority: &str, start: i64) -> IdentityAnswer {
    let message = connection(PRODUCTPAGE_NODE, to_nobody("PassthroughCluster"));
    let (chain, directory) = (Chain::new([K8sMesh]), directory());
    read_identity(&message, registry, chain, authority, |node, identity| {
        let mut lookup = Lookup::new(&directory, node, at(start));
        look_up(chain, &identity.decode().unwrap(), &mut lookup, registry)
    })
}

// proves: labels/outside-hosts-bound
#[test]
fn a_host_without_a_place_is_asked_for_one_again_after_a_minute() {
    let registry = Registry::new(RegistryBounds {
        outside_hosts: 1,
        ..RegistryBounds::default()
    });
    let has_place = passed_on(&registry, "a.example", NOW);
    assert!(matches!(has_place.identified, Identified::Observations(_, None)));
    assert!(has_place.validity.contains(at(NOW + 3600)));
    let has_none = passed_on(&registry, "b.example", NOW);
    assert!(matches!(has_none.identified, Identified::Overflowed(_)));
    let holds = [NOW, NOW + 59, NOW + 60].map(|start| has_none.validity.contains(at(start)));
    assert_eq!(holds, [true, true, false]);
}

/// Proxies of every role, with the clusters by which they may be called or call.
const PROXIES: [(&str, &str); 12] = [
    (PRODUCTPAGE_NODE, ""),
    (PRODUCTPAGE_NODE, "InboundPassthroughCluster"),
    (PRODUCTPAGE_NODE, "inbound|80||"),
    (GATEWAY_NODE, ""),
    (GATEWAY_NODE, "PassthroughCluster"),
    (GATEWAY_NODE, "my-cluster"),
    (GATEWAY_NODE, "inbound|80||"),
    ("edge-7", "my-cluster"),
    ("edge-7", "DFPCluster:junk.example:80"),
    (WAYPOINT_NODE, ""),
    (WAYPOINT_NODE, "PassthroughCluster"),
    (WAYPOINT_NODE, "encap"),
];

proptest! {
    // proves: labels/host-unknown
    #[test]
    fn no_text_of_a_client_is_a_label(
        host in "([a-z]{0,3}|web|cart|db|api|wild|[A-Z0-9_@:/]{0,4})",
        end in "(|\\.demo|\\.shop|\\.db|\\.svc|\\.demo\\.svc\\.cluster\\.local|\\.example\\.com|\\.wild\\.example\\.com|\\.x)",
        port in "(|\\.|:80|:99999|:x)",
    ) {
        let known = [
            "unknown", "", "productpage", "reviews", "gateway", "web.demo.svc.cluster.local", "web.shop.svc.cluster.local",
            "cart.shop.svc.cluster.local", "db.demo.svc.cluster.local", "reviews.demo.svc.cluster.local",
            "example.com.svc.cluster.local", "api.example.com", "*.wild.example.com", "example.com", "vm.demo.svc.cluster.local",
        ];
        let authority = format!("{host}{end}{port}");
        for (node, cluster) in PROXIES {
            let mut mesh = mesh();
            let common = AccessLogCommon { downstream_local_address: socket(PRODUCTPAGE, 80), ..to_nobody(cluster) };
            mesh.take(node, asks(common, &authority));
            for (labels, _) in mesh.http() {
                let service = labels.get("destination_service");
                prop_assert!(known.contains(&service), "{node} {cluster} {authority}: {service}");
            }
        }
    }
}
