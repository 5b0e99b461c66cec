//! The Prometheus text format (version 0.0.4) of a snapshot. A series' labels are rendered once, when it first appears.

mod directory;
mod exporters;
pub mod families;
mod process;
pub mod proxies;

use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use alscope_analysis::aggregate::histogram::{BOUNDS, Histogram};
use alscope_analysis::aggregate::labels::{NAMES, SeriesLabels, TCP_NAMES};
use alscope_analysis::aggregate::series::{HttpCounts, TcpCounts};
use alscope_analysis::aggregate::totals::{Family, Snapshot};

use crate::envoy_metrics::Proxies;
use crate::envoy_metrics::names::push_label;
use families::{Gauges, HISTOGRAMS, HTTP_REQUESTS, Metric, TCP_COUNTERS};

/// The content type of the format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Bytes that a piece of the text has at least, but for the last one; a piece ends with what makes it as long.
pub const PIECE_BYTES: usize = 64 * 1024;

/// Renders snapshots; remembers the rendered labels of each series by its id.
#[derive(Debug, Default)]
pub struct Prometheus {
    rendered: Mutex<Rendered>,
}

#[derive(Clone, Debug, Default)]
struct Rendered {
    http: Labels,
    tcp: Labels,
}

/// The labels of a family's series. Expositions that are being read share them.
type Labels = Arc<[Arc<str>]>;

impl Prometheus {
    /// The exposition of `snapshot`, with the gauges that are read at this moment and what the proxies said last. It can have
    /// hundreds of megabytes, so it is rendered piece by piece, while it is read.
    pub fn render(
        &self,
        snapshot: Arc<Snapshot>,
        gauges: &Gauges,
        proxies: &Proxies,
    ) -> impl Iterator<Item = String> + Send + use<> {
        let Rendered { http, tcp } = {
            let mut rendered = self.rendered.lock().unwrap_or_else(PoisonError::into_inner);
            learn(&mut rendered.http, &snapshot.http, NAMES.len());
            learn(&mut rendered.tcp, &snapshot.tcp, TCP_NAMES);
            rendered.clone()
        };
        let mut own = String::new();
        families::own(&mut own, &snapshot.accounting, gauges);
        directory::directory(&mut own, &gauges.kinds);
        if let Some(counts) = &gauges.json_lines {
            exporters::json_lines(&mut own, counts);
        }
        if let Some(process) = &gauges.process {
            process::process(&mut own, process);
        }
        if let Some(ports) = &gauges.ports {
            process::ports(&mut own, ports);
        }
        let proxies = proxies::proxies(proxies);
        let of_http: Of<HttpCounts> = (|snapshot| &snapshot.http, |counts| counts.requests > 0);
        let of_tcp: Of<TcpCounts> = (|snapshot| &snapshot.tcp, |counts| counts.connections > 0);
        let http = series(snapshot.clone(), of_http, http, &HTTP);
        let tcp = series(snapshot, of_tcp, tcp, &TCP);
        pieces(std::iter::once(own).chain(http).chain(tcp).chain(proxies))
    }
}

/// A family of a snapshot, and whether a series of it has counted anything: else it is not shown.
type Of<C> = (fn(&Snapshot) -> &Family<C>, fn(&C) -> bool);

/// What a series shows of one metric.
#[derive(Clone, Copy)]
enum Shown<'a> {
    Counter(u64),
    /// Of durations, in microseconds.
    Durations(&'a Histogram),
    Sizes(&'a Histogram),
}

/// A metric and what a series shows of it.
type Part<C> = (&'static Metric, for<'a> fn(&'a C) -> Shown<'a>);

const HTTP: [Part<HttpCounts>; 4] = [
    (&HTTP_REQUESTS, |counts| Shown::Counter(counts.requests)),
    (&HISTOGRAMS[0], |counts| Shown::Durations(&counts.duration)),
    (&HISTOGRAMS[1], |counts| Shown::Sizes(&counts.request_bytes)),
    (&HISTOGRAMS[2], |counts| Shown::Sizes(&counts.response_bytes)),
];

const TCP: [Part<TcpCounts>; 4] = [
    (&TCP_COUNTERS[0], |counts| Shown::Counter(counts.connections)),
    (&TCP_COUNTERS[1], |counts| Shown::Counter(counts.connections)),
    (&TCP_COUNTERS[2], |counts| Shown::Counter(counts.sent_bytes)),
    (&TCP_COUNTERS[3], |counts| Shown::Counter(counts.received_bytes)),
];

/// The text of a family, metric by metric, each series by itself.
fn series<C: Clone + Default>(
    snapshot: Arc<Snapshot>,
    (family, is_shown): Of<C>,
    labels: Labels,
    parts: &'static [Part<C>],
) -> impl Iterator<Item = String> {
    parts.iter().flat_map(move |(metric, shown)| {
        let (snapshot, labels) = (snapshot.clone(), labels.clone());
        let lines = (0..labels.len()).filter_map(move |id| {
            let counts = family(&snapshot)
                .counts()
                .get(id)
                .filter(|counts| is_shown(counts))?;
            Some(lines_of(metric.name, labels.get(id)?, shown(counts)))
        });
        let mut header = String::new();
        families::header(&mut header, metric);
        std::iter::once(header).chain(lines)
    })
}

/// The same text in pieces of about the same size.
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

fn learn<C: Clone + Default>(rendered: &mut Labels, family: &Family<C>, names: usize) {
    if rendered.len() < family.len() {
        let new = family.iter().skip(rendered.len());
        let new = new.map(|(_, labels, _)| label_text(labels, names).into());
        *rendered = rendered.iter().cloned().chain(new).collect();
    }
}

/// `name="value",…` without braces, values escaped as the format demands.
fn label_text(labels: &SeriesLabels, names: usize) -> String {
    let mut text = String::new();
    for (name, value) in NAMES.iter().zip(&labels.values).take(names) {
        push_label(&mut text, name, value);
    }
    text
}

fn lines_of(name: &str, labels: &str, shown: Shown<'_>) -> String {
    let mut text = String::new();
    match shown {
        Shown::Counter(value) => push(&mut text, format_args!("{name}{{{labels}}} {value}\n")),
        Shown::Durations(durations) => histogram(&mut text, (name, labels), (durations, true)),
        Shown::Sizes(sizes) => histogram(&mut text, (name, labels), (sizes, false)),
    }
    text
}

fn histogram(text: &mut String, (name, labels): (&str, &str), (histogram, is_duration): (&Histogram, bool)) {
    let mut cumulated = 0;
    for (bound, count) in BOUNDS.iter().zip(histogram.buckets) {
        cumulated += count;
        push(
            text,
            format_args!("{name}_bucket{{{labels},le=\"{bound}\"}} {cumulated}\n"),
        );
    }
    if is_duration {
        let (milliseconds, microseconds) = (histogram.sum / 1000, histogram.sum % 1000);
        push(
            text,
            format_args!("{name}_sum{{{labels}}} {milliseconds}.{microseconds:03}\n"),
        );
    } else {
        push(text, format_args!("{name}_sum{{{labels}}} {}\n", histogram.sum));
    }
    push(text, format_args!("{name}_count{{{labels}}} {cumulated}\n"));
}

/// Writing to a string can't fail.
fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    if text.write_fmt(arguments).is_err() {
        debug_assert!(false, "writing to a string failed");
    }
}

#[cfg(test)]
mod tests;
