//! `envoy.service.metrics.v3.StreamMetricsMessage`: an Envoy's own metrics, in Prometheus' model
//! (`io.prometheus.client`).

use crate::Malformed;
use crate::http::headers::key_and_value;
use crate::identifier::{Identifier, LAST_FIELD_OF_METRICS};
use crate::message::IDENTIFIER;
use crate::occurrences::{NestedOccurrences, Occurrences};
use crate::wire::{Fields, fixed64, length_delimited, varint};

/// `StreamMetricsMessage.envoy_metrics`.
const ENVOY_METRICS: u32 = length_delimited(2);
const LAST_KNOWN_FIELD: u32 = 2;

/// Fields of `MetricFamily`.
const NAME: u32 = length_delimited(1);
const TYPE: u32 = varint(3);
const METRIC: u32 = length_delimited(4);

/// Values of `MetricType`.
const COUNTER_TYPE: i32 = 0;
const GAUGE_TYPE: i32 = 1;
const HISTOGRAM_TYPE: i32 = 4;

/// Fields of `Metric`.
const LABEL: u32 = length_delimited(1);
const GAUGE: u32 = length_delimited(2);
const COUNTER: u32 = length_delimited(3);
const HISTOGRAM: u32 = length_delimited(7);

/// `Gauge.value` and `Counter.value`.
const VALUE: u32 = fixed64(1);

/// Fields of `Histogram`.
const SAMPLE_COUNT: u32 = varint(1);
const SAMPLE_SUM: u32 = fixed64(2);
const BUCKET: u32 = length_delimited(3);

/// Fields of `Bucket`.
const CUMULATIVE_COUNT: u32 = varint(1);
const UPPER_BOUND: u32 = fixed64(2);

/// One `envoy.service.metrics.v3.StreamMetricsMessage`, which borrows the bytes it was read from.
#[derive(Clone, Copy, Debug)]
pub struct MetricsMessage<'a> {
    bytes: &'a [u8],
    has_identifier: bool,
}

impl<'a> MetricsMessage<'a> {
    /// Finds the parts of a message. Only its top level is read: an error in a family, or in the identifier,
    /// shows when that is asked for.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut message = Self {
            bytes,
            has_identifier: false,
        };
        let mut fields = Fields::new(bytes);
        while let Some(key) = fields.key()? {
            match key {
                IDENTIFIER => message.has_identifier = true,
                ENVOY_METRICS => {}
                _ => {
                    fields.skip_unknown(key, LAST_KNOWN_FIELD)?;
                    continue;
                }
            }
            fields.bytes()?;
        }
        Ok(message)
    }

    /// `StreamMetricsMessage.identifier`: who sends the metrics. It has the node in the same place as the
    /// identifier of an access log, and no name of a log.
    pub fn identifier(&self) -> Result<Option<Identifier<'a>>, Malformed> {
        if self.has_identifier {
            Identifier::read(self.bytes, LAST_FIELD_OF_METRICS).map(Some)
        } else {
            Ok(None)
        }
    }

    /// `StreamMetricsMessage.envoy_metrics`.
    pub fn families(&self) -> impl Iterator<Item = Result<MetricFamily<'a>, Malformed>> + use<'a> {
        Occurrences::new(self.bytes, ENVOY_METRICS).map(|bytes| MetricFamily::read(bytes?))
    }
}

/// `io.prometheus.client.MetricFamily`: the metrics of one name.
#[derive(Clone, Copy, Debug)]
pub struct MetricFamily<'a> {
    bytes: &'a [u8],
    /// `MetricFamily.name`; Envoy's has dots, as in `cluster.outbound|80||reviews.demo.svc.cluster.local.upstream_rq_total`.
    pub name: &'a [u8],
    /// `MetricFamily.type`; a counter when absent.
    kind: i32,
}

impl<'a> MetricFamily<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut family = Self {
            bytes,
            name: &[],
            kind: COUNTER_TYPE,
        };
        let mut fields = Fields::new(bytes);
        while let Some(key) = fields.key()? {
            match key {
                NAME => family.name = fields.bytes()?,
                TYPE => family.kind = fields.int32()?,
                _ => fields.skip(key)?,
            }
        }
        Ok(family)
    }

    /// `MetricFamily.metric`.
    pub fn metrics(&self) -> impl Iterator<Item = Result<Metric<'a>, Malformed>> + use<'a> {
        let kind = self.kind;
        Occurrences::new(self.bytes, METRIC).map(move |bytes| Metric::read(bytes?, kind))
    }
}

