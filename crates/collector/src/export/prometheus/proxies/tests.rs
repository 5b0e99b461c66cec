use als_proto::MetricsMessage;
use als_proto::messages::envoy::config::core::v3::Node;
use als_proto::messages::envoy::service::metrics::v3::StreamMetricsMessage;
use als_proto::messages::envoy::service::metrics::v3::stream_metrics_message::Identifier;
use als_proto::messages::io::prometheus::client::{
    Bucket, Counter, Gauge, Histogram, Metric, MetricFamily, MetricType,
};
use alscope_analysis::moment::Moment;
use prost::Message as _;

use super::*;

const NOW: Moment = Moment(0);

fn family(name: &str, kind: MetricType, value: f64) -> MetricFamily {
    let mut metric = Metric::default();
    match kind {
        MetricType::Counter => {
            metric.counter = Some(Counter {
                value: Some(value),
                ..Counter::default()
            });
        }
        MetricType::Gauge => metric.gauge = Some(Gauge { value: Some(value) }),
        _ => {
            let bucket = Bucket {
                upper_bound: Some(0.5),
                cumulative_count: Some(1),
                ..Bucket::default()
            };
            metric.histogram = Some(Histogram {
                sample_count: Some(3),
                sample_sum: Some(value),
                bucket: vec![bucket],
                ..Histogram::default()
            });
        }
    }
    MetricFamily {
        name: Some(name.to_owned()),
        r#type: Some(kind as i32),
        metric: vec![metric],
        ..MetricFamily::default()
    }
}

fn report(proxies: &Proxies, id: &str, envoy_metrics: Vec<MetricFamily>) {
    let node = Node {
        id: id.to_owned(),
        ..Node::default()
    };
    let bytes = StreamMetricsMessage {
        identifier: Some(Identifier { node: Some(node) }),
        envoy_metrics,
    }
    .encode_to_vec();
    let message = MetricsMessage::read(&bytes).unwrap();
    let proxy = proxies
        .proxy(&message.identifier().unwrap().unwrap(), NOW)
        .unwrap();
    proxy.add_received(6);
    proxies.report(&proxy, &message, NOW).unwrap();
}

/// Returns the metrics of the proxies, without the collector's own.
fn relayed(of: &Proxies) -> Vec<String> {
    relayed_in(Format::Text, of)
}

fn relayed_in(format: Format, of: &Proxies) -> Vec<String> {
    let text: String = proxies(of, ExpositionWriter::new(format, NOW)).collect();
    let lines = text.lines().skip_while(|line| !line.starts_with("# TYPE envoy_"));
    lines.map(str::to_owned).collect()
}

const A: &str = "app=\"-.-\",instance=\"-\",cluster=\"unknown\",proxy=\"a\"";
const B: &str = "app=\"-.-\",instance=\"-\",cluster=\"unknown\",proxy=\"b\"";

#[test]
fn the_samples_of_one_name_stand_together_with_their_type() {
    let proxies = Proxies::default();
    for id in ["b", "a"] {
        let families = vec![
            family("server.live", MetricType::Gauge, 1.0),
            family("server.h", MetricType::Histogram, 2.5),
        ];
        report(&proxies, id, families);
    }
    let expected = [
        "# TYPE envoy_server_h histogram".to_owned(),
        format!("envoy_server_h_bucket{{{A},le=\"0.5\"}} 1"),
        format!("envoy_server_h_bucket{{{A},le=\"+Inf\"}} 3"),
        format!("envoy_server_h_sum{{{A}}} 2.5"),
        format!("envoy_server_h_count{{{A}}} 3"),
        format!("envoy_server_h_bucket{{{B},le=\"0.5\"}} 1"),
        format!("envoy_server_h_bucket{{{B},le=\"+Inf\"}} 3"),
        format!("envoy_server_h_sum{{{B}}} 2.5"),
        format!("envoy_server_h_count{{{B}}} 3"),
        "# TYPE envoy_server_live gauge".to_owned(),
        format!("envoy_server_live{{{A}}} 1"),
        format!("envoy_server_live{{{B}}} 1"),
    ];
    assert_eq!(relayed(&proxies), expected);
}

#[test]
fn counters_and_gauges_of_one_name_are_untyped_and_a_histogram_among_them_is_left_out() {
    let proxies = Proxies::default();
    report(&proxies, "a", vec![family("x", MetricType::Counter, 1.0)]);
    report(&proxies, "b", vec![family("x", MetricType::Gauge, 2.0)]);
    report(&proxies, "c", vec![family("x", MetricType::Histogram, 3.0)]);
    let expected = [
        "# TYPE envoy_x untyped".to_owned(),
        format!("envoy_x{{{A}}} 1"),
        format!("envoy_x{{{B}}} 2"),
    ];
    assert_eq!(relayed(&proxies), expected);
}

#[test]
fn counters_keep_their_names_in_open_metrics_where_they_are_of_an_unknown_type() {
    let proxies = Proxies::default();
    let families = vec![
        family("server.c", MetricType::Counter, 1.0),
        family("server.g", MetricType::Gauge, 2.0),
        family("server.h", MetricType::Histogram, 2.5),
    ];
    report(&proxies, "a", families);
    let lines = relayed_in(Format::OpenMetrics, &proxies);
    let types: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .collect();
    assert_eq!(
        types,
        [
            "envoy_server_c unknown",
            "envoy_server_g gauge",
            "envoy_server_h histogram"
        ]
    );
    assert_eq!(lines[1], format!("envoy_server_c{{{A}}} 1"));
}

#[test]
fn labels_of_a_series_stand_before_those_of_its_proxy() {
    let proxies = Proxies::default();
    report(
        &proxies,
        "a",
        vec![family("cluster.xds.x", MetricType::Counter, 1.0)],
    );
    let line =
        format!("envoy_cluster_metrics{{metrics_name=\"cluster.xds.x\",cluster_name=\"xds.-\",{A}}} 1");
    assert_eq!(relayed(&proxies)[1], line);
}

#[test]
fn flushed_and_received_entries_are_shown_for_the_proxies_that_say_what_they_flushed() {
    let proxies = Proxies::default();
    let flushed = "access_logs.grpc_access_log.grpc_entries_flushed";
    report(&proxies, "a", vec![family(flushed, MetricType::Counter, 7.0)]);
    report(&proxies, "b", vec![family("server.live", MetricType::Gauge, 1.0)]);
    let text: String = super::proxies(&proxies, ExpositionWriter::new(Format::Text, NOW)).collect();
    let own: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("alscope_proxy_"))
        .collect();
    assert_eq!(
        own,
        [
            "alscope_proxy_entries_flushed_total{cluster=\"unknown\",proxy=\"a\"} 7",
            "alscope_proxy_entries_received_total{cluster=\"unknown\",proxy=\"a\"} 6"
        ]
    );
}
