use als_proto::messages::envoy::service::metrics::v3::StreamMetricsMessage;
use als_proto::messages::io::prometheus::client::{
    Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType,
};
use prost::Message as _;
use rstest::rstest;

use super::*;

const NOW: Moment = Moment(1_000_000_000_000);

fn family(name: &str, kind: MetricType, metric: Vec<Metric>) -> MetricFamily {
    MetricFamily {
        name: Some(name.to_owned()),
        r#type: Some(kind as i32),
        metric,
        ..MetricFamily::default()
    }
}

fn counter(name: &str, value: f64) -> MetricFamily {
    let counter = Some(Counter {
        value: Some(value),
        ..Counter::default()
    });
    let metric = Metric {
        counter,
        ..Metric::default()
    };
    family(name, MetricType::Counter, vec![metric])
}

fn gauge(name: &str, labels: &[(&str, &str)], value: f64) -> MetricFamily {
    let label = |(name, value): &(&str, &str)| LabelPair {
        name: Some((*name).to_owned()),
        value: Some((*value).to_owned()),
    };
    let metric = Metric {
        label: labels.iter().map(label).collect(),
        gauge: Some(Gauge { value: Some(value) }),
        ..Metric::default()
    };
    family(name, MetricType::Gauge, vec![metric])
}

fn histogram(name: &str, buckets: &[(f64, u64)], count: u64, sum: f64) -> MetricFamily {
    let bucket = |(upper_bound, count): &(f64, u64)| Bucket {
        upper_bound: Some(*upper_bound),
        cumulative_count: Some(*count),
        ..Bucket::default()
    };
    let histogram = Some(Histogram {
        sample_count: Some(count),
        sample_sum: Some(sum),
        bucket: buckets.iter().map(bucket).collect(),
        ..Histogram::default()
    });
    let metric = Metric {
        histogram,
        ..Metric::default()
    };
    family(name, MetricType::Histogram, vec![metric])
}

/// A proxy with its bounds and its budget.
struct Proxy {
    latest: Latest,
    bounds: MetricBounds,
    samples: SampleBudget,
}

impl Proxy {
    fn new(samples: usize, samples_per_proxy: usize) -> Self {
        let bounds = MetricBounds {
            samples,
            samples_per_proxy,
            series_bytes: 100,
            ..MetricBounds::default()
        };
        Proxy {
            latest: Latest::default(),
            bounds,
            samples: SampleBudget::new(samples),
        }
    }

    fn report(&mut self, now: Moment, families: Vec<MetricFamily>) -> Overflowed {
        let bytes = StreamMetricsMessage {
            identifier: None,
            envoy_metrics: families,
        }
        .encode_to_vec();
        let message = MetricsMessage::read(&bytes).unwrap();
        let (overflowed, read) = self.latest.report(&message, now, &self.bounds, &self.samples);
        assert_eq!(read, Ok(()));
        assert_eq!(
            self.samples.kept(),
            self.latest.samples,
            "what is kept is accounted for"
        );
        overflowed
    }

    fn shown(&self) -> Vec<(String, SeriesValue)> {
        self.latest
            .iter()
            .map(|(name, labels, value)| (format!("{name}{labels}"), value.clone()))
            .collect()
    }
}

#[test]
fn the_latest_value_of_each_series_is_kept() {
    let mut proxy = Proxy::new(100, 100);
    proxy.report(
        NOW,
        vec![counter("server.a", 1.0), gauge("server.b", &[("zone", "x")], 2.0)],
    );
    proxy.report(
        NOW,
        vec![counter("server.a", 5.0), gauge("server.b", &[("zone", "y")], 3.0)],
    );
    let expected = [
        ("envoy_server_a{", SeriesValue::Counter(5.0)),
        ("envoy_server_b{zone=\"x\"", SeriesValue::Gauge(2.0)),
        ("envoy_server_b{zone=\"y\"", SeriesValue::Gauge(3.0)),
    ];
    assert_eq!(
        proxy.shown(),
        expected.map(|(series, value)| (series.to_owned(), value))
    );
}

#[test]
fn the_infinite_bucket_of_a_histogram_is_its_count() {
    let mut proxy = Proxy::new(100, 100);
    proxy.report(
        NOW,
        vec![histogram("server.h", &[(1.0, 2), (f64::INFINITY, 9)], 9, 4.5)],
    );
    let buckets = Box::new([(1.0, 2)]);
    let expected = SeriesValue::Histogram {
        count: 9,
        sum: 4.5,
        buckets,
    };
    assert_eq!(proxy.shown(), [("envoy_server_h{".to_owned(), expected)]);
    assert_eq!(proxy.samples.kept(), 4);
}

#[rstest]
#[case::summary(MetricType::Summary)]
#[case::untyped(MetricType::Untyped)]
fn kinds_that_skywalking_ignores_are_ignored(#[case] kind: MetricType) {
    let mut proxy = Proxy::new(100, 100);
    let overflowed = proxy.report(NOW, vec![family("server.a", kind, vec![Metric::default()])]);
    assert_eq!((proxy.shown(), overflowed), (vec![], Overflowed::default()));
}