/// `io.prometheus.client.Metric`.
#[derive(Clone, Copy, Debug)]
pub struct Metric<'a> {
    bytes: &'a [u8],
    /// The member that the family's type names.
    pub value: MetricValue<'a>,
}

/// The value of a metric.
#[derive(Clone, Copy, Debug)]
pub enum MetricValue<'a> {
    /// `Counter.value`.
    Counter(f64),
    /// `Gauge.value`.
    Gauge(f64),
    /// `Metric.histogram`.
    Histogram(MetricHistogram<'a>),
    /// A summary, an untyped value, a type that is not known, or nothing in the member that the type names.
    Other,
}

impl<'a> Metric<'a> {
    fn read(bytes: &'a [u8], kind: i32) -> Result<Self, Malformed> {
        let value = match kind {
            COUNTER_TYPE => number(bytes, COUNTER)?.map(MetricValue::Counter),
            GAUGE_TYPE => number(bytes, GAUGE)?.map(MetricValue::Gauge),
            HISTOGRAM_TYPE => MetricHistogram::read(bytes)?.map(MetricValue::Histogram),
            _ => None,
        };
        Ok(Self {
            bytes,
            value: value.unwrap_or(MetricValue::Other),
        })
    }

    /// `Metric.label`: names and values.
    pub fn labels(&self) -> impl Iterator<Item = Result<(&'a [u8], &'a [u8]), Malformed>> + use<'a> {
        Occurrences::new(self.bytes, LABEL).map(|bytes| key_and_value(bytes?))
    }
}

/// The value of a metric's counter or gauge; `None` without one.
fn number(metric: &[u8], member: u32) -> Result<Option<f64>, Malformed> {
    let mut value = None;
    for bytes in Occurrences::new(metric, member) {
        value.get_or_insert(0.0);
        let mut fields = Fields::new(bytes?);
        while let Some(key) = fields.key()? {
            match key {
                VALUE => value = Some(fields.double()?),
                _ => fields.skip(key)?,
            }
        }
    }
    Ok(value)
}

/// `io.prometheus.client.Histogram` with buckets of its own choice.
#[derive(Clone, Copy, Debug)]
pub struct MetricHistogram<'a> {
    metric: &'a [u8],
    /// `Histogram.sample_count`.
    pub count: u64,
    /// `Histogram.sample_sum`.
    pub sum: f64,
}

/// `io.prometheus.client.Bucket`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HistogramBucket {
    /// `Bucket.upper_bound`, inclusive.
    pub upper_bound: f64,
    /// `Bucket.cumulative_count`: samples in this bucket and in those below.
    pub cumulative_count: u64,
}

impl<'a> MetricHistogram<'a> {
    fn read(metric: &'a [u8]) -> Result<Option<Self>, Malformed> {
        let mut histogram = None;
        for bytes in Occurrences::new(metric, HISTOGRAM) {
            let histogram = histogram.get_or_insert(Self {
                metric,
                count: 0,
                sum: 0.0,
            });
            let mut fields = Fields::new(bytes?);
            while let Some(key) = fields.key()? {
                match key {
                    SAMPLE_COUNT => histogram.count = fields.uint64()?,
                    SAMPLE_SUM => histogram.sum = fields.double()?,
                    _ => fields.skip(key)?,
                }
            }
        }
        Ok(histogram)
    }

    /// `Histogram.bucket`.
    pub fn buckets(&self) -> impl Iterator<Item = Result<HistogramBucket, Malformed>> + use<'a> {
        NestedOccurrences::new(self.metric, HISTOGRAM, BUCKET).map(|bytes| HistogramBucket::read(bytes?))
    }
}

impl HistogramBucket {
    fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut bucket = Self::default();
        let mut fields = Fields::new(bytes);
        while let Some(key) = fields.key()? {
            match key {
                CUMULATIVE_COUNT => bucket.cumulative_count = fields.uint64()?,
                UPPER_BOUND => bucket.upper_bound = fields.double()?,
                _ => fields.skip(key)?,
            }
        }
        Ok(bucket)
    }
}
