//! Renders a snapshot in the formats that Prometheus reads. A series' labels are rendered
//! once, when it first appears.

mod directory;
mod exporters;
pub mod families;
pub mod format;
mod process;
pub mod proxies;

use std::fmt::Write;
use std::sync::Arc;

use als_proto::GrpcMessages;
use alscope_analysis::aggregate::histogram::{BUCKET_BOUNDS, BUCKET_COUNT, Histogram};
use alscope_analysis::aggregate::labels::{LABEL_NAMES, SeriesLabels, TCP_LABEL_COUNT};
use alscope_analysis::aggregate::series::{HttpCounts, TcpCounts};
use alscope_analysis::aggregate::totals::{SeriesFamily, Snapshot};
use alscope_analysis::moment::Moment;
use parking_lot::Mutex;

use crate::envoy_metrics::Proxies;
use crate::envoy_metrics::names::push_label;
use families::{
    ExpositionWriter, GRPC_MESSAGES, HISTOGRAMS, HTTP_REQUESTS, Metric, ScrapeGauges, TCP_COUNTERS,
};
use format::Format;

/// The smallest piece of the text in bytes, except for the last one. A piece ends with the line
/// that makes it this long.
pub const PIECE_BYTES: usize = 64 * 1024;

/// [`BUCKET_BOUNDS`] in the canonical spelling of `OpenMetrics`.
const CANONICAL_BOUNDS: [&str; BUCKET_COUNT] = [
    "0.5", "1.0", "5.0", "10.0", "25.0", "50.0", "100.0", "250.0", "500.0", "1000.0", "2500.0", "5000.0",
    "10000.0", "30000.0", "60000.0", "300000.0", "600000.0", "1.8e+06", "3.6e+06", "+Inf",
];

/// Renders snapshots. It remembers the rendered labels of each series by the series' id.
#[derive(Debug, Default)]
pub struct Prometheus {
    rendered: Mutex<RenderedLabels>,
}

#[derive(Clone, Debug, Default)]
struct RenderedLabels {
    http: Labels,
    tcp: Labels,
}

/// The rendered labels of a family's series, by id. Expositions that are still being read share them.
type Labels = Arc<[Option<Rendering>]>;

/// The labels of a series. An id may be used again, so the time of creation tells whether the
/// series is still the same.
#[derive(Clone, Debug)]
struct Rendering {
    text: Arc<str>,
    created: Moment,
}

impl Prometheus {
    /// Returns the exposition of `snapshot`, with the gauges of this moment and the proxies' latest
    /// metrics. It may have hundreds of megabytes, so it is rendered piece by piece while it is read.
    pub fn render(
        &self,
        snapshot: Arc<Snapshot>,
        format: Format,
        gauges: &ScrapeGauges,
        proxies: &Proxies,
    ) -> impl Iterator<Item = String> + Send + use<> {
        let RenderedLabels { http, tcp } = {
            let mut rendered = self.rendered.lock();
            learn(&mut rendered.http, &snapshot.http, LABEL_NAMES.len());
            learn(&mut rendered.tcp, &snapshot.tcp, TCP_LABEL_COUNT);
            rendered.clone()
        };
        let writer = || ExpositionWriter::new(format, snapshot.started);
        let mut own = writer();
        families::own(&mut own, &snapshot, gauges);
        directory::directory(&mut own, &gauges.kinds);
        if !gauges.exporters.is_empty() {
            exporters::exporters(&mut own, &gauges.exporters);
        }
        if let Some(process) = &gauges.process {
            process::process(&mut own, process);
        }
        if let Some(ports) = &gauges.ports {
            process::ports(&mut own, ports);
        }
        let proxies = proxies::proxies(proxies, writer());
        let http = series(snapshot.clone(), format, http, &HTTP);
        let tcp = series(snapshot, format, tcp, &TCP);
        let series = http.chain(tcp);
        pieces(
            std::iter::once(own.text)
                .chain(series)
                .chain(proxies)
                .chain(format.end()),
        )
    }
}

/// The metrics of one family of series.
struct FamilyMetrics<C: 'static> {
    family: fn(&Snapshot) -> &SeriesFamily<C>,
    /// Returns whether a series has counted anything. If not, it is not shown.
    is_shown: fn(&C) -> bool,
    metrics: &'static [MetricPart<C>],
}

