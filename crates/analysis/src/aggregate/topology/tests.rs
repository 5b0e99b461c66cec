use std::time::Duration;

use rstest::rstest;

use super::*;
use crate::aggregate::histogram::Histogram;
use crate::aggregate::series::{HttpCounts, TcpCounts};
use crate::aggregate::window::{SeriesEdge, Window};
use crate::analyze::outcome::Verdict;
use crate::moment::Moment;

fn at(seconds: i64) -> Moment {
    Moment(seconds * 1_000_000_000)
}

/// A workload of `demo`; `service:name` is a service there, `outside:host` a host outside.
fn node(text: &str) -> GraphNode {
    let (kind, namespace, name) = match text.split_once(':') {
        Some(("service", name)) => (GraphNodeKind::Service, "demo", name),
        Some((_, host)) => (GraphNodeKind::Outside, "", host),
        None if text == "unknown" => (GraphNodeKind::Unknown, "unknown", "unknown"),
        None => (GraphNodeKind::Workload, "demo", text),
    };
    GraphNode {
        kind,
        namespace: namespace.into(),
        name: name.into(),
    }
}

fn edge(source: &str, destination: &str, protocol: &'static str, reporter: Reporter) -> Edge {
    let to_service = destination.contains(':');
    Edge {
        source: node(source),
        destination: node(destination),
        service: node(if to_service { destination } else { "unknown" }),
        is_answered: true,
        protocol,
        reporter,
    }
}

fn requests(milliseconds: &[u64]) -> HttpCounts {
    let mut duration = Histogram::default();
    for value in milliseconds {
        duration.add_microseconds(value * 1000);
    }
    HttpCounts {
        requests: milliseconds.len() as u64,
        duration,
        ..HttpCounts::default()
    }
}

fn http(window: &mut Window, edge: &Edge, verdict: Verdict, counts: &HttpCounts, now: i64) {
    let series = SeriesEdge {
        edge: window.edge(edge),
        verdict,
    };
    window.add_http(series, counts, at(now));
}

#[rstest]
#[case::source(&[Reporter::Source, Reporter::Waypoint, Reporter::Destination], Reporter::Source, 1.0)]
#[case::waypoint(&[Reporter::Waypoint, Reporter::Destination], Reporter::Waypoint, 2.0)]
#[case::destination(&[Reporter::Destination], Reporter::Destination, 3.0)]
fn an_edge_is_one_row_from_the_source_else_the_waypoint_else_the_destination(
    #[case] reporters: &[Reporter],
    #[case] expected: Reporter,
    #[case] per_second: f64,
) {
    let mut window = Window::new(at(1000));
    for reporter in reporters {
        let calls = match reporter {
            Reporter::Source => requests(&[3; 30]),
            Reporter::Waypoint => requests(&[3; 60]),
            Reporter::Destination => requests(&[3; 90]),
        };
        let edge = edge("a", "b", "http", *reporter);
        http(&mut window, &edge, Verdict::Success, &calls, 1010);
    }
    let rows = rows(&window.last(Duration::from_mins(1), at(1030)));
    let rows: Vec<_> = rows.iter().map(|row| (row.reporter, row.per_second)).collect();
    assert_eq!(rows, [(expected, per_second)]);
}

#[test]
fn the_silence_before_the_first_call_thins_no_rate() {
    let mut window = Window::new(at(1000));
    window.forget(at(1020));
    http(
        &mut window,
        &edge("a", "b", "http", Reporter::Source),
        Verdict::Success,
        &requests(&[3; 50]),
        1021,
    );
    let span = window.last(Duration::from_mins(1), at(1030));
    assert_eq!((span.length.as_secs(), rows(&span)[0].per_second), (10, 5.0));
}

// proves: outcome/shares
#[test]
fn failed_calls_and_client_errors_are_shares_of_what_is_known() {
    let mut window = Window::new(at(1000));
    let edge = edge("a", "b", "grpc", Reporter::Source);
    for (verdict, calls) in [
        (Verdict::Success, 5),
        (Verdict::Failed, 2),
        (Verdict::ClientError, 1),
        (Verdict::Unknown, 12),
    ] {
        http(&mut window, &edge, verdict, &requests(&vec![3; calls]), 1010);
    }
    let row = &rows(&window.last(Duration::from_mins(1), at(1020)))[0];
    let shares = (row.error_share, row.client_error_share, row.unknown_share);
    assert_eq!((row.per_second, shares), (1.0, (Some(0.25), Some(0.125), 0.6)));
}

