use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use rstest::rstest;

use super::screen::{is_quit, lines};
use super::table::table;
use super::{printed, topology};
use crate::client::Collector;
use crate::topology::{Edge, NO_GRPC_STATUS, Topology, TopologyNode};

fn edge(source: &str, destination: &str, protocol: &str, requests_per_second: f64) -> Edge {
    Edge {
        source: source.to_owned(),
        destination: destination.to_owned(),
        protocol: protocol.to_owned(),
        reporter: "source".to_owned(),
        requests_per_second,
        error_share: None,
        client_error_share: None,
        unknown_share: 0.0,
        p50_milliseconds: None,
        p95_milliseconds: None,
        p99_milliseconds: None,
    }
}

fn timed(mut edge: Edge, error_share: f64, percentiles: [f64; 3]) -> Edge {
    let [p50, p95, p99] = percentiles.map(Some);
    edge.error_share = Some(error_share);
    edge.client_error_share = Some(0.02);
    (
        edge.p50_milliseconds,
        edge.p95_milliseconds,
        edge.p99_milliseconds,
    ) = (p50, p95, p99);
    edge
}

fn bookinfo() -> Topology {
    let node = |id: &str| TopologyNode {
        id: id.to_owned(),
        namespace: String::new(),
        workload: String::new(),
        name: String::new(),
        kind: String::new(),
    };
    let reviews = edge("bookinfo/productpage-v1", "bookinfo/reviews-v3", "http", 15.84);
    let mut gateway = timed(
        edge("unknown", "istio-system/gateway", "http", 12_345.0),
        0.004,
        [0.52, 9.94, 88.0],
    );
    gateway.reporter = "destination".to_owned();
    Topology {
        window_seconds: 60,
        nodes: vec![
            node("bookinfo/productpage-v1"),
            node("bookinfo/reviews-v3"),
            node("unknown"),
        ],
        edges: vec![
            edge("bookinfo/ratings-v1", "service:data/mongodb", "tcp", 3.2),
            timed(reviews, 0.083, [8.1, 310.4, 1240.0]),
            gateway,
        ],
    }
}

#[test]
fn wide_table_has_every_column_and_the_busiest_call_first() {
    let expected = "\
SOURCE                   DESTINATION           PROTOCOL     RATE  ERRORS  CLIENT ERRORS  NOT KNOWN     P50     P95     P99  REPORTED BY
unknown                  istio-system/gateway  http      12.3k/s   0.4 %          2.0 %      0.0 %  0.5 ms  9.9 ms   88 ms  destination
bookinfo/productpage-v1  bookinfo/reviews-v3   http       15.8/s   8.3 %          2.0 %      0.0 %  8.1 ms  310 ms  1.24 s  source
bookinfo/ratings-v1      service:data/mongodb  tcp        3.20/s       -              -      0.0 %       -       -       -  source";
    assert_eq!(table(&bookinfo(), 200), expected);
}

#[test]
fn names_are_cut_where_the_terminal_ends() {
    let expected = "\
SOURCE       DESTINATI…  PROTOCOL     RATE  ERRORS     P95
unknown      istio-sys…  http      12.3k/s   0.4 %  9.9 ms
bookinfo/p…  bookinfo/…  http       15.8/s   8.3 %  310 ms
bookinfo/r…  service:d…  tcp        3.20/s       -       -";
    assert_eq!(table(&bookinfo(), 60), expected);
}

#[rstest]
#[case(200, &["CLIENT ERRORS", "NOT KNOWN", "P50", "P99", "REPORTED BY"], &[])]
#[case(130, &["CLIENT ERRORS", "P50", "P99", "REPORTED BY"], &["NOT KNOWN"])]
#[case(100, &["CLIENT ERRORS", "P50", "P99"], &["NOT KNOWN", "REPORTED BY"])]
#[case(80, &["P95"], &["CLIENT ERRORS", "NOT KNOWN", "P50", "P99", "REPORTED BY"])]
fn narrow_terminal_has_fewer_columns(#[case] width: u16, #[case] shown: &[&str], #[case] left_out: &[&str]) {
    let table = table(&bookinfo(), width);
    let head = table.lines().next().expect("a head");
    assert!(shown.iter().all(|title| head.contains(title)), "{head}");
    assert!(!left_out.iter().any(|title| head.contains(title)), "{head}");
    assert!(
        table
            .lines()
            .all(|line| line.chars().count() <= usize::from(width)),
        "{table}"
    );
}

#[rstest]
#[case::grpc_without_status("grpc", 0.5, true)]
#[case::grpc_with_status("grpc", 0.0, false)]
#[case::another_protocol("http", 0.5, false)]
fn what_to_do_about_calls_without_a_grpc_status_is_said(
    #[case] protocol: &str,
    #[case] unknown_share: f64,
    #[case] expected: bool,
) {
    let mut topology = bookinfo();
    topology.edges = vec![Edge {
        unknown_share,
        ..edge("a/b", "c/d", protocol, 1.0)
    }];
    let on_screen = lines("http://collector", &topology, None, (200, 10));
    assert_eq!(
        on_screen.get(1).is_some_and(|line| line == NO_GRPC_STATUS),
        expected
    );
    assert_eq!(printed(&topology).ends_with(NO_GRPC_STATUS), expected);
}

