//! The figures of an edge are those that `PromQL` computes from the same series in the same span.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use als_proto::Message;
use als_proto::messages::envoy::config::core::v3::{Address, Node, SocketAddress, address, socket_address};
use als_proto::messages::envoy::data::accesslog::v3::{
    AccessLogCommon, HttpAccessLogEntry, HttpRequestProperties, HttpResponseProperties, ResponseFlags,
};
use als_proto::messages::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use als_proto::messages::envoy::service::accesslog::v3::stream_access_logs_message::{
    HttpAccessLogEntries, Identifier, LogEntries,
};
use alscope_analysis::aggregate::registry::Registry;
use alscope_analysis::aggregate::topology::{TopologyRow, rows};
use alscope_analysis::aggregate::totals::{Snapshot, Totals};
use alscope_analysis::directory::Directory;
use alscope_analysis::moment::Moment;
use alscope_analysis::shard::{AnalysisSettings, MessageProgress, Shard};
use alscope_collector::envoy_metrics::{MetricBounds, Proxies};
use alscope_collector::export::prometheus::Prometheus;
use alscope_collector::export::prometheus::families::ScrapeGauges;
use alscope_collector::export::prometheus::format::Format;
use prost::Message as _;

use crate::selector::{Labels, Selector, selectors};

const HTTP: i32 = 2;
const GRPC: i32 = 3;

fn at(seconds: i64) -> Moment {
    Moment(seconds * 1_000_000_000)
}

fn socket(address: &str) -> Address {
    let socket = SocketAddress {
        address: address.to_owned(),
        port_specifier: Some(socket_address::PortSpecifier::PortValue(9080)),
        ..SocketAddress::default()
    };
    let address = Some(address::Address::SocketAddress(socket));
    Address { address }
}

/// The result of a call: version of HTTP, code, milliseconds.
type Called = (i32, u32, i64);

/// Returns a call to a service, as its caller's sidecar logs it. Code 200 over HTTP/2 is a gRPC call to a
/// Service without endpoints.
fn entry(service: &str, (version, code, milliseconds): Called) -> HttpAccessLogEntry {
    let is_grpc = version == GRPC;
    HttpAccessLogEntry {
        common_properties: Some(AccessLogCommon {
            downstream_direct_remote_address: Some(socket("10.0.0.1")),
            downstream_local_address: Some(socket("10.96.0.2")),
            upstream_cluster: format!("outbound|9080||{service}.demo.svc.cluster.local"),
            duration: Some(prost_types::Duration {
                seconds: milliseconds / 1000,
                nanos: i32::try_from(milliseconds % 1000).unwrap() * 1_000_000,
            }),
            response_flags: Some(ResponseFlags {
                no_healthy_upstream: is_grpc && code == 200,
                upstream_connection_termination: code == 101,
                downstream_remote_reset: code == 302,
                ..ResponseFlags::default()
            }),
            ..AccessLogCommon::default()
        }),
        protocol_version: version,
        request: Some(HttpRequestProperties {
            request_method: if is_grpc { 3 } else { 1 },
            path: "/demo.Reviews/Get".to_owned(),
            ..HttpRequestProperties::default()
        }),
        response: Some(HttpResponseProperties {
            response_code: Some(code),
            ..HttpResponseProperties::default()
        }),
    }
}

/// The counting part of a collector, without its sockets.
struct Counting {
    shard: Shard,
    totals: Totals,
}

impl Counting {
    fn new() -> Self {
        Counting {
            shard: Shard::new(AnalysisSettings::default(), Arc::new(Registry::default())),
            totals: Totals::new(at(900)),
        }
    }

    /// Takes calls, and drains them at this second.
    fn take(&mut self, service: &str, calls: &[Called], second: i64) {
        let node = Node {
            id: "sidecar~10.0.0.1~productpage.demo~demo.svc.cluster.local".to_owned(),
            ..Node::default()
        };
        let log_entry = calls.iter().map(|call| entry(service, *call)).collect();
        let message = StreamAccessLogsMessage {
            identifier: Some(Identifier {
                node: Some(node),
                log_name: String::new(),
            }),
            log_entries: Some(LogEntries::HttpLogs(HttpAccessLogEntries { log_entry })),
        };
        let bytes = message.encode_to_vec();
        let message = Message::read(&bytes).unwrap();
        let stream = self
            .shard
            .read_node(&message.identifier().unwrap().unwrap())
            .unwrap();
        let mut progress = MessageProgress::new(message.entries(), at(second));
        while self
            .shard
            .read_entries(&Directory::default(), &stream, &mut progress, 100)
        {}
        while self.shard.drain_into(&mut self.totals, 100, at(second)) {}
    }

    fn snapshot(&mut self, second: i64) -> Arc<Snapshot> {
        Arc::new(self.totals.publish(at(second)))
    }
}

/// The samples of an exposition, by metric and labels.
type Samples = BTreeMap<(String, Labels), f64>;

fn scrape(snapshot: &Arc<Snapshot>) -> Samples {
    let gauges = ScrapeGauges::default();
    let proxies = Proxies::new(MetricBounds::default());
    let pieces = Prometheus::default().render(snapshot.clone(), Format::Text, &gauges, &proxies);
    let text: String = pieces.collect();
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let labels = labels.strip_suffix('}').unwrap();
            let labels = labels.split("\",").filter_map(|label| label.split_once("=\""));
            let labels =
                labels.map(|(name, value)| (name.to_owned(), value.trim_end_matches('"').to_owned()));
            ((name.to_owned(), labels.collect()), value.parse().unwrap())
        })
        .collect()
}

