//! No output of the collector has a secret of the corpus, and the texts that are not secret are there.

use std::path::Path;
use std::sync::Arc;

use als_proto::Message;
use als_proto::messages::envoy::data::accesslog::v3::HttpAccessLogEntry;
use alscope_analysis::aggregate::registry::Registry;
use alscope_analysis::directory::Directory;
use alscope_analysis::moment::Moment;
use alscope_analysis::names::redact::Redaction;
use alscope_analysis::node::Node;
use alscope_analysis::shard::{AnalysisSettings, MessageProgress, Shard};
use alscope_collector::configure::persistence::persistence;
use alscope_collector_config::Config;
use prost::Message as _;
use rstest::rstest;
use serde_json::Value;

use crate::process::Process;
use crate::running::*;

const CORPUS: &str = include_str!("../../../analysis/tests/corpus/secrets.txt");
const CHAINS: &str = "http: 'k8s-mesh,persistence', tcp: 'k8s-mesh,persistence'";
const HIDING: &str = "redaction: { headers: [x-tenant] }";
const SHOWING: &str = "redaction: { enabled: false }";

/// A part of a request, and the secret in it.
struct Case {
    kind: &'static str,
    input: &'static str,
    secret: &'static str,
}

fn cases() -> Vec<Case> {
    let lines = CORPUS
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("# "));
    let cases: Vec<Case> = lines
        .map(|line| {
            let columns: Vec<&str> = line.split(" | ").collect();
            Case {
                kind: columns[0],
                input: columns[1],
                secret: columns[2],
            }
        })
        .collect();
    assert!(cases.len() > 90);
    cases
}

/// Returns a failed call with the case's input wherever Envoy would log it, and with a word that is not
/// secret.
fn failed(number: usize, case: &Case) -> HttpAccessLogEntry {
    let mut entry = entry("10.0.0.2");
    let request = entry.request.as_mut().unwrap();
    let response = entry.response.as_mut().unwrap();
    let input = case.input.to_owned();
    request.user_agent = format!("harmless-{number}");
    response.response_code = Some(500);
    match case.kind.split_once(' ') {
        None if case.kind == "target" => {
            request.path.clone_from(&input);
            request.original_path = input;
        }
        // Without a cluster of a service, the authority's host becomes a label.
        None => {
            request.authority = input;
            entry.common_properties.as_mut().unwrap().upstream_cluster = "PassthroughCluster".into();
        }
        Some((_, name)) => {
            if name == "referer" {
                request.referer.clone_from(&input);
            }
            let header = (name.to_owned(), input);
            request.request_headers = [header.clone()].into();
            response.response_headers = [header.clone()].into();
            response.response_trailers = [header].into();
        }
    }
    entry
}

fn corpus() -> Vec<HttpAccessLogEntry> {
    let cases = cases();
    cases
        .iter()
        .enumerate()
        .map(|(number, case)| failed(number, case))
        .collect()
}