#[rstest]
#[case::of_all_proxies(3, 100)]
#[case::of_one_proxy(100, 3)]
fn metrics_beyond_the_bound_are_counted_and_known_ones_go_on(#[case] all: usize, #[case] one: usize) {
    let mut proxy = Proxy::new(all, one);
    let three = ["server.a", "server.b", "server.c"];
    let first: Vec<_> = three.iter().map(|name| counter(name, 1.0)).collect();
    assert_eq!(proxy.report(NOW, first), Overflowed::default());
    let overflowed = proxy.report(
        NOW,
        vec![
            counter("server.d", 1.0),
            counter("server.a", 2.0),
            histogram("server.h", &[], 1, 1.0),
        ],
    );
    assert_eq!(
        overflowed,
        Overflowed {
            samples: 2,
            labels: 0
        }
    );
    let values: Vec<_> = proxy.shown().into_iter().map(|(_, value)| value).collect();
    assert_eq!(values, [2.0, 1.0, 1.0].map(SeriesValue::Counter));
}

#[test]
fn a_histogram_that_grows_and_shrinks_is_accounted_for() {
    let mut proxy = Proxy::new(6, 100);
    let buckets = [(1.0, 1), (2.0, 2), (3.0, 3), (4.0, 4)];
    for (count, kept, overflowed) in [(1, 4, 0), (3, 6, 0), (4, 6, 1), (0, 3, 0), (3, 6, 0)] {
        let seen = proxy.report(NOW, vec![histogram("server.h", &buckets[..count], 9, 1.0)]);
        assert_eq!(
            (proxy.samples.kept(), seen.samples),
            (kept, overflowed),
            "{count} buckets"
        );
    }
}

#[rstest]
#[case::fits(50, 1, ("l", 1), ("v", 10), 0)]
#[case::long_name(101, 0, ("", 0), ("", 0), 1)]
#[case::long_label(1, 1, ("l", 101), ("v", 1), 1)]
#[case::long_value(1, 1, ("l", 1), ("v", 101), 1)]
#[case::together(40, 1, ("l", 1), ("v", 60), 1)]
#[case::escaped(1, 1, ("l", 1), ("\"", 60), 1)]
#[case::many(1, 65, ("", 0), ("", 0), 1)]
fn long_names_and_labels_are_not_kept(
    #[case] name: usize,
    #[case] labels: usize,
    #[case] (label, label_bytes): (&str, usize),
    #[case] (value, value_bytes): (&str, usize),
    #[case] expected: u64,
) {
    let mut proxy = Proxy::new(100, 100);
    let (label, value) = (label.repeat(label_bytes), value.repeat(value_bytes));
    let labels = vec![(label.as_str(), value.as_str()); labels];
    let overflowed = proxy.report(NOW, vec![gauge(&"n".repeat(name), &labels, 1.0)]);
    let labels = expected;
    assert_eq!(overflowed, Overflowed { samples: 0, labels });
    assert_eq!(proxy.shown().len() as u64, 1 - expected);
}

#[rstest]
#[case::of_all_proxies(2, 100)]
#[case::of_one_proxy(100, 2)]
fn what_is_not_reported_for_a_while_is_forgotten_and_leaves_room(#[case] all: usize, #[case] one: usize) {
    let mut proxy = Proxy::new(all, one);
    proxy.report(NOW, vec![counter("server.a", 1.0), counter("server.b", 1.0)]);
    proxy.report(NOW.plus(RETENTION), vec![counter("server.b", 2.0)]);
    proxy.latest.expire(NOW.plus(RETENTION), &proxy.samples);
    assert_eq!(proxy.shown().len(), 2);
    proxy
        .latest
        .expire(NOW.plus(RETENTION + Duration::from_nanos(1)), &proxy.samples);
    assert_eq!(
        proxy.shown(),
        [("envoy_server_b{".to_owned(), SeriesValue::Counter(2.0))]
    );
    assert_eq!(
        proxy.report(NOW.plus(RETENTION), vec![counter("server.c", 1.0)]),
        Overflowed::default()
    );
}

#[rstest]
#[case::newer_envoy(&[("logs_written", 9.0), ("grpc_entries_flushed", 7.0)], Some(7.0))]
#[case::older_envoy(&[("logs_written", 9.0), ("logs_dropped", 1.0)], Some(9.0))]
#[case::neither(&[("logs_dropped", 1.0)], None)]
fn flushed_entries_are_those_that_envoy_says(
    #[case] reported: &[(&str, f64)],
    #[case] expected: Option<f64>,
) {
    let mut proxy = Proxy::new(100, 100);
    let name = |name: &str| format!("access_logs.grpc_access_log.{name}");
    let families = reported.iter().map(|(stat, value)| counter(&name(stat), *value));
    proxy.report(NOW, families.collect());
    assert_eq!(proxy.latest.entries_flushed(), expected);
}

#[test]
fn what_stands_before_a_malformed_family_is_kept() {
    let mut bytes = StreamMetricsMessage {
        identifier: None,
        envoy_metrics: vec![counter("server.a", 1.0)],
    }
    .encode_to_vec();
    bytes.extend([0x12, 0x02, 0x22, 0x7f]);
    let mut proxy = Proxy::new(100, 100);
    let message = MetricsMessage::read(&bytes).unwrap();
    let (_, read) = proxy.latest.report(&message, NOW, &proxy.bounds, &proxy.samples);
    assert_eq!(read, Err(Malformed));
    assert_eq!(proxy.shown().len(), 1);
}
