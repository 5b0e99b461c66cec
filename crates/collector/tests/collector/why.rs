//! The rules behind the calls of an edge, as the web port and the command show them.

use std::process::{Command, Output};

use als_proto::messages::envoy::data::accesslog::v3::{HttpAccessLogEntry, ResponseFlags};
use alscope_collector::evidence::{Example, Why};
use alscope_collector::topology::Topology;
use alscope_collector_config::Analyzer;
use prost::Message as _;
use prost_types::{Any, Struct};
use rstest::rstest;

use crate::running::*;

const CORPUS: &str = include_str!("../../../analysis/tests/corpus/secrets.txt");
const POD: &str = "k8s-mesh/pod-address";

/// Starts a collector that gets four calls, and an entry that it can't read.
async fn collector() -> Collector {
    let collector = Collector::start().await;
    let mut called = entry("10.0.0.2");
    called.request.as_mut().unwrap().path = "/reviews/0?user=alice".into();
    let entries = [
        called.clone(),
        called.clone(),
        called,
        entry("10.0.0.77"),
        entry("?"),
    ];
    collector.stream(vec![first_message(entries.into())]).await;
    collector
        .until_sample("alscope_entries_received_total", 5.0)
        .await;
    collector
}

async fn why(collector: &Collector, query: &str) -> Why {
    let (status, body) = collector.get(collector.web, &format!("/api/v1/why{query}")).await;
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

/// Returns the reporter, party, analyzer, rule and reason of each row, with its count and share.
fn rows(why: &Why) -> Vec<(String, u64, f64)> {
    let rows = why.evidence.iter();
    rows.map(|row| {
        let unattributed = row.unattributed.as_deref().unwrap_or("-");
        let words = [&row.reporter, &row.party, &row.analyzer, &row.rule, unattributed];
        (words.join(" "), row.observations, row.share)
    })
    .collect()
}

fn row(words: &str, observations: u64, share: f64) -> (String, u64, f64) {
    (words.to_owned(), observations, share)
}

#[tokio::test]
async fn an_edge_is_told_by_rule_with_an_example() {
    let collector = collector().await;
    let of_edge = why(&collector, "?edge=demo/productpage,demo/reviews").await;
    let ends = (of_edge.source.as_deref(), of_edge.destination.as_deref());
    assert_eq!(ends, (Some("demo/productpage"), Some("demo/reviews")));
    assert_eq!((of_edge.observations, of_edge.overflowed), (3, 0));
    assert_eq!(of_edge.entries, None);
    let expected = [
        row(&format!("source source k8s-mesh {POD} -"), 3, 1.0),
        row(&format!("source destination k8s-mesh {POD} -"), 3, 1.0),
    ];
    assert_eq!(rows(&of_edge), expected);
    let example = of_edge.evidence[1].example.clone().unwrap();
    let expected = Example {
        start_time: example.start_time.clone(),
        proxy: Some("sidecar~10.0.0.1~productpage.demo~demo.svc.cluster.local".to_owned()),
        method: Some("_OTHER".to_owned()),
        path: Some("/reviews/0?user={redacted}".to_owned()),
        response_code: Some(200),
        response_flags: Some("-".to_owned()),
        upstream_cluster: Some("outbound|9080||reviews.demo.svc.cluster.local".to_owned()),
        downstream_remote_address: Some("10.0.0.1:9080".to_owned()),
        downstream_local_address: Some("10.0.0.9:9080".to_owned()),
        upstream_remote_address: Some("10.0.0.2:9080".to_owned()),
        ..Example::default()
    };
    assert_eq!(example, expected);
    let [since, called]: [jiff::Timestamp; 2] =
        [&of_edge.since, &example.start_time].map(|time| time.parse().unwrap());
    // A drain may begin between the moment that a message comes and the one that its entries are counted.
    let counted = called + std::time::Duration::from_millis(50);
    assert!(since < counted, "{since} {called}");
    collector.stop().await;
}

/// The proxy reached nobody, so it knows only the service of the failed call. The edge to the only workload
/// of the service has the call.
#[tokio::test]
async fn an_edge_is_told_with_the_calls_that_nobody_answered() {
    let collector = Collector::start().await;
    let mut unanswered = entry("10.0.0.2");
    let common = unanswered.common_properties.as_mut().unwrap();
    common.upstream_remote_address = None;
    common.response_flags = Some(ResponseFlags {
        no_healthy_upstream: true,
        ..ResponseFlags::default()
    });
    let messages = vec![first_message(vec![entry("10.0.0.2"), unanswered])];
    collector.stream(messages).await;
    collector
        .until_sample("alscope_entries_received_total", 2.0)
        .await;
    let (_, text) = collector.get(collector.web, "/api/v1/topology").await;
    let topology: Topology = serde_json::from_str(&text).unwrap();
    let [edge] = &topology.edges[..] else {
        panic!("{text}")
    };
    assert_eq!(
        (edge.destination.as_str(), edge.error_share),
        ("demo/reviews", Some(0.5))
    );
    let of_edge = why(&collector, "?edge=demo/productpage,demo/reviews").await;
    let expected = [
        row(&format!("source source k8s-mesh {POD} -"), 2, 1.0),
        row(&format!("source destination k8s-mesh {POD} -"), 1, 0.5),
        row(
            "source destination k8s-mesh k8s-mesh/no-upstream no-address",
            1,
            0.5,
        ),
    ];
    assert_eq!(rows(&of_edge), expected);
    collector.stop().await;
}

#[tokio::test]
async fn without_an_edge_all_is_told_and_what_came_to_nothing() {
    let collector = collector().await;
    let all = why(&collector, "").await;
    assert_eq!((all.source.as_deref(), all.observations), (None, 4));
    let expected = [
        row(&format!("source source k8s-mesh {POD} -"), 4, 1.0),
        row(&format!("source destination k8s-mesh {POD} -"), 3, 0.75),
        row(
            "source destination k8s-mesh k8s-mesh/not-found not-found",
            1,
            0.25,
        ),
    ];
    assert_eq!(rows(&all), expected);
    let entries = all.entries.unwrap();
    assert_eq!((entries.received, entries.observed), (5, 4));
    let some = |counts: std::collections::BTreeMap<String, u64>| -> Vec<(String, u64)> {
        counts.into_iter().filter(|(_, count)| *count > 0).collect()
    };
    assert_eq!(some(entries.rejected), [("bad-address".to_owned(), 1)]);
    assert_eq!(some(entries.skipped), []);
    collector.stop().await;
}

#[rstest]
#[case::no_edge("demo/productpage", 400, "like edge=demo/productpage-v1,demo/reviews-v2")]
#[case::other_way(
    "demo/reviews,demo/productpage",
    404,
    "was not observed, or was idle for so long that it is forgotten"
)]
#[case::others("other/other,other/other", 404, "stands for all edges beyond the first 2000")]
#[case::nobody(",", 404, "/api/v1/topology?window=1h lists the edges")]
#[tokio::test]
async fn what_is_no_edge_is_refused(#[case] edge: &str, #[case] status: u16, #[case] named: &str) {
    let collector = collector().await;
    let (answered, body) = collector
        .get(collector.web, &format!("/api/v1/why?edge={edge}"))
        .await;
    assert_eq!(answered, status, "{body}");
    assert!(
        body.starts_with(&format!("edge={edge} ")) && body.contains(named),
        "{body}"
    );
    collector.stop().await;
}

