//! What Envoys report about themselves, and beside it what was received from them.

use std::collections::BTreeMap;

use super::families::{self, Metric, counter};
use super::push;
use crate::envoy_metrics::latest::Value;
use crate::envoy_metrics::{Overflow, Proxies, Proxy};

const FLUSHED: Metric = counter(
    "alscope_proxy_entries_flushed_total",
    "Access-log entries that the proxy says it handed to its streams, of those that say so.",
);
const RECEIVED: Metric = counter(
    "alscope_proxy_entries_received_total",
    "Access-log entries received from the proxies that say how many they sent.",
);
const OVERFLOWED: Metric = counter(
    "alscope_envoy_metrics_overflowed_total",
    "Metrics of Envoys that were not kept because a bound was reached.",
);

/// The series of one name.
#[derive(Debug, Default)]
struct Group {
    /// The type of the first series.
    kind: &'static str,
    lines: String,
}

/// Entries that proxies flushed and that were received from them, and the relayed metrics.
pub fn proxies(text: &mut String, proxies: &Proxies) {
    let overflowed = Overflow::ALL
        .iter()
        .map(|bound| (bound.word(), proxies.overflowed(*bound)));
    families::labelled(text, &OVERFLOWED, "reason", overflowed);
    let mut flushed = String::new();
    let mut received = String::new();
    let mut groups = BTreeMap::new();
    for proxy in proxies.all() {
        let Some(latest) = proxy.latest() else { continue };
        if let Some(entries) = latest.entries_flushed() {
            let labels = &proxy.identity.key;
            push(
                &mut flushed,
                format_args!("{}{{{labels}}} {entries}\n", FLUSHED.name),
            );
            let entries = proxy.entries_received();
            push(
                &mut received,
                format_args!("{}{{{labels}}} {entries}\n", RECEIVED.name),
            );
        }
        for (name, labels, value) in latest.iter() {
            relay(&mut groups, &proxy, (name, labels), value);
        }
    }
    families::header(text, &FLUSHED);
    text.push_str(&flushed);
    families::header(text, &RECEIVED);
    text.push_str(&received);
    for (name, group) in groups {
        push(text, format_args!("# TYPE {name} {}\n", group.kind));
        text.push_str(&group.lines);
    }
}

/// Adds the lines of a series to the group of its name. What one proxy counts and another one gauges is untyped; a scalar and
/// a histogram can't share a name, so the one that came second is left out.
fn relay(groups: &mut BTreeMap<String, Group>, proxy: &Proxy, (name, labels): (&str, &str), value: &Value) {
    let kind = match value {
        Value::Counter(_) => "counter",
        Value::Gauge(_) => "gauge",
        Value::Histogram { .. } => "histogram",
    };
    if !groups.contains_key(name) {
        groups.insert(
            name.to_owned(),
            Group {
                kind,
                lines: String::new(),
            },
        );
    }
    let Some(group) = groups.get_mut(name) else { return };
    if group.kind != kind {
        if [group.kind, kind].contains(&"histogram") {
            return;
        }
        group.kind = "untyped";
    }
    let separator = if labels == "{" { "" } else { "," };
    let identity = &proxy.identity;
    let labels = format!("{labels}{separator}{},{}", identity.service, identity.key);
    let lines = &mut group.lines;
    match value {
        Value::Counter(value) | Value::Gauge(value) => {
            push(lines, format_args!("{name}{labels}}} {value}\n"));
        }
        Value::Histogram { count, sum, buckets } => {
            for (bound, cumulated) in buckets {
                push(
                    lines,
                    format_args!("{name}_bucket{labels},le=\"{bound}\"}} {cumulated}\n"),
                );
            }
            push(
                lines,
                format_args!("{name}_bucket{labels},le=\"+Inf\"}} {count}\n"),
            );
            push(lines, format_args!("{name}_sum{labels}}} {sum}\n"));
            push(lines, format_args!("{name}_count{labels}}} {count}\n"));
        }
    }
}

#[cfg(test)]
mod tests;
