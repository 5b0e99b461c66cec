//! The Prometheus text format (version 0.0.4) of a snapshot. A series' labels are rendered once, when it first appears.

mod exporters;
pub mod families;
pub mod proxies;

use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

use alscope_analysis::aggregate::histogram::{BOUNDS, Histogram};
use alscope_analysis::aggregate::labels::{NAMES, SeriesLabels, TCP_NAMES};
use alscope_analysis::aggregate::series::{HttpCounts, TcpCounts};
use alscope_analysis::aggregate::totals::{Family, Snapshot};

use crate::envoy_metrics::Proxies;
use crate::envoy_metrics::names::push_label;
use families::{Gauges, HISTOGRAMS, HTTP_REQUESTS, Metric, TCP_COUNTERS};

/// The content type of the format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Renders snapshots; remembers the rendered labels of each series by its id.
#[derive(Debug, Default)]
pub struct Prometheus {
    rendered: Mutex<Rendered>,
}

#[derive(Debug, Default)]
struct Rendered {
    http: Vec<Box<str>>,
    tcp: Vec<Box<str>>,
}

impl Prometheus {
    /// The exposition of `snapshot`, with the gauges that are read at this moment and what the proxies said last.
    pub fn render(&self, snapshot: &Snapshot, gauges: &Gauges, proxies: &Proxies) -> String {
        let mut rendered = self.rendered.lock().unwrap_or_else(PoisonError::into_inner);
        learn(&mut rendered.http, &snapshot.http, NAMES.len());
        learn(&mut rendered.tcp, &snapshot.tcp, TCP_NAMES);
        let mut text = String::with_capacity(64 * 1024);
        families::own(&mut text, &snapshot.accounting, gauges);
        if let Some(counts) = &gauges.json_lines {
            exporters::json_lines(&mut text, counts);
        }
        http(&mut text, &snapshot.http, &rendered.http);
        tcp(&mut text, &snapshot.tcp, &rendered.tcp);
        proxies::proxies(&mut text, proxies);
        text
    }
}

fn learn<C: Clone + Default>(rendered: &mut Vec<Box<str>>, family: &Family<C>, names: usize) {
    let new = family.iter().skip(rendered.len());
    rendered.extend(new.map(|(_, labels, _)| label_text(labels, names).into_boxed_str()));
}

/// `name="value",…` without braces, values escaped as the format demands.
fn label_text(labels: &SeriesLabels, names: usize) -> String {
    let mut text = String::new();
    for (name, value) in NAMES.iter().zip(&labels.values).take(names) {
        push_label(&mut text, name, value);
    }
    text
}

fn http(text: &mut String, family: &Family<HttpCounts>, rendered: &[Box<str>]) {
    let counted = || family.iter().filter(|(_, _, counts)| counts.requests > 0);
    let labels = |id: usize| rendered.get(id).map_or("", |labels| labels);
    families::header(text, &HTTP_REQUESTS);
    for (id, _, counts) in counted() {
        push(
            text,
            format_args!("{}{{{}}} {}\n", HTTP_REQUESTS.name, labels(id), counts.requests),
        );
    }
    let parts: [(&Metric, HistogramOf, bool); 3] = [
        (&HISTOGRAMS[0], |counts| &counts.duration, true),
        (&HISTOGRAMS[1], |counts| &counts.request_bytes, false),
        (&HISTOGRAMS[2], |counts| &counts.response_bytes, false),
    ];
    for (metric, histogram_of, is_duration) in parts {
        families::header(text, metric);
        for (id, _, counts) in counted() {
            histogram(text, metric.name, labels(id), (histogram_of(counts), is_duration));
        }
    }
}

/// Picks one of a series' histograms.
type HistogramOf = fn(&HttpCounts) -> &Histogram;

fn histogram(text: &mut String, name: &str, labels: &str, (histogram, is_duration): (&Histogram, bool)) {
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

fn tcp(text: &mut String, family: &Family<TcpCounts>, rendered: &[Box<str>]) {
    let values: [fn(&TcpCounts) -> u64; 4] = [
        |counts| counts.connections,
        |counts| counts.connections,
        |counts| counts.sent_bytes,
        |counts| counts.received_bytes,
    ];
    for (metric, value) in TCP_COUNTERS.iter().zip(values) {
        families::header(text, metric);
        for (id, _, counts) in family.iter().filter(|(_, _, counts)| counts.connections > 0) {
            let labels = rendered.get(id).map_or("", |labels| labels);
            push(
                text,
                format_args!("{}{{{labels}}} {}\n", metric.name, value(counts)),
            );
        }
    }
}

/// Writing to a string can't fail.
fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    if text.write_fmt(arguments).is_err() {
        debug_assert!(false, "writing to a string failed");
    }
}

#[cfg(test)]
mod tests;