/// Returns the lines of the corpus from a shard alone.
fn lines(analysis: &str) -> Vec<String> {
    let text = format!("{{ directory: {{ file: a }}, analysis: {{ {CHAINS}, {analysis} }} }}");
    let config = Config::parse(&text, Path::new("collector.yaml")).unwrap();
    let shard = Shard::new(AnalysisSettings::default(), Arc::new(Registry::default()));
    let mut shard = shard.with_persistence(persistence(&config).unwrap().unwrap());
    let bytes = first_message(corpus()).encode_to_vec();
    let message = Message::read(&bytes).unwrap();
    let stream = Node::identify(&message.identifier().unwrap().unwrap(), shard.registry()).unwrap();
    let mut progress = MessageProgress::new(message.entries(), Moment(0));
    assert!(!shard.read_entries(&Directory::default(), &stream, &mut progress, 1000));
    let text = String::from_utf8(shard.take_batches(0).pop().unwrap().1.bytes).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn object(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

/// Checks that every line describes its request, and shows everything that may be shown of it.
fn assert_tells(lines: &[String], redaction: &Redaction) {
    let cases = cases();
    assert_eq!(lines.len(), cases.len());
    for (number, (line, case)) in lines.iter().zip(&cases).enumerate() {
        let object = object(line);
        assert_eq!(object["user_agent"], format!("harmless-{number}"));
        assert_eq!(object["kept"], "error");
        let mut shown = String::new();
        let told = match case.kind.split_once(' ') {
            None if case.kind == "target" => {
                redaction.target(case.input.as_bytes(), &mut shown);
                &object["path"]
            }
            None => {
                redaction.authority(case.input.as_bytes(), &mut shown);
                &object["authority"]
            }
            Some((_, name)) => {
                redaction.header(name.as_bytes(), case.input.as_bytes(), &mut shown);
                assert_eq!(object["response_headers"], object["request_headers"], "{line}");
                &object["request_headers"][name]
            }
        };
        assert_eq!(told.as_str().unwrap_or_default(), shown, "{line}");
    }
}

#[test]
fn no_secret_is_in_a_line() {
    let lines = lines(HIDING);
    for (line, case) in lines.iter().zip(cases()) {
        assert!(!line.contains(case.secret), "{}: {line}", case.secret);
    }
    assert_tells(&lines, &Redaction::with_headers(["x-tenant"]));
}

#[test]
fn with_redaction_switched_off_a_line_shows_all() {
    let lines = lines(SHOWING);
    for (line, case) in lines.iter().zip(cases()) {
        assert!(
            line.contains(case.secret) || !case.input.contains(case.secret),
            "{line}"
        );
    }
    assert_tells(&lines, &Redaction::Off);
}

#[rstest]
#[case::hiding(HIDING, false)]
#[case::showing(SHOWING, true)]
#[tokio::test]
async fn no_secret_is_in_what_the_collector_prints_and_serves(
    #[case] analysis: &str,
    #[case] is_shown: bool,
) {
    let process = Process::start(&format!("{CHAINS}, {analysis}"));
    let cases = cases();
    let count = cases.len();
    let messages = futures::stream::iter([first_message(corpus())]);
    client(process.grpc)
        .await
        .stream_access_logs(messages)
        .await
        .unwrap();
    let samples = [
        ("alscope_entries_kept_total{reason=\"error\"}", count),
        (
            "alscope_exporter_entries_queued_total{exporter=\"json-lines\"}",
            count,
        ),
        (
            "alscope_exporter_entries_exported_total{exporter=\"json-lines\"}",
            count,
        ),
        ("alscope_exporter_entries_waiting{exporter=\"json-lines\"}", 0),
        (
            "alscope_exporter_entries_dropped_total{exporter=\"json-lines\",reason=\"queue-full\"}",
            0,
        ),
        (
            "alscope_exporter_entries_dropped_total{exporter=\"json-lines\",reason=\"write-failed\"}",
            0,
        ),
        ("alscope_entries_over_rate_total", 0),
    ];
    let metrics = process.metrics_with(&samples).await;
    assert!(
        metrics.contains("destination_service=\"shop.example.com\""),
        "{metrics}"
    );
    let (_, topology) = get(process.web, "/api/v1/topology?window=60s").await;
    assert!(topology.contains("demo/productpage"), "{topology}");
    let (_, page) = get(process.web, "/").await;
    let printed = process.stop();
    assert!(
        printed
            .stderr
            .contains("analyzer persistence active for http, tcp"),
        "{}",
        printed.stderr
    );

    let lines: Vec<String> = printed.stdout.lines().map(str::to_owned).collect();
    let redaction = if is_shown {
        Redaction::Off
    } else {
        Redaction::with_headers(["x-tenant"])
    };
    assert_tells(&lines, &redaction);
    assert_eq!(object(&lines[0])["source"], "productpage.demo");
    for Case { secret, .. } in &cases {
        for output in [&metrics, &topology, &page, &printed.stderr] {
            assert!(!output.contains(secret), "{secret} in {output}");
        }
        assert!(is_shown || !printed.stdout.contains(secret), "{secret}");
    }
    assert_eq!(printed.stdout.contains("hunter2"), is_shown);
}

#[tokio::test]
async fn what_is_kept_last_is_printed_before_the_end() {
    let process = Process::start(CHAINS);
    let mut entry = entry("10.0.0.2");
    entry.response.as_mut().unwrap().response_code = Some(503);
    let messages = futures::stream::iter([first_message(vec![entry; 3000])]);
    client(process.grpc)
        .await
        .stream_access_logs(messages)
        .await
        .unwrap();
    let printed = process.stop();
    assert_eq!(printed.stdout.lines().count(), 3000);
    assert!(
        printed
            .stdout
            .lines()
            .all(|line| object(line)["response_code"] == 503)
    );
}

#[tokio::test]
async fn what_is_kept_and_cannot_be_printed_is_counted_and_the_collector_goes_on() {
    let process = Process::start_unread(CHAINS);
    let mut entry = entry("10.0.0.2");
    entry.response.as_mut().unwrap().response_code = Some(503);
    for sent in [5, 10] {
        let messages = futures::stream::iter([first_message(vec![entry.clone(); 5])]);
        client(process.grpc)
            .await
            .stream_access_logs(messages)
            .await
            .unwrap();
        let dropped =
            "alscope_exporter_entries_dropped_total{exporter=\"json-lines\",reason=\"write-failed\"}";
        process.metrics_with(&[(dropped, sent)]).await;
    }
    assert!(process.stop().stderr.contains("cannot write kept entries"));
}
