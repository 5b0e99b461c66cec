//! What the reader of metrics owes to prost, checked on the bytes of any message.

use als_proto::messages::envoy::service::metrics::v3::StreamMetricsMessage;
use als_proto::messages::io::prometheus::client;
use als_proto::{Malformed, Metric, MetricFamily, MetricHistogram, MetricValue, MetricsMessage};
use prost::Message as _;

/// Panics if the reader does with `bytes` anything else than it should.
pub(crate) fn check(bytes: &[u8]) {
    match StreamMetricsMessage::decode(bytes) {
        Ok(expected) => compare(bytes, &expected),
        // Nothing may panic, and every iterator must end: whatever it shows takes a byte.
        Err(_) => assert!(read_all(bytes).unwrap_or(0) <= bytes.len()),
    }
}

fn read_all(bytes: &[u8]) -> Result<usize, Malformed> {
    let message = MetricsMessage::read(bytes)?;
    let mut read = usize::from(message.identifier()?.is_some());
    for family in message.families() {
        for metric in family?.metrics() {
            let metric = metric?;
            read += metric.labels().count();
            if let MetricValue::Histogram(histogram) = metric.value {
                read += histogram.buckets().count();
            }
        }
    }
    Ok(read)
}

fn compare(bytes: &[u8], expected: &StreamMetricsMessage) {
    let message = MetricsMessage::read(bytes).expect("prost accepts the message");
    let identifier = message.identifier().expect("prost accepts the identifier");
    let node = expected
        .identifier
        .as_ref()
        .map(|identifier| identifier.node.clone().unwrap_or_default().id);
    assert_eq!(
        identifier.map(|identifier| identifier.node_id().to_vec()),
        node.map(String::into_bytes)
    );
    let families: Vec<_> = message.families().collect();
    assert_eq!(families.len(), expected.envoy_metrics.len());
    for (family, expected) in families.iter().zip(&expected.envoy_metrics) {
        compare_family(&family.expect("prost accepts the family"), expected);
    }
}

fn compare_family(family: &MetricFamily<'_>, expected: &client::MetricFamily) {
    assert_eq!(family.name, expected.name().as_bytes());
    let metrics: Vec<_> = family.metrics().collect();
    assert_eq!(metrics.len(), expected.metric.len());
    for (metric, of_prost) in metrics.iter().zip(&expected.metric) {
        let metric = metric.expect("prost accepts the metric");
        compare_labels(&metric, of_prost);
        let kind = expected.r#type.unwrap_or_default();
        compare_value(&metric, client::MetricType::try_from(kind).ok(), of_prost);
    }
}

fn compare_labels(metric: &Metric<'_>, expected: &client::Metric) {
    let labels: Vec<_> = metric
        .labels()
        .map(|label| label.expect("prost accepts the label"))
        .collect();
    let expected: Vec<_> = expected
        .label
        .iter()
        .map(|label| (label.name().as_bytes(), label.value().as_bytes()))
        .collect();
    assert_eq!(labels, expected);
}

fn compare_value(metric: &Metric<'_>, kind: Option<client::MetricType>, expected: &client::Metric) {
    let bits = |value: f64| value.to_bits();
    match metric.value {
        MetricValue::Counter(value) => {
            assert_eq!(kind, Some(client::MetricType::Counter));
            let counter = expected.counter.as_ref().expect("a counter");
            assert_eq!(bits(value), bits(counter.value()));
        }
        MetricValue::Gauge(value) => {
            assert_eq!(kind, Some(client::MetricType::Gauge));
            assert_eq!(bits(value), bits(expected.gauge.expect("a gauge").value()));
        }
        MetricValue::Histogram(histogram) => {
            assert_eq!(kind, Some(client::MetricType::Histogram));
            compare_histogram(&histogram, expected.histogram.as_ref().expect("a histogram"));
        }
        MetricValue::Other => match kind {
            Some(client::MetricType::Counter) => assert_eq!(expected.counter, None),
            Some(client::MetricType::Gauge) => assert_eq!(expected.gauge, None),
            Some(client::MetricType::Histogram) => assert_eq!(expected.histogram, None),
            Some(
                client::MetricType::Summary
                | client::MetricType::Untyped
                | client::MetricType::GaugeHistogram,
            )
            | None => {}
        },
    }
}

fn compare_histogram(histogram: &MetricHistogram<'_>, expected: &client::Histogram) {
    assert_eq!(histogram.count, expected.sample_count());
    assert_eq!(histogram.sum.to_bits(), expected.sample_sum().to_bits());
    let buckets: Vec<_> = histogram
        .buckets()
        .map(|bucket| bucket.expect("prost accepts the bucket"))
        .map(|bucket| (bucket.upper_bound.to_bits(), bucket.cumulative_count))
        .collect();
    let expected: Vec<_> = expected
        .bucket
        .iter()
        .map(|bucket| (bucket.upper_bound().to_bits(), bucket.cumulative_count()))
        .collect();
    assert_eq!(buckets, expected);
}
