//! `/metrics` in `OpenMetrics`, for clients that ask for it.

use std::collections::BTreeSet;

use als_proto::messages::envoy::data::accesslog::v3::HttpAccessLogEntry;
use alscope_analysis::moment::Moment;
use alscope_collector::clock;

use crate::running::*;

const ACCEPT: &str =
    "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";

/// Returns the content type and the body of `/metrics`.
async fn metrics(collector: &Collector, accept: Option<&'static str>) -> (String, String) {
    let url = format!("http://{}/metrics", collector.admin);
    let get = move || {
        let request = ureq::get(&url);
        let request = match accept {
            Some(accept) => request.header("accept", accept),
            None => request,
        };
        let mut response = request.call().unwrap();
        let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
        (content_type, response.body_mut().read_to_string().unwrap())
    };
    tokio::task::spawn_blocking(get).await.unwrap()
}

/// Checks that every line stands after the type of its family, that its name fits the type, and that the
/// end mark is the last line.
fn check(text: &str) {
    let mut families = BTreeSet::new();
    let (mut family, mut kind) = ("", "");
    let lines: Vec<&str> = text.lines().collect();
    let (end, lines) = lines.split_last().unwrap();
    assert_eq!(*end, "# EOF");
    for line in lines {
        if let Some(described) = line.strip_prefix("# TYPE ") {
            (family, kind) = described.split_once(' ').unwrap();
            assert!(families.insert(family), "{family} is there twice");
            continue;
        }
        if line.starts_with("# HELP ") {
            continue;
        }
        let name = line.split(['{', ' ']).next().unwrap();
        let suffixes: &[&str] = match kind {
            "counter" => &["_total", "_created"],
            "histogram" => &["_bucket", "_sum", "_count", "_created"],
            "gauge" | "unknown" => &[""],
            _ => &[],
        };
        let is_of_family = suffixes
            .iter()
            .any(|suffix| name.strip_prefix(family) == Some(suffix));
        assert!(is_of_family, "{line} is no {kind} of {family}");
    }
}

fn calls() -> Vec<HttpAccessLogEntry> {
    vec![entry("10.0.0.2"); 3]
}

#[tokio::test]
async fn open_metrics_says_since_when_each_counter_and_histogram_counts() {
    let before = clock::now();
    let collector = Collector::start().await;
    collector.stream(vec![first_message(calls())]).await;
    collector
        .until_sample("alscope_entries_received_total", 3.0)
        .await;
    let (content_type, text) = metrics(&collector, Some(ACCEPT)).await;
    assert_eq!(
        content_type,
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    check(&text);
    // Shown in whole milliseconds.
    let seconds = |moment: Moment| (moment.0 / 1_000_000) as f64 / 1000.0;
    let (oldest, now) = (seconds(before), seconds(clock::now()));
    let created = |family: &str| {
        let lines = text
            .lines()
            .filter(|line| line.starts_with(&format!("{family}_created")));
        let value = |line: &str| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
        lines.map(value).collect::<Vec<f64>>()
    };
    for (family, series) in [
        ("alscope_requests", 1),
        ("alscope_request_duration_milliseconds", 1),
        ("alscope_response_bytes", 1),
        ("alscope_entries_received", 1),
        ("alscope_values_clamped", 8),
    ] {
        let created = created(family);
        assert_eq!(created.len(), series, "{family}");
        assert!(
            created.iter().all(|time| (oldest..=now).contains(time)),
            "{family}: {created:?}"
        );
    }
    assert!(text.contains("le=\"1.8e+06\"} 3\n"), "{text}");
    assert!(text.contains("\n# TYPE alscope_requests counter\n"), "{text}");
    collector.stop().await;
}

#[tokio::test]
async fn who_does_not_ask_for_it_gets_the_text_format() {
    let collector = Collector::start().await;
    collector.stream(vec![first_message(calls())]).await;
    collector
        .until_sample("alscope_entries_received_total", 3.0)
        .await;
    for accept in [None, Some("text/plain"), Some("*/*")] {
        let (content_type, text) = metrics(&collector, accept).await;
        assert_eq!(content_type, "text/plain; version=0.0.4; charset=utf-8");
        assert!(!text.contains("_created") && !text.contains("# EOF"), "{text}");
        assert!(
            text.contains("\n# TYPE alscope_requests_total counter\n"),
            "{text}"
        );
        assert!(text.contains("le=\"1800000\"} 3\n"), "{text}");
    }
    collector.stop().await;
}
