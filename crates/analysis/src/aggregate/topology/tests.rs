use std::sync::Arc;
use std::time::Duration;

use als_proto::ResponseFlags;
use rstest::rstest;

use super::*;
use crate::aggregate::histogram::Histogram;
use crate::aggregate::labels::Node;
use crate::aggregate::series::{HttpCounts, Outcome, TcpCounts};
use crate::aggregate::window::{EdgeSeries, Verdict, Window};
use crate::analyze::protocol::Protocol;
use crate::moment::Moment;

fn at(seconds: i64) -> Moment {
    Moment(seconds * 1_000_000_000)
}

fn edge(source: &str, destination: &str, protocol: &'static str, reporter: Reporter) -> Edge {
    let node = |workload: &str| Node {
        namespace: "demo".into(),
        workload: Arc::from(workload),
    };
    Edge {
        source: node(source),
        destination: node(destination),
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
    let series = EdgeSeries {
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
    let rows: Vec<_> = rows
        .iter()
        .map(|row| (row.edge.reporter, row.per_second))
        .collect();
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

#[test]
fn errors_are_a_share_of_what_is_known() {
    let mut window = Window::new(at(1000));
    let edge = edge("a", "b", "grpc", Reporter::Source);
    http(&mut window, &edge, Verdict::Success, &requests(&[3; 6]), 1010);
    http(&mut window, &edge, Verdict::Error, &requests(&[3; 2]), 1010);
    http(&mut window, &edge, Verdict::Unknown, &requests(&[3; 12]), 1010);
    let rows = rows(&window.last(Duration::from_mins(1), at(1020)));
    assert_eq!((rows[0].per_second, rows[0].error_share), (1.0, Some(0.25)));
}

#[test]
fn tcp_has_connections_and_no_percentiles() {
    let mut window = Window::new(at(1000));
    let id = window.edge(&edge("a", "b", "tcp", Reporter::Source));
    window.add_tcp(
        id,
        &TcpCounts {
            connections: 5,
            ..TcpCounts::default()
        },
        at(1005),
    );
    let rows = rows(&window.last(Duration::from_mins(1), at(1010)));
    assert_eq!(
        (rows[0].per_second, rows[0].error_share, rows[0].percentiles),
        (0.5, None, None)
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
        .find(|(edge, _)| &*edge.source.workload == "other")
        .unwrap();
    assert_eq!(other.1.calls, 10);
}

#[rstest]
#[case(Protocol::Http, 200, Verdict::Success)]
#[case(Protocol::Http, 404, Verdict::Success)]
// proves: outcome/error
#[case(Protocol::Http, 500, Verdict::Error)]
// proves: outcome/error
#[case(Protocol::Http, 0, Verdict::Error)]
#[case(Protocol::Grpc(0), 200, Verdict::Success)]
// proves: outcome/error
#[case(Protocol::Grpc(5), 200, Verdict::Error)]
// proves: outcome/unknown
#[case(Protocol::GrpcUnknown, 200, Verdict::Unknown)]
#[case(Protocol::GrpcUnknown, 503, Verdict::Error)]
#[case(Protocol::Tcp, 0, Verdict::Unknown)]
fn an_error_is_no_answer_a_server_error_or_a_grpc_status(
    #[case] protocol: Protocol,
    #[case] code: u32,
    #[case] expected: Verdict,
) {
    assert_eq!(
        Verdict::of(Outcome {
            protocol,
            code,
            flags: ResponseFlags::default()
        }),
        expected
    );
}
