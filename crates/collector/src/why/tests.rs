use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use rstest::rstest;

use super::table::text;
use super::{fetch, run};
use crate::client::Collector;
use crate::evidence::{Entries, Evidence, Example, Why};

#[expect(clippy::unnecessary_wraps, reason = "it has the shape of the fields")]
fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn evidence(reporter: &str, party: &str, rule: &str, observations: u64) -> Evidence {
    Evidence {
        reporter: reporter.to_owned(),
        party: party.to_owned(),
        analyzer: "k8s-mesh".to_owned(),
        rule: rule.to_owned(),
        unattributed: None,
        observations,
        share: observations as f64 / 40.0,
        example: None,
    }
}

fn request() -> Example {
    Example {
        start_time: "2026-01-02T03:04:05Z".to_owned(),
        proxy: some("sidecar~10.0.0.1~a"),
        method: some("GET"),
        authority: some("reviews:9080"),
        path: some("/reviews/0?user={redacted}"),
        response_code: Some(503),
        response_flags: some("UF"),
        upstream_cluster: some("outbound|9080||reviews"),
        downstream_direct_remote_address: some("10.0.0.1:40000"),
        downstream_remote_address: some("203.0.113.1:1"),
        downstream_local_address: some("10.96.0.2:9080"),
        ..Example::default()
    }
}

fn of_an_edge() -> Why {
    let unknown = Evidence {
        unattributed: some("node-address"),
        ..evidence("source", "destination", "k8s-mesh/node-address", 3)
    };
    let pod = Evidence {
        example: Some(request()),
        ..evidence("source", "source", "k8s-mesh/pod-address", 40)
    };
    Why {
        source: some("demo/productpage"),
        destination: some("unknown"),
        since: "2026-01-02T00:00:00Z".to_owned(),
        observations: 40,
        evidence: vec![pod, unknown],
        ..Why::default()
    }
}

#[test]
fn an_edge_has_a_row_for_each_rule_of_each_party() {
    let expected = "\
demo/productpage → unknown: 40 observations since 2026-01-02T00:00:00Z

REPORTED BY  PARTY        ANALYZER  RULE                   UNKNOWN       COUNT    SHARE  EXAMPLE
source       source       k8s-mesh  k8s-mesh/pod-address   -                40  100.0 %  \
GET reviews:9080/reviews/0?user={redacted} 503, flags UF, from 10.0.0.1:40000, to 10.96.0.2:9080, \
cluster outbound|9080||reviews, logged by sidecar~10.0.0.1~a, at 2026-01-02T03:04:05Z
source       destination  k8s-mesh  k8s-mesh/node-address  node-address      3    7.5 %  -";
    assert_eq!(text(&of_an_edge(), u16::MAX), expected);
}

#[rstest]
#[case::without_flags(Example { response_flags: some("-"), ..request() }, "503, from 10.0.0.1:40000")]
#[case::no_direct_address(Example { downstream_direct_remote_address: None, ..request() }, "from 203.0.113.1:1,")]
#[case::tcp(Example { method: None, ..request() }, "TCP, flags UF")]
#[case::peers(
    Example { downstream_peer: some("a/b"), upstream_peer: some("c/d"), ..request() },
    "downstream peer a/b, upstream peer c/d"
)]
#[case::control_characters(Example { route_name: None, path: some("/\u{1b}[2J"), ..request() }, "/\u{fffd}[2J")]
fn an_example_is_a_line(#[case] example: Example, #[case] expected: &str) {
    let mut why = of_an_edge();
    why.evidence[0].example = Some(example);
    let text = text(&why, u16::MAX);
    assert!(text.contains(expected), "{text}");
}

#[test]
fn an_example_is_cut_where_the_terminal_ends() {
    let text = text(&of_an_edge(), 120);
    assert!(
        text.lines().all(|line| line.chars().count() <= 120)
            && text.contains("…")
            && text.contains("node-address"),
        "{text}"
    );
}

#[test]
fn all_edges_are_told_with_the_entries_that_came_to_nothing() {
    let counts = |reason: &str, count| [(reason.to_owned(), count), ("other".to_owned(), 0)].into();
    let entries = Entries {
        received: 50,
        observed: 40,
        rejected: counts("bad-address", 4),
        skipped: counts("periodic", 6),
    };
    let why = Why {
        source: None,
        destination: None,
        overflowed: 2,
        expired: 5,
        entries: Some(entries),
        ..of_an_edge()
    };
    let text = text(&why, u16::MAX);
    assert!(
        text.starts_with("all edges: 40 observations since 2026-01-02T00:00:00Z\n\nREPORTED BY"),
        "{text}"
    );
    assert!(
        text.ends_with(
            "-\n\n2 further observations can't be shown by edge and rule, because the collector keeps only so many edges and rules\n\n\
             5 further observations belong to edges that were idle for so long that they are forgotten\n\n\
             entries: 50 received, 40 observed; rejected: bad-address 4; skipped: periodic 6"
        ),
        "{text}"
    );
}

#[test]
fn quiet_mesh_says_what_to_do() {
    let why = Why {
        since: "2026-01-02T00:00:00Z".to_owned(),
        entries: Some(Entries::default()),
        ..Why::default()
    };
    let expected = "no calls since 2026-01-02T00:00:00Z; send a request through the mesh\n\n\
                    entries: 0 received, 0 observed; rejected: none; skipped: none";
    assert_eq!(text(&why, 80), expected);
}

/// Starts a web server that answers one request, which must begin with this text.
fn answering(request: &'static str, answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut received = [0; 1024];
        let length = stream.read(&mut received).expect("a request");
        let received = String::from_utf8_lossy(&received[..length]).into_owned();
        assert!(received.starts_with(request), "{received}");
        stream.write_all(answer.as_bytes()).expect("the answer is sent");
    });
    format!("http://{address}/")
}

const EMPTY: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n\
    {\"source\":null,\"destination\":null,\"since\":\"2026-01-02T00:00:00Z\",\"observations\":7,\"evidence\":[],\
    \"overflowed\":0,\"entries\":null}";

#[rstest]
#[case::all(None, "GET /api/v1/why HTTP/1.1\r\n")]
#[case::an_edge(
    Some(("a/b", "*.example.com & more")),
    "GET /api/v1/why?edge=a%2Fb%2C*.example.com%20%26%20more HTTP/1.1\r\n"
)]
fn the_edge_is_asked_for(#[case] edge: Option<(&str, &str)>, #[case] request: &'static str) {
    let url = answering(request, EMPTY);
    let why = fetch(&Collector::at(&url).expect("an address"), edge).expect("an answer");
    assert_eq!(why.observations, 7);
}

#[rstest]
#[case::unknown_edge(
    "HTTP/1.1 404 Not Found\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 14\r\n\r\nno such edge\r\n",
    "no such edge"
)]
#[case::another_server(
    "HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\ncontent-length: 3\r\n\r\n<p>",
    "answered with status 404; check that it is a collector's web port, by default 8080"
)]
fn a_refusal_is_told_as_the_collector_says_it(#[case] answer: &'static str, #[case] expected: &str) {
    let url = answering("GET /api/v1/why?edge=a%2Cb HTTP/1.1", answer);
    let error = run(&url, Some(("a", "b"))).expect_err("a refusal").to_string();
    assert!(error.ends_with(expected), "{error}");
}