/// The value of a series for one metric.
#[derive(Clone, Copy)]
enum SampleValue<'a> {
    Counter(u64),
    /// A histogram of durations in microseconds, which are shown in milliseconds.
    Durations(&'a Histogram),
    Sizes(&'a Histogram),
}

/// A metric, and the function that reads its value from a series. A series without a value has no sample.
type MetricPart<C> = (&'static Metric, for<'a> fn(&'a C) -> Option<SampleValue<'a>>);

static HTTP: FamilyMetrics<HttpCounts> = FamilyMetrics {
    family: |snapshot| &snapshot.http,
    is_shown: |counts| counts.requests > 0,
    metrics: &[
        (&HTTP_REQUESTS, |counts| {
            Some(SampleValue::Counter(counts.requests))
        }),
        (&HISTOGRAMS[0], |counts| {
            Some(SampleValue::Durations(&counts.duration))
        }),
        (&HISTOGRAMS[1], |counts| {
            Some(SampleValue::Sizes(&counts.request_bytes))
        }),
        (&HISTOGRAMS[2], |counts| {
            Some(SampleValue::Sizes(&counts.response_bytes))
        }),
        (&GRPC_MESSAGES[0], |counts| {
            messages(counts, counts.messages.requests)
        }),
        (&GRPC_MESSAGES[1], |counts| {
            messages(counts, counts.messages.responses)
        }),
    ],
};

/// The messages of a series each way, if any of its proxies logged messages of its calls.
fn messages(counts: &HttpCounts, of: u64) -> Option<SampleValue<'_>> {
    (counts.messages != GrpcMessages::default()).then_some(SampleValue::Counter(of))
}

static TCP: FamilyMetrics<TcpCounts> = FamilyMetrics {
    family: |snapshot| &snapshot.tcp,
    is_shown: |counts| counts.connections > 0,
    metrics: &[
        (&TCP_COUNTERS[0], |counts| {
            Some(SampleValue::Counter(counts.connections))
        }),
        (&TCP_COUNTERS[1], |counts| {
            Some(SampleValue::Counter(counts.connections))
        }),
        (&TCP_COUNTERS[2], |counts| {
            Some(SampleValue::Counter(counts.sent_bytes))
        }),
        (&TCP_COUNTERS[3], |counts| {
            Some(SampleValue::Counter(counts.received_bytes))
        }),
    ],
};

/// Returns the text of a family, metric by metric and series by series.
fn series<C: Clone + Default>(
    snapshot: Arc<Snapshot>,
    format: Format,
    labels: Labels,
    of: &'static FamilyMetrics<C>,
) -> impl Iterator<Item = String> {
    of.metrics.iter().flat_map(move |(metric, value)| {
        let (snapshot, labels) = (snapshot.clone(), labels.clone());
        let lines = (0..labels.len()).filter_map(move |id| {
            let counts = (of.family)(&snapshot)
                .counts()
                .get(id)
                .filter(|counts| (of.is_shown)(counts))?;
            let value = value(counts)?;
            let Rendering { text, created } = labels.get(id)?.as_ref()?;
            let mut lines = String::new();
            let series = SeriesName {
                metric: metric.name,
                labels: text,
            };
            write_lines(&mut lines, format, series, value);
            lines.extend(format.created(metric.name, &format!("{{{text}}}"), *created));
            Some(lines)
        });
        let mut header = String::new();
        families::header(&mut header, metric, format);
        std::iter::once(header).chain(lines)
    })
}

/// Joins texts to pieces of about the same size.
fn pieces(mut texts: impl Iterator<Item = String>) -> impl Iterator<Item = String> {
    std::iter::from_fn(move || {
        let mut piece = texts.next()?;
        while piece.len() < PIECE_BYTES {
            let Some(text) = texts.next() else { break };
            piece.push_str(&text);
        }
        Some(piece)
    })
}

/// Renders the labels of series that are new, or whose id was used again, since
/// the labels were last rendered.
fn learn<C: Clone + Default>(rendered: &mut Labels, family: &SeriesFamily<C>, names: usize) {
    let is_known = |id: usize| {
        let known = rendered.get(id).and_then(Option::as_ref);
        known.map(|known| known.created) == family.series(id).map(|series| series.created)
    };
    if rendered.len() == family.slots() && (0..family.slots()).all(is_known) {
        return;
    }
    let rendering = |id: usize| match family.series(id) {
        Some(series) if !is_known(id) => Some(Rendering {
            text: label_text(&series.labels, names).into(),
            created: series.created,
        }),
        Some(_) => rendered.get(id).cloned().flatten(),
        None => None,
    };
    *rendered = (0..family.slots()).map(rendering).collect();
}

/// Formats `name="value",…` without braces. Values are escaped as the format demands.
fn label_text(labels: &SeriesLabels, names: usize) -> String {
    let mut text = String::new();
    for (name, value) in LABEL_NAMES.iter().zip(&labels.values).take(names) {
        push_label(&mut text, name, value);
    }
    text
}

/// A metric's name, and the labels of one of its series without braces.
#[derive(Clone, Copy)]
struct SeriesName<'a> {
    metric: &'a str,
    labels: &'a str,
}

fn write_lines(text: &mut String, format: Format, series: SeriesName<'_>, value: SampleValue<'_>) {
    match value {
        SampleValue::Counter(value) => {
            let SeriesName { metric, labels } = series;
            push(text, format_args!("{metric}{{{labels}}} {value}\n"));
        }
        SampleValue::Durations(durations) => {
            let (milliseconds, microseconds) = (durations.sum / 1000, durations.sum % 1000);
            let sum = format!("{milliseconds}.{microseconds:03}");
            histogram(text, format, series, durations, &sum);
        }
        SampleValue::Sizes(sizes) => histogram(text, format, series, sizes, &sizes.sum.to_string()),
    }
}

fn histogram(text: &mut String, format: Format, series: SeriesName<'_>, histogram: &Histogram, sum: &str) {
    let SeriesName { metric, labels } = series;
    let bounds = match format {
        Format::Text => BUCKET_BOUNDS,
        Format::OpenMetrics => CANONICAL_BOUNDS,
    };
    let mut cumulated = 0;
    for (bound, count) in bounds.iter().zip(histogram.buckets) {
        cumulated += count;
        push(
            text,
            format_args!("{metric}_bucket{{{labels},le=\"{bound}\"}} {cumulated}\n"),
        );
    }
    push(text, format_args!("{metric}_sum{{{labels}}} {sum}\n"));
    push(text, format_args!("{metric}_count{{{labels}}} {cumulated}\n"));
}

/// Appends formatted text. Writing to a string can't fail.
fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    if text.write_fmt(arguments).is_err() {
        debug_assert!(false, "writing to a string failed");
    }
}

#[cfg(test)]
mod tests;