// proves: outcome/shares
#[test]
fn an_edge_of_which_nothing_is_known_has_no_share_of_errors() {
    let mut window = Window::new(at(1000));
    let edge = edge("a", "b", "grpc", Reporter::Source);
    http(&mut window, &edge, Verdict::Unknown, &requests(&[3; 4]), 1010);
    let row = &rows(&window.last(Duration::from_mins(1), at(1020)))[0];
    let shares = (row.error_share, row.client_error_share, row.unknown_share);
    assert_eq!(shares, (None, None, 1.0));
}

/// 90 requests of 3 ms beside 10 websockets of an hour, each cut by its server.
// proves: lasting/no-percentile, lasting/success
#[test]
fn what_lasts_as_long_as_a_connection_is_in_no_percentile_and_no_failure() {
    let mut window = Window::new(at(1000));
    let edge = edge("a", "b", "http", Reporter::Source);
    let mut durations = vec![3; 90];
    durations.extend([3_600_000; 10]);
    let mut counts = requests(&durations);
    counts.long_lived[EDGE_BUCKET_COUNT - 1] = 10;
    http(&mut window, &edge, Verdict::Failed, &counts, 1000);
    let row = &rows(&window.last(Duration::from_mins(1), at(1010)))[0];
    assert_eq!((row.per_second, row.error_share), (10.0, Some(0.9)));
    let [_, p95, p99] = row.percentiles.unwrap();
    assert!(p95 < 5.0 && p99 < 5.0, "{p95} {p99}");
}

// proves: lasting/no-percentile
#[test]
fn an_edge_on_which_all_lasts_has_no_percentiles() {
    let mut window = Window::new(at(1000));
    let edge = edge("a", "b", "http", Reporter::Source);
    let mut counts = requests(&[3; 2]);
    counts.long_lived[2] = 2;
    http(&mut window, &edge, Verdict::Success, &counts, 1000);
    let row = &rows(&window.last(Duration::from_mins(1), at(1010)))[0];
    assert_eq!((row.error_share, row.percentiles), (Some(0.0), None));
}

#[test]
fn tcp_has_connections_and_no_percentiles() {
    let mut window = Window::new(at(1000));
    let id = window.edge(&edge("a", "b", "tcp", Reporter::Source));
    for (verdict, connections) in [(Verdict::Success, 4), (Verdict::Failed, 1)] {
        let series = SeriesEdge { edge: id, verdict };
        let counts = TcpCounts {
            connections,
            ..TcpCounts::default()
        };
        window.add_tcp(series, &counts, at(1005));
    }
    let rows = rows(&window.last(Duration::from_mins(1), at(1010)));
    assert_eq!(
        (rows[0].per_second, rows[0].error_share, rows[0].percentiles),
        (0.5, Some(0.2), None)
    );
}

#[test]
fn percentiles_are_spread_within_their_bucket() {
    let mut window = Window::new(at(1000));
    let mut durations = vec![3; 50];
    durations.extend([7; 50]);
    http(
        &mut window,
        &edge("a", "b", "http", Reporter::Source),
        Verdict::Success,
        &requests(&durations),
        1000,
    );
    let rows = rows(&window.last(Duration::from_mins(1), at(1010)));
    assert_eq!(rows[0].percentiles, Some([5.0, 9.5, 9.9]));
}

#[test]
fn the_last_bucket_answers_with_its_lower_bound() {
    let mut window = Window::new(at(1000));
    http(
        &mut window,
        &edge("a", "b", "http", Reporter::Source),
        Verdict::Success,
        &requests(&[90_000]),
        1000,
    );
    let rows = rows(&window.last(Duration::from_mins(1), at(1010)));
    assert_eq!(rows[0].percentiles, Some([60_000.0; 3]));
}

#[test]
fn a_window_forgets_what_is_older() {
    let mut window = Window::new(at(1000));
    let edge = edge("a", "b", "http", Reporter::Source);
    http(&mut window, &edge, Verdict::Success, &requests(&[3; 10]), 1000);
    http(&mut window, &edge, Verdict::Success, &requests(&[3; 20]), 1100);
    let calls = |window: &Window, seconds| {
        let span = window.last(Duration::from_secs(seconds), at(1110));
        (span.edges[0].1.calls, span.length.as_secs())
    };
    assert_eq!(calls(&window, 60), (20, 60));
    assert_eq!(calls(&window, 300), (30, 110));
    assert_eq!(calls(&window, 3600), (30, 110));
    window.forget(at(1310));
    assert_eq!(window.last(Duration::from_mins(5), at(1310)).edges[0].1.calls, 20);
    assert_eq!(
        window.last(Duration::from_mins(15), at(1310)).edges[0].1.calls,
        30
    );
}

