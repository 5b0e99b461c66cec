//! The latest values of one proxy's metrics. It takes messages and returns what is shown. It knows
//! no clock and no lock.

use std::collections::BTreeMap;
use std::ops::Bound::{Included, Unbounded};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use als_proto::{Malformed, Metric, MetricFamily, MetricValue, MetricsMessage};
use alscope_analysis::moment::Moment;

use super::MetricBounds;
use super::names::write_series;

/// How long a series is shown after it was last reported. Envoy reports at least every five minutes
/// (`stats_flush_interval`), usually every few seconds.
pub const RETENTION: Duration = Duration::from_mins(6);

/// The largest number of labels of one metric. Envoy uses a handful.
const MAX_LABELS: usize = 64;

/// The metrics in which Envoy counts the access-log entries that it handed to its gRPC streams.
/// Every Envoy has the second one, which counts entries when they are put into the buffer (Envoy's
/// gRPC access log statistics, `access_logs.grpc_access_log.*`).
const ENTRIES_FLUSHED_METRICS: [&str; 2] = [
    "envoy_access_logs_grpc_access_log_grpc_entries_flushed{",
    "envoy_access_logs_grpc_access_log_logs_written{",
];

/// The value of a series.
#[derive(Clone, Debug, PartialEq)]
pub enum SeriesValue {
    /// A value that only grows, until the proxy restarts.
    Counter(f64),
    /// A value that goes up and down.
    Gauge(f64),
    /// Samples, counted by their size.
    Histogram {
        /// The number of samples in all buckets.
        count: u64,
        /// The sum of the samples.
        sum: f64,
        /// The inclusive upper bounds of the buckets, each with the number of samples up to it.
        buckets: Box<[(f64, u64)]>,
    },
}

impl SeriesValue {
    /// Returns how many lines the value takes in the exposition.
    fn samples(&self) -> usize {
        match self {
            SeriesValue::Counter(_) | SeriesValue::Gauge(_) => 1,
            SeriesValue::Histogram { buckets, .. } => buckets.len() + 3,
        }
    }
}

/// The samples of all proxies together, and their bound.
#[derive(Debug)]
pub struct SampleBudget {
    kept: AtomicUsize,
    bound: usize,
}

impl SampleBudget {
    /// A budget of which nothing is used.
    pub fn new(bound: usize) -> Self {
        SampleBudget {
            kept: AtomicUsize::new(0),
            bound,
        }
    }

    /// How many samples are kept.
    pub fn kept(&self) -> usize {
        self.kept.load(Ordering::Relaxed)
    }

    fn take(&self, more: usize) -> bool {
        let taken = |kept: usize| Some(kept + more).filter(|kept| *kept <= self.bound);
        self.kept
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken)
            .is_ok()
    }

    fn give_back(&self, samples: usize) {
        self.kept.fetch_sub(samples, Ordering::Relaxed);
    }
}

/// The metrics of a message that were not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overflowed {
    /// How many metrics were beyond the bounds of samples.
    pub samples: u64,
    /// How many metrics had a name and labels that are too long, or too many labels.
    pub labels: u64,
}

/// One series of a proxy.
#[derive(Clone, Debug)]
struct ReportedSeries {
    /// The length in bytes of the metric's name, which begins the series' text.
    name: usize,
    value: SeriesValue,
    at: Moment,
}

/// The series of one proxy, by their text `name{label="value",…`.
#[derive(Debug, Default)]
pub struct Latest {
    series: BTreeMap<Box<str>, ReportedSeries>,
    samples: usize,
}

impl Latest {
    /// Keeps the values of a message that came at `now`. If the message is malformed, the part
    /// before the fault is kept.
    pub fn report(
        &mut self,
        message: &MetricsMessage<'_>,
        now: Moment,
        bounds: &MetricBounds,
        samples: &SampleBudget,
    ) -> (Overflowed, Result<(), Malformed>) {
        let mut report = MessageReport {
            latest: self,
            now,
            bounds,
            samples,
            series: String::new(),
            overflowed: Overflowed::default(),
        };
        let read = message.families().try_for_each(|family| report.family(&family?));
        (report.overflowed, read)
    }

    /// Forgets series that were last reported more than [`RETENTION`] before `now`.
    pub fn expire(&mut self, now: Moment, samples: &SampleBudget) {
        let mut gone = 0;
        self.series.retain(|_, reported| {
            let is_kept = now.since(reported.at) <= RETENTION;
            gone += if is_kept { 0 } else { reported.value.samples() };
            is_kept
        });
        self.samples -= gone;
        samples.give_back(gone);
    }