/// Computes `rate` of series with samples at both ends of a span. A series that the first sample lacks has
/// none.
fn rates(before: &Samples, after: &Samples, seconds: f64) -> Samples {
    let rate = |(series, value): (&(String, Labels), &f64)| {
        let increase = value - before.get(series)?;
        Some((series.clone(), increase / seconds))
    };
    after.iter().filter_map(rate).collect()
}

/// Computes `sum` of a service's series that any of the selectors takes.
fn sum(rates: &Samples, selectors: &[Selector], service: &str) -> f64 {
    let taken = rates.iter().filter(|((metric, labels), _)| {
        labels.get("destination_service_name").map(String::as_str) == Some(service)
            && selectors
                .iter()
                .any(|selector| selector.metric == *metric && selector.takes(labels))
    });
    taken.map(|(_, rate)| rate).sum()
}

/// Computes `histogram_quantile` over the sum of a service's buckets that the recording rule of percentiles
/// takes, by Prometheus' definition.
fn histogram_quantile(quantile: f64, rates: &Samples, service: &str) -> f64 {
    let selectors = selectors("edge:alscope_request_duration_milliseconds:p95_5m");
    let mut buckets: Vec<(f64, f64)> = Vec::new();
    for ((metric, labels), rate) in rates {
        let taken = selectors
            .iter()
            .any(|selector| selector.metric == *metric && selector.takes(labels));
        if !taken || labels.get("destination_service_name").map(String::as_str) != Some(service) {
            continue;
        }
        let bound: f64 = labels["le"].replace('+', "").to_lowercase().parse().unwrap();
        match buckets.iter_mut().find(|(known, _)| *known == bound) {
            Some((_, sum)) => *sum += rate,
            None => buckets.push((bound, *rate)),
        }
    }
    buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
    let rank = quantile * buckets.last().unwrap().1;
    let place = buckets.iter().position(|(_, count)| *count >= rank).unwrap();
    let (bound, count) = buckets[place];
    let (start, below) = if place == 0 {
        (0.0, 0.0)
    } else {
        buckets[place - 1]
    };
    if bound.is_infinite() {
        return start;
    }
    start + (bound - start) * (rank - below) / (count - below)
}

fn row_of(snapshot: &Snapshot, service: &str) -> TopologyRow {
    let span = snapshot.window.last(Duration::from_mins(1), snapshot.taken);
    assert_eq!(span.length, Duration::from_mins(1));
    let mut rows = rows(&span).into_iter();
    rows.find(|row| &*row.destination.name == service).unwrap()
}

fn assert_close(one: f64, other: f64, what: &str) {
    assert!((one - other).abs() < 1e-9, "{what}: {one} and {other}");
}

/// Returns calls with each kind of outcome and durations in many buckets. The websockets alone would raise
/// the percentiles to an hour.
fn traffic() -> Vec<Called> {
    let mut calls: Vec<Called> = (0..90).map(|number| (HTTP, 200, number * number % 700)).collect();
    calls.extend([(HTTP, 101, 3_600_000); 12]);
    calls.extend([
        (HTTP, 503, 1_700),
        (HTTP, 0, 29_000),
        (HTTP, 404, 2),
        (HTTP, 302, 8),
    ]);
    calls
}

#[test]
fn figures_of_an_edge_are_those_of_promql() {
    let mut counting = Counting::new();
    counting.take("reviews", &traffic(), 950);
    counting.take("orders", &[(GRPC, 200, 1), (GRPC, 204, 4), (GRPC, 404, 3)], 950);
    let before = scrape(&counting.snapshot(1060));
    for second in [1065, 1080, 1115] {
        counting.take("reviews", &traffic(), second);
    }
    counting.take(
        "orders",
        &[(GRPC, 200, 1), (GRPC, 204, 4), (GRPC, 204, 4), (GRPC, 404, 3)],
        1100,
    );
    let snapshot = counting.snapshot(1120);
    let rates = rates(&before, &scrape(&snapshot), 60.0);
    for service in ["reviews", "orders"] {
        let row = row_of(&snapshot, service);
        let [all, failed, client_error, unknown] =
            ["", "_failed", "_client_error", "_unknown"].map(|outcome| {
                let record = format!("edge:alscope_requests{outcome}:rate5m");
                sum(&rates, &selectors(&record), service)
            });
        assert_close(row.per_second, all, service);
        assert_close(row.error_share.unwrap(), failed / (all - unknown), service);
        assert_close(
            row.client_error_share.unwrap(),
            client_error / (all - unknown),
            service,
        );
        assert_close(row.unknown_share, unknown / all, service);
        for (percentile, quantile) in row.percentiles.unwrap().iter().zip([0.50, 0.95, 0.99]) {
            assert_close(
                *percentile,
                histogram_quantile(quantile, &rates, service),
                service,
            );
        }
        assert!(failed > 0.0 && client_error > 0.0, "{service}");
    }
    let orders = row_of(&snapshot, "orders");
    assert_eq!((orders.unknown_share, orders.error_share), (0.5, Some(0.5)));
}

/// This difference is by design: `rate` has nothing of a series that it saw once, and the page shows what
/// there is.
#[test]
fn a_series_that_only_the_last_scrape_has_is_on_the_page_alone() {
    let mut counting = Counting::new();
    counting.take("reviews", &traffic(), 950);
    let before = scrape(&counting.snapshot(1060));
    counting.take("details", &[(HTTP, 503, 5); 6], 1100);
    let snapshot = counting.snapshot(1120);
    let rates = rates(&before, &scrape(&snapshot), 60.0);
    let all = selectors("edge:alscope_requests:rate5m");
    assert_eq!(sum(&rates, &all, "details"), 0.0);
    assert_eq!(row_of(&snapshot, "details").per_second, 0.1);
}
