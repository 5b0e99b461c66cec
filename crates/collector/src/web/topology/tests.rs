use rstest::rstest;

use super::*;

#[rstest]
#[case("60s", Some(60))]
#[case("5m", Some(300))]
#[case("1h", Some(3600))]
#[case("61m", None)]
#[case("0s", None)]
#[case("-5s", None)]
#[case("soon", None)]
fn a_window_is_a_time_up_to_an_hour(#[case] text: &str, #[case] seconds: Option<u64>) {
    assert_eq!(window(text).map(|window| window.as_secs()), seconds);
}

#[rstest]
#[case::workload(GraphNodeKind::Workload, Role::Sidecar, ["demo/web", "workload", "web"])]
#[case::gateway(GraphNodeKind::Workload, Role::Gateway, ["demo/web", "gateway", "web"])]
#[case::waypoint(GraphNodeKind::Workload, Role::Waypoint, ["demo/web", "waypoint", "web"])]
#[case::service(GraphNodeKind::Service, Role::Sidecar, ["service:demo/web", "service", "unknown"])]
#[case::outside(GraphNodeKind::Outside, Role::Sidecar, ["outside:web", "outside", "unknown"])]
#[case::unknown(GraphNodeKind::Unknown, Role::Sidecar, ["unknown", "unknown", "unknown"])]
fn a_node_has_an_id_and_a_kind(#[case] kind: GraphNodeKind, #[case] role: Role, #[case] expected: [&str; 3]) {
    let shown = node(
        &GraphNode {
            kind,
            namespace: "demo".into(),
            name: "web".into(),
        },
        role,
    );
    assert_eq!([&*shown.id, &*shown.kind, &*shown.workload], expected);
    assert_eq!(shown.name, "web");
}