    /// Returns the name, the labels without the closing brace, and the value of
    /// each series, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &SeriesValue)> {
        self.series.iter().map(|(series, reported)| {
            let (name, labels) = series.split_at_checked(reported.name).unwrap_or((series, "{"));
            (name, labels, &reported.value)
        })
    }

    /// Returns the labels, without the closing brace, and the value of each series of this name.
    pub fn named(&self, name: &str) -> impl Iterator<Item = (&str, &SeriesValue)> {
        let begin = format!("{name}{{");
        let from = self.series.range::<str, _>((Included(begin.as_str()), Unbounded));
        from.map_while(move |(series, reported)| {
            let labels = series
                .starts_with(&begin)
                .then(|| series.get(begin.len() - 1..))?;
            Some((labels?, &reported.value))
        })
    }

    /// Returns how many access-log entries the proxy says it handed to its streams, if it says so.
    pub fn entries_flushed(&self) -> Option<f64> {
        let counter = |series: &&str| match self.series.get(*series)?.value {
            SeriesValue::Counter(value) => Some(value),
            SeriesValue::Gauge(_) | SeriesValue::Histogram { .. } => None,
        };
        ENTRIES_FLUSHED_METRICS.iter().find_map(counter)
    }
}

/// A message whose metrics are being added to the latest values.
struct MessageReport<'a> {
    latest: &'a mut Latest,
    now: Moment,
    bounds: &'a MetricBounds,
    samples: &'a SampleBudget,
    /// The text of the current series.
    series: String,
    overflowed: Overflowed,
}

impl MessageReport<'_> {
    fn family(&mut self, family: &MetricFamily<'_>) -> Result<(), Malformed> {
        // The name may be long, so it is not copied for each metric of its family.
        let name =
            (family.name.len() <= self.bounds.series_bytes).then(|| String::from_utf8_lossy(family.name));
        for metric in family.metrics() {
            let metric = metric?;
            let Some(value) = self.value(&metric)? else {
                continue;
            };
            match &name {
                Some(name) => self.metric(name, &metric, value)?,
                None => self.overflowed.labels += 1,
            }
        }
        Ok(())
    }

    /// Reads the value. Returns `None` for a kind of metric that is not kept.
    fn value(&self, metric: &Metric<'_>) -> Result<Option<SeriesValue>, Malformed> {
        Ok(match metric.value {
            MetricValue::Counter(value) => Some(SeriesValue::Counter(value)),
            MetricValue::Gauge(value) => Some(SeriesValue::Gauge(value)),
            MetricValue::Histogram(histogram) => {
                let bucket =
                    |bucket: als_proto::HistogramBucket| (bucket.upper_bound, bucket.cumulative_count);
                let buckets: Result<_, Malformed> = histogram
                    .buckets()
                    // One bucket above the bound is read, so that the budget sees that there are too many.
                    .take(self.bounds.samples_per_proxy)
                    .map(|read| read.map(bucket))
                    .filter(|read| !matches!(read, Ok((bound, _)) if bound.is_infinite()))
                    .collect();
                Some(SeriesValue::Histogram {
                    count: histogram.count,
                    sum: histogram.sum,
                    buckets: buckets?,
                })
            }
            MetricValue::Other => None,
        })
    }

    fn metric(&mut self, family: &str, metric: &Metric<'_>, value: SeriesValue) -> Result<(), Malformed> {
        let labels: Result<Vec<_>, Malformed> = metric.labels().take(MAX_LABELS + 1).collect();
        let labels = labels?;
        let bytes: usize = labels.iter().map(|(name, value)| name.len() + value.len()).sum();
        if labels.len() > MAX_LABELS || family.len() + bytes > self.bounds.series_bytes {
            self.overflowed.labels += 1;
            return Ok(());
        }
        let is_histogram = matches!(value, SeriesValue::Histogram { .. });
        let name = write_series(&mut self.series, family, &labels, is_histogram);
        if self.series.len() > self.bounds.series_bytes {
            self.overflowed.labels += 1;
        } else {
            self.keep(name, value);
        }
        Ok(())
    }

    fn keep(&mut self, name: usize, value: SeriesValue) {
        let known = self.latest.series.get_mut(self.series.as_str());
        let before = known.as_ref().map_or(0, |known| known.value.samples());
        let after = value.samples();
        let more = after.saturating_sub(before);
        if self.latest.samples + more > self.bounds.samples_per_proxy || !self.samples.take(more) {
            self.overflowed.samples += 1;
            return;
        }
        let fewer = before.saturating_sub(after);
        self.samples.give_back(fewer);
        self.latest.samples = self.latest.samples + more - fewer;
        let reported = ReportedSeries {
            name,
            value,
            at: self.now,
        };
        if let Some(known) = known {
            *known = reported;
        } else {
            self.latest.series.insert(self.series.as_str().into(), reported);
        }
    }
}

#[cfg(test)]
mod tests;
