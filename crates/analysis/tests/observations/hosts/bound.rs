//! However many hosts strangers write, there are few series, and calls between known parties keep theirs.

use alscope_analysis::party::Reporter;

use super::*;

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
    let mut mesh = mesh_within(Bounds {
        outside_hosts: 2,
        ..Bounds::default()
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
fn places_are_for_side_cars_alone() {
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
