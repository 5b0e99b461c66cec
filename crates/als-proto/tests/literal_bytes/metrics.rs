//! Envoy's own metrics.

use als_proto::{HistogramBucket, Malformed, Metric, MetricValue, MetricsMessage};
use rstest::rstest;

use crate::encode::{double, message, string, varint};

/// The metrics of a message, with their families' names.
fn metrics(bytes: &[u8]) -> Result<Vec<(String, Metric<'_>)>, Malformed> {
    let mut metrics = Vec::new();
    for family in MetricsMessage::read(bytes)?.families() {
        let family = family?;
        for metric in family.metrics() {
            metrics.push((String::from_utf8_lossy(family.name).into_owned(), metric?));
        }
    }
    Ok(metrics)
}

/// A value with its kind, without the histogram's buckets.
fn shown(value: MetricValue<'_>) -> String {
    match value {
        MetricValue::Counter(value) => format!("counter {value}"),
        MetricValue::Gauge(value) => format!("gauge {value}"),
        MetricValue::Histogram(histogram) => format!("histogram {} {}", histogram.count, histogram.sum),
        MetricValue::Other => "other".to_owned(),
    }
}

const COUNTER: u64 = 0;
const GAUGE: u64 = 1;
const SUMMARY: u64 = 2;
const UNTYPED: u64 = 3;
const HISTOGRAM: u64 = 4;
const GAUGE_HISTOGRAM: u64 = 5;

#[rstest]
#[case::counter(COUNTER, message(3, [double(1, 7.0)]), "counter 7")]
#[case::gauge(GAUGE, message(2, [double(1, 0.5)]), "gauge 0.5")]
#[case::histogram(HISTOGRAM, message(7, [varint(1, 3), double(2, 4.5)]), "histogram 3 4.5")]
#[case::empty_counter(COUNTER, message(3, []), "counter 0")]
#[case::empty_histogram(HISTOGRAM, message(7, []), "histogram 0 0")]
#[case::summary(SUMMARY, message(4, [varint(1, 3)]), "other")]
#[case::untyped(UNTYPED, message(5, [double(1, 7.0)]), "other")]
#[case::gauge_histogram(GAUGE_HISTOGRAM, message(7, [varint(1, 3)]), "other")]
#[case::unknown(9, message(3, [double(1, 7.0)]), "other")]
#[case::a_value_of_another_type(GAUGE, message(3, [double(1, 7.0)]), "other")]
#[case::no_value(COUNTER, vec![], "other")]
#[case::pieces_are_merged(HISTOGRAM, [message(7, [varint(1, 3)]), message(7, [double(2, 1.0)])].concat(), "histogram 3 1")]
#[case::the_last_number_counts(GAUGE, [message(2, [double(1, 1.0)]), message(2, [double(1, 2.0)])].concat(), "gauge 2")]
fn the_familys_type_says_which_value_counts(
    #[case] kind: u64,
    #[case] metric: Vec<u8>,
    #[case] expected: &str,
    #[values(false, true)] type_is_last: bool,
) {
    let mut fields = vec![varint(3, kind), message(4, [metric])];
    if type_is_last {
        fields.reverse();
    }
    let bytes = message(2, [string(1, "server.uptime")].into_iter().chain(fields));
    let read = metrics(&bytes).expect("the message is well-formed");
    let read: Vec<_> = read
        .into_iter()
        .map(|(name, metric)| (name, shown(metric.value)))
        .collect();
    assert_eq!(read, [("server.uptime".to_owned(), expected.to_owned())]);
}

#[test]
fn a_family_without_a_type_is_of_counters() {
    let bytes = message(2, [message(4, [message(3, [double(1, 7.0)])])]);
    let read = metrics(&bytes).expect("the message is well-formed");
    assert_eq!(shown(read[0].1.value), "counter 7");
}

#[test]
fn labels_and_buckets_are_read_in_order() {
    let label = |name, value| message(1, [string(1, name), string(2, value)]);
    let bucket = |bound, count| message(3, [varint(1, count), double(2, bound)]);
    let histogram = message(7, [bucket(0.5, 1), bucket(f64::INFINITY, 3)]);
    let metric = [label("zone", "a"), histogram, label("cluster", "b")];
    let bytes = message(2, [varint(3, HISTOGRAM), message(4, metric)]);
    let read = metrics(&bytes).expect("the message is well-formed");
    let labels: Result<Vec<_>, Malformed> = read[0].1.labels().collect();
    assert_eq!(labels, Ok(vec![(&b"zone"[..], &b"a"[..]), (b"cluster", b"b")]));
    let MetricValue::Histogram(histogram) = read[0].1.value else {
        panic!("a histogram in {:?}", read[0].1.value)
    };
    let buckets: Result<Vec<_>, Malformed> = histogram.buckets().collect();
    let expected = [(0.5, 1), (f64::INFINITY, 3)].map(|(upper_bound, cumulative_count)| HistogramBucket {
        upper_bound,
        cumulative_count,
    });
    assert_eq!(buckets, Ok(expected.to_vec()));
}

#[test]
fn the_identifier_is_that_of_an_access_log() {
    let node = message(1, [string(1, "sidecar~10.0.0.1~a.b~b.svc.cluster.local")]);
    let bytes = [message(2, [string(1, "server.live")]), message(1, [node])].concat();
    let message = MetricsMessage::read(&bytes).expect("the message is well-formed");
    let identifier = message
        .identifier()
        .expect("it is well-formed")
        .expect("it is there");
    assert_eq!(identifier.node_id(), b"sidecar~10.0.0.1~a.b~b.svc.cluster.local");
    let without = MetricsMessage::read(&[]).expect("an empty message is one");
    assert!(without.identifier().expect("it is well-formed").is_none());
}

#[rstest]
#[case::top_level(vec![0x12, 0x7f])]
#[case::wire_type(varint(2, 1))]
#[case::family(message(2, [vec![0x0a, 0x7f]]))]
#[case::metric(message(2, [message(4, [vec![0x1a, 0x7f]])]))]
#[case::number(message(2, [message(4, [message(3, [vec![0x09, 0, 0]])])]))]
fn what_is_no_message_is_malformed(#[case] bytes: Vec<u8>) {
    assert_eq!(metrics(&bytes).err(), Some(Malformed));
}

/// The field after the node is the log's name in an identifier of access logs, and no field in one of metrics.
#[rstest]
#[case::a_text(string(2, "name"))]
#[case::a_number(varint(2, 1))]
fn an_identifier_of_metrics_has_a_node_and_no_name_of_a_log(#[case] unknown: Vec<u8>) {
    let bytes = message(1, [message(1, [string(1, "sidecar~10.0.0.1")]), unknown]);
    let identifier = MetricsMessage::read(&bytes).and_then(|message| message.identifier());
    let identifier = identifier.map(|identifier| identifier.map(|of| (of.node_id(), of.log_name())));
    assert_eq!(
        identifier,
        Ok(Some((b"sidecar~10.0.0.1".as_slice(), b"".as_slice())))
    );
}