/// Runs the command on the collector. Returns its exit code and output.
async fn ran(collector: &Collector, arguments: &'static [&'static str]) -> (Option<i32>, String) {
    let url = format!("--url=http://{}", collector.web);
    let run = move || -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alscope-collector"));
        command.arg("why").args(arguments).arg(url).output().unwrap()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[tokio::test]
async fn the_command_prints_what_the_collector_tells() {
    let collector = collector().await;
    let (status, text) = ran(&collector, &["demo/productpage", "service:demo/reviews"]).await;
    assert_eq!(status, Some(0), "{text}");
    assert!(
        text.starts_with("demo/productpage → service:demo/reviews: 1 observation since 2"),
        "{text}"
    );
    let last = text.lines().last().unwrap();
    let words: Vec<&str> = last.split_whitespace().take(8).collect();
    let expected = [
        "source",
        "destination",
        "k8s-mesh",
        "k8s-mesh/not-found",
        "not-found",
        "1",
        "100.0",
        "%",
    ];
    assert_eq!(words, expected, "{text}");
    assert!(last.contains("upstream 10.0.0.77:9080"), "{text}");
    let (status, text) = ran(&collector, &[]).await;
    assert_eq!(status, Some(0), "{text}");
    assert!(
        text.ends_with("entries: 5 received, 4 observed; rejected: bad-address 1; skipped: none\n"),
        "{text}"
    );
    let (status, text) = ran(&collector, &["a", "b"]).await;
    assert_eq!(status, Some(1), "{text}");
    assert!(
        text.starts_with("alscope-collector: edge=a,b was not observed"),
        "{text}"
    );
    collector.stop().await;
}

/// Returns a call of a workload with this name, which describes itself.
fn called(workload: &str) -> HttpAccessLogEntry {
    let mut entry = entry("10.0.0.2");
    let peer = with_metadata(productpage(), [("workload", workload), ("namespace", "demo")]);
    let peer: Struct = peer.metadata.unwrap();
    let object = Any {
        type_url: "type.googleapis.com/google.protobuf.Struct".into(),
        value: peer.encode_to_vec(),
    };
    let common = entry.common_properties.as_mut().unwrap();
    common.filter_state_objects = [("upstream_peer".to_owned(), object)].into();
    entry
}

/// Puts an input of the corpus where it belongs in the call.
fn with_input(mut entry: HttpAccessLogEntry, kind: &str, input: &str) -> HttpAccessLogEntry {
    let request = entry.request.as_mut().unwrap();
    match kind.split_once(' ') {
        Some(("header", name)) => {
            let header = (name.to_owned(), input.into());
            let response = entry.response.as_mut().unwrap();
            response.response_headers = [header.clone()].into();
            response.response_trailers = [header.clone()].into();
            request.request_headers = [header].into();
            request.referer = input.into();
            request.user_agent = input.into();
            request.request_id = input.into();
            request.forwarded_for = input.into();
        }
        _ if kind == "authority" => request.authority = input.into(),
        _ => {
            request.path = input.into();
            request.original_path = input.into();
        }
    }
    entry
}

#[tokio::test]
async fn no_secret_of_the_corpus_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = configuration(folder.path(), "");
    config.analysis.http = vec![Analyzer::MxMesh];
    let collector = Collector::running(config, folder).await;
    let lines = CORPUS
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("# "));
    let cases: Vec<[&str; 3]> = lines
        .map(|line| line.split(" | ").collect::<Vec<_>>().try_into().unwrap())
        .collect();
    let entries = cases.iter().enumerate();
    // Each line is an edge of its own, so that each becomes an example.
    let entries =
        entries.map(|(number, [kind, input, _])| with_input(called(&format!("w{number}")), kind, input));
    let node = with_metadata(productpage(), [("WORKLOAD_NAME", "own"), ("NAMESPACE", "demo")]);
    collector.stream(vec![message_of(node, entries.collect())]).await;
    collector
        .until_sample("alscope_entries_observed_total", cases.len() as f64)
        .await;
    for (number, [kind, input, secret]) in cases.iter().enumerate() {
        let path = format!("/api/v1/why?edge=demo/own,demo/w{number}");
        let (status, body) = collector.get(collector.web, &path).await;
        assert_eq!(status, 200, "{body}");
        assert!(!body.contains(secret), "{kind} | {input}: {body}");
        let example = &serde_json::from_str::<Why>(&body).unwrap().evidence[0].example;
        let example = example.as_ref().unwrap();
        let is_shown = match *kind {
            // Nothing of a fragment is shown.
            "target" => example.path.is_some() || input.starts_with('#'),
            "authority" => example.authority.is_some(),
            _ => true,
        };
        assert!(is_shown, "{kind} | {input}: {body}");
    }
    collector.stop().await;
}
