//! The metrics that Envoys report about themselves, and how many entries were received from them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::families::{self, ExpositionWriter, Metric, counter};
use super::format::Format;
use super::push;
use crate::envoy_metrics::latest::SeriesValue;
use crate::envoy_metrics::{Overflow, Proxies, Proxy};

const FLUSHED: Metric = counter(
    "alscope_proxy_entries_flushed_total",
    "Access-log entries that the proxy reports to have handed to its streams; absent if it does not report them.",
);
const RECEIVED: Metric = counter(
    "alscope_proxy_entries_received_total",
    "Access-log entries received from the proxy; absent if it does not report how many it sent.",
);
const OVERFLOWED: Metric = counter(
    "alscope_envoy_metrics_overflowed_total",
    "Metrics of Envoys that were not kept because a bound was reached.",
);

/// The series of one name, over all proxies.
#[derive(Debug)]
struct Group {
    /// The Prometheus type of the first series with this name.
    kind: &'static str,
    /// The proxies that report the name, by their place in the list of proxies.
    proxies: Vec<usize>,
}

/// Every known proxy. The list is held for as long as the exposition is read.
type All = Arc<[Arc<Proxy>]>;

/// Renders how many entries proxies flushed and how many were received from them, then the proxies' own
/// metrics, one proxy's series of one name at a time.
pub fn proxies(known: &Proxies, mut writer: ExpositionWriter) -> impl Iterator<Item = String> + Send + use<> {
    let format = writer.format;
    let by_bound = Overflow::ALL
        .iter()
        .map(|bound| (bound.as_str(), known.overflowed(*bound)));
    writer.labelled(&OVERFLOWED, "reason", by_bound);
    let all: All = known.all().into();
    let flushed = of_those_that_say(&all, format, &FLUSHED, |_, flushed| flushed);
    let received = of_those_that_say(&all, format, &RECEIVED, |proxy, _| {
        proxy.entries_received() as f64
    });
    let groups = groups(&all).into_iter();
    let relayed = groups.flat_map(move |(name, group)| relayed(&all, format, name, group));
    std::iter::once(writer.text)
        .chain(flushed)
        .chain(received)
        .chain(relayed)
}

/// Renders a counter for each proxy that reports how many entries it flushed.
fn of_those_that_say(
    all: &All,
    format: Format,
    metric: &Metric,
    value: fn(&Proxy, f64) -> f64,
) -> impl Iterator<Item = String> + use<> {
    let (all, name) = (all.clone(), metric.name);
    let lines = (0..all.len()).filter_map(move |place| {
        let proxy = all.get(place)?;
        let flushed = proxy.latest()?.entries_flushed()?;
        let (labels, value) = (&proxy.identity.key, value(proxy, flushed));
        Some(format!("{name}{{{labels}}} {value}\n"))
    });
    let mut header = String::new();
    families::header(&mut header, metric, format);
    std::iter::once(header).chain(lines)
}

/// Groups the series by name. A name that is a counter of one proxy and a gauge of another is untyped. A
/// scalar and a histogram can't share a name, so the one that comes second is left out.
fn groups(all: &All) -> BTreeMap<String, Group> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for (place, proxy) in all.iter().enumerate() {
        let Some(latest) = proxy.latest() else { continue };
        for (name, _, value) in latest.iter() {
            let kind = kind(value);
            let Some(group) = groups.get_mut(name) else {
                let proxies = vec![place];
                groups.insert(name.to_owned(), Group { kind, proxies });
                continue;
            };
            if group.kind != kind && ![group.kind, kind].contains(&HISTOGRAM) {
                group.kind = "untyped";
            }
            if group.proxies.last() != Some(&place) {
                group.proxies.push(place);
            }
        }
    }
    groups
}

const HISTOGRAM: &str = "histogram";

fn kind(value: &SeriesValue) -> &'static str {
    match value {
        SeriesValue::Counter(_) => "counter",
        SeriesValue::Gauge(_) => "gauge",
        SeriesValue::Histogram { .. } => HISTOGRAM,
    }
}

/// Renders the lines of one name.
fn relayed(
    all: &All,
    format: Format,
    name: String,
    Group { kind, proxies }: Group,
) -> impl Iterator<Item = String> + use<> {
    let all = all.clone();
    let shown = match (format, kind) {
        // In OpenMetrics the name of a counter would have to end in `_total`, but SkyWalking's rules know
        // this one.
        (Format::OpenMetrics, "counter" | "untyped") => "unknown",
        _ => kind,
    };
    let header = format!("# TYPE {name} {shown}\n");
    let lines = proxies.into_iter().filter_map(move |place| {
        let proxy = all.get(place)?;
        let mut text = String::new();
        for (labels, value) in proxy.latest()?.named(&name) {
            if (kind == HISTOGRAM) == matches!(value, SeriesValue::Histogram { .. }) {
                let separator = if labels == "{" { "" } else { "," };
                let identity = &proxy.identity;
                let labels = format!("{labels}{separator}{},{}", identity.service, identity.key);
                lines(&mut text, format, &name, &labels, value);
            }
        }
        Some(text)
    });
    std::iter::once(header).chain(lines)
}

/// Renders the lines of one series. `labels` begin with their opening brace and have no closing one.
fn lines(text: &mut String, format: Format, name: &str, labels: &str, value: &SeriesValue) {
    match value {
        SeriesValue::Counter(value) | SeriesValue::Gauge(value) => {
            push(text, format_args!("{name}{labels}}} {value}\n"));
        }
        SeriesValue::Histogram { count, sum, buckets } => {
            for (bound, cumulated) in buckets {
                let bound = format.bound(&bound.to_string());
                push(
                    text,
                    format_args!("{name}_bucket{labels},le=\"{bound}\"}} {cumulated}\n"),
                );
            }
            push(
                text,
                format_args!("{name}_bucket{labels},le=\"+Inf\"}} {count}\n"),
            );
            push(text, format_args!("{name}_sum{labels}}} {sum}\n"));
            push(text, format_args!("{name}_count{labels}}} {count}\n"));
        }
    }
}

#[cfg(test)]
mod tests;