#[test]
fn equal_rates_are_ordered_by_name() {
    let mut topology = bookinfo();
    topology.edges = vec![
        edge("b", "c", "http", 1.0),
        edge("a", "d", "http", 1.0),
        edge("a", "c", "tcp", 1.0),
    ];
    let table = table(&topology, 200);
    let starts: Vec<&str> = table
        .lines()
        .skip(1)
        .map(|line| line.get(..2).expect("two columns"))
        .collect();
    assert_eq!(starts, ["a ", "a ", "b "]);
    assert!(table.lines().nth(1).expect("a row").contains("tcp"), "{table}");
}

#[test]
fn control_character_of_a_name_does_not_reach_the_terminal() {
    let mut topology = bookinfo();
    topology.edges = vec![edge("bad/\u{1b}[2J", "a/b", "http", 1.0)];
    let table = table(&topology, 200);
    assert!(table.contains("bad/\u{fffd}[2J"), "{table}");
    assert!(!table.contains('\u{1b}'), "{table}");
}

#[test]
fn quiet_mesh_says_what_to_do() {
    let topology = Topology {
        window_seconds: 60,
        ..Topology::default()
    };
    assert_eq!(
        table(&topology, 80),
        "no calls in the last 60 s; send a request through the mesh"
    );
}

#[test]
fn screen_has_the_state_above_the_table() {
    let lines = lines("http://127.0.0.1:8080", &bookinfo(), None, (200, 20));
    assert_eq!(lines.len(), 20);
    assert_eq!(
        lines[0],
        "http://127.0.0.1:8080   2 nodes, 3 edges in 60 s   q quits"
    );
    assert_eq!(lines[1], "");
    assert!(lines[2].starts_with("SOURCE"), "{lines:?}");
    assert_eq!(lines[6..].concat(), "");
}

#[test]
fn low_screen_counts_the_edges_that_do_not_fit() {
    let lines = lines("http://127.0.0.1:8080", &bookinfo(), None, (60, 5));
    assert_eq!(lines.len(), 5);
    assert!(lines[3].starts_with("unknown"), "{lines:?}");
    assert_eq!(lines[4], "… edges that do not fit: 2");
}

#[test]
fn trouble_stands_above_the_last_table_and_is_cut_to_the_width() {
    let trouble = "cannot reach the collector; check that it runs";
    let lines = lines("http://a", &bookinfo(), Some(trouble), (40, 9));
    assert_eq!(lines[0], "cannot reach the collector; check that i");
    assert!(lines[3].ends_with("9.9 ms"), "{lines:?}");
}

#[rstest]
#[case(KeyCode::Char('q'), KeyModifiers::NONE, true)]
#[case(KeyCode::Esc, KeyModifiers::NONE, true)]
#[case(KeyCode::Char('c'), KeyModifiers::CONTROL, true)]
#[case(KeyCode::Char('c'), KeyModifiers::NONE, false)]
#[case(KeyCode::Enter, KeyModifiers::NONE, false)]
fn keys_that_quit(#[case] code: KeyCode, #[case] modifiers: KeyModifiers, #[case] quits: bool) {
    assert_eq!(is_quit(KeyEvent::new(code, modifiers)), quits);
}

/// Starts a web server that answers one request.
fn answering(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut request = [0; 1024];
        let length = stream.read(&mut request).expect("a request");
        assert!(request[..length].starts_with(b"GET /api/v1/topology?window=60s HTTP/1.1\r\n"));
        stream.write_all(answer.as_bytes()).expect("the answer is sent");
    });
    format!("http://{address}/")
}

#[test]
fn topology_is_read_from_the_web_port() {
    let url = answering(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n\
         {\"windowSeconds\":60,\"nodes\":[],\"edges\":[{\"source\":\"a/b\",\"destination\":\"unknown\",\"protocol\":\"tcp\",\
         \"reporter\":\"source\",\"requestsPerSecond\":2.5,\"errorShare\":null,\
         \"clientErrorShare\":null,\"unknownShare\":0.0,\"p50Milliseconds\":null,\
         \"p95Milliseconds\":null,\"p99Milliseconds\":null}]}",
    );
    let collector = Collector::at(&url).expect("an address");
    let topology = topology(&collector).expect("a topology");
    assert_eq!(topology.edges, [edge("a/b", "unknown", "tcp", 2.5)]);
}

#[rstest]
#[case::wrong_port(
    "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
    "answered with status 404; check that it is a collector's web port, by default 8080"
)]
#[case::not_json(
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    "answered in an unexpected form; use a collector and a command of the same version"
)]
fn other_answers_say_what_to_check(#[case] answer: &'static str, #[case] rest: &str) {
    let url = answering(answer);
    let collector = Collector::at(&url).expect("an address");
    let error = topology(&collector).expect_err("no topology");
    assert_eq!(error.to_string(), format!("{} {rest}", url.trim_end_matches('/')));
}

#[test]
fn unreachable_collector_says_what_to_run() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .expect("a free port")
        .local_addr()
        .expect("an address");
    let error = super::run(&format!("http://{closed}")).expect_err("nobody listens");
    let expected = format!(
        "cannot reach the collector at http://{closed} (Connection refused (os error 111)); check that it runs, and for one in \
         a cluster run kubectl \
         port-forward --namespace alscope-system deployment/alscope-collector 8080:8080"
    );
    assert_eq!(error.to_string(), expected);
}

#[rstest]
#[case("127.0.0.1:8080")]
#[case("https://127.0.0.1:8080")]
#[case("http://")]
fn bad_address_is_refused(#[case] url: &str) {
    let error = super::run(url).expect_err("no address");
    let expected = format!("`{url}` is not the address of a collector; write it like http://127.0.0.1:8080");
    assert_eq!(error.to_string(), expected);
}