#[test]
fn edges_beyond_the_bound_become_one() {
    let mut window = Window::new(at(1000));
    for number in 0..2010 {
        let edge = edge(&format!("client-{number}"), "b", "http", Reporter::Source);
        http(&mut window, &edge, Verdict::Success, &requests(&[3]), 1000);
    }
    let span = window.last(Duration::from_mins(1), at(1010));
    assert_eq!(span.edges.len(), 2001);
    let other = span
        .edges
        .iter()
        .find(|(edge, _)| &*edge.source.name == "other")
        .unwrap();
    assert_eq!(other.1.calls, 10);
}

/// A window with HTTP edges, `caller>called service>called party`, each with a reporter and how many calls it tells of, all of which
/// failed. Nobody answered, but where `>answered` follows.
fn window_of(edges: &[(&str, Reporter, usize)]) -> Window {
    let mut window = Window::new(at(1000));
    for (edge, reporter, calls) in edges {
        let (edge, is_answered) = match edge.strip_suffix(">answered") {
            Some(edge) => (edge, true),
            None => (*edge, false),
        };
        let [source, service, destination]: [&str; 3] =
            edge.split('>').collect::<Vec<_>>().try_into().unwrap();
        let edge = Edge {
            is_answered,
            source: node(source),
            destination: node(destination),
            service: node(service),
            protocol: "http",
            reporter: *reporter,
        };
        let counts = requests(&vec![3; *calls]);
        http(&mut window, &edge, Verdict::Failed, &counts, 1000);
    }
    window
}

/// The ends, the reporter and the calls of each row of such a window.
fn shown(edges: &[(&str, Reporter, usize)]) -> Vec<(String, Reporter, f64)> {
    let rows = rows(&window_of(edges).last(Duration::from_mins(1), at(1010)));
    rows.iter()
        .map(|row| {
            let ends = format!("{} > {}", row.source.id(), row.destination.id());
            (ends, row.reporter, row.per_second * 10.0)
        })
        .collect()
}

#[rstest]
// proves: topology/one-workload
#[case::unanswered(&[("a>service:s>service:s", Source, 1), ("a>service:s>s-v1", Source, 1)], "demo/a", &["service:demo/s"])]
#[case::another_caller(&[("a>service:s>service:s", Source, 1), ("a>service:s>s-v1", Source, 1)], "demo/b", &[])]
#[case::answered(&[("a>service:s>service:s>answered", Source, 1), ("a>service:s>s-v1", Source, 1)], "demo/a", &[])]
#[case::some_answered(
    &[("a>service:s>service:s>answered", Source, 1), ("a>service:s>service:s", Source, 1), ("a>service:s>s-v1", Source, 1)],
    "demo/a",
    &[]
)]
fn the_services_behind_an_edge_are_those_of_which_all_calls_are_shown_there(
    #[case] edges: &[(&str, Reporter, usize)],
    #[case] source: &str,
    #[case] expected: &[&str],
) {
    let span = window_of(edges).last(Duration::from_mins(1), at(1010));
    let services: Vec<String> = shown_at(&span, source, "demo/s-v1")
        .into_iter()
        .map(GraphNode::id)
        .collect();
    assert_eq!(services, expected);
}

use Reporter::{Destination, Source, Waypoint};

#[rstest]
// proves: topology/service
#[case::dead_services(
    &[("a>service:details>service:details", Source, 3), ("a>service:ratings>service:ratings", Source, 5)],
    &[("demo/a > service:demo/details", Source, 3.0), ("demo/a > service:demo/ratings", Source, 5.0)],
)]
// proves: topology/one-workload
#[case::the_server_names_the_workload(
    &[("a>service:s>service:s", Source, 3), ("a>service:s>s-v1", Destination, 2)],
    &[("demo/a > demo/s-v1", Source, 3.0)],
)]
// proves: topology/one-workload
#[case::the_callers_other_calls_name_the_workload(
    &[("a>service:s>service:s", Source, 3), ("a>service:s>s-v1", Source, 4), ("a>service:s>s-v1", Destination, 6)],
    &[("demo/a > demo/s-v1", Source, 7.0)],
)]
#[case::a_waypoint_is_before_the_destination(
    &[("a>service:s>service:s", Waypoint, 3), ("a>service:s>s-v1", Destination, 2)],
    &[("demo/a > demo/s-v1", Waypoint, 3.0)],
)]
// proves: topology/several-workloads
#[case::of_several_workloads_nobody_knows_which(
    &[("a>service:s>service:s", Source, 3), ("a>service:s>s-v1", Source, 4), ("a>service:s>s-v2", Source, 5)],
    &[("demo/a > demo/s-v1", Source, 4.0), ("demo/a > demo/s-v2", Source, 5.0), ("demo/a > service:demo/s", Source, 3.0)],
)]
// proves: topology/several-workloads
#[case::what_the_caller_tells_of_the_service_is_not_told_again(
    &[("a>service:s>service:s", Source, 3), ("a>service:s>s-v1", Source, 4), ("a>service:s>s-v2", Destination, 2)],
    &[("demo/a > demo/s-v1", Source, 4.0), ("demo/a > service:demo/s", Source, 3.0)],
)]
#[case::another_service_of_the_workload_is_told(
    &[("a>service:s>service:s", Source, 3), ("a>service:s>s-v1", Source, 4), ("a>service:t>s-v2", Destination, 2)],
    &[("demo/a > demo/s-v1", Source, 7.0), ("demo/a > demo/s-v2", Destination, 2.0)],
)]
// proves: topology/answered
#[case::who_answered_elsewhere_is_not_the_workload_that_is_known(
    &[("a>service:s>service:s>answered", Source, 3), ("a>service:s>s-v1", Source, 4), ("a>service:s>s-v1", Destination, 4)],
    &[("demo/a > demo/s-v1", Source, 4.0), ("demo/a > service:demo/s", Source, 3.0)],
)]
// proves: topology/answered
#[case::who_answered_elsewhere_tells_it_itself(
    &[("a>service:s>service:s>answered", Source, 3), ("a>service:s>s-v1", Source, 4), ("a>service:s>s-v2", Destination, 3)],
    &[("demo/a > demo/s-v1", Source, 4.0), ("demo/a > demo/s-v2", Source, 3.0)],
)]
#[case::who_did_not_answer_is_nobody_beside_who_did(
    &[
        ("a>service:s>service:s>answered", Source, 3), ("a>service:s>service:s", Source, 2), ("a>service:s>s-v1", Source, 4),
        ("a>service:s>s-v2", Destination, 3),
    ],
    &[("demo/a > demo/s-v1", Source, 4.0), ("demo/a > demo/s-v2", Source, 3.0), ("demo/a > service:demo/s", Source, 2.0)],
)]
#[case::of_several_that_answered_none_is_guessed(
    &[("a>service:s>service:s>answered", Source, 5), ("a>service:s>s-v1", Destination, 2), ("a>service:s>s-v2", Destination, 3)],
    &[("demo/a > service:demo/s", Source, 5.0)],
)]
// proves: topology/one-caller
#[case::another_caller_says_nothing(
    &[("a>service:s>service:s", Source, 3), ("b>service:s>s-v1", Source, 4)],
    &[("demo/a > service:demo/s", Source, 3.0), ("demo/b > demo/s-v1", Source, 4.0)],
)]
// proves: topology/one-caller
#[case::unknown_callers_are_not_one(
    &[("unknown>service:s>service:s", Source, 3), ("unknown>service:s>s-v1", Destination, 4)],
    &[("unknown > demo/s-v1", Destination, 4.0), ("unknown > service:demo/s", Source, 3.0)],
)]
#[case::several_services_of_one_workload_are_one_edge(
    &[("a>service:s>s-v1", Source, 3), ("a>service:t>s-v1", Source, 4)],
    &[("demo/a > demo/s-v1", Source, 7.0)],
)]
#[case::outside(
    &[("a>outside:x.example>outside:x.example", Source, 3), ("a>unknown>unknown", Source, 1)],
    &[("demo/a > outside:x.example", Source, 3.0), ("demo/a > unknown", Source, 1.0)],
)]
fn rows_of_one_call_are_one_edge(
    #[case] edges: &[(&str, Reporter, usize)],
    #[case] expected: &[(&str, Reporter, f64)],
) {
    let expected: Vec<_> = expected
        .iter()
        .map(|(ends, reporter, calls)| ((*ends).to_owned(), *reporter, *calls))
        .collect();
    assert_eq!(shown(edges), expected);
}
