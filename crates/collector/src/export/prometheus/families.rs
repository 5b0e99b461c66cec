//! The metric families: names, help and the collector's own counters.

use std::fmt::Display;

use alscope_analysis::accounting::{ClampedField, KeepReason, Rejected, Skipped, Unattributed};
use alscope_analysis::aggregate::totals::Snapshot;
use alscope_analysis::moment::Moment;
use alscope_analysis::reporter::Reporter;

use super::format::Format;
use super::push;
use crate::directory::freshness::KindFreshness;
use crate::export::deliver::queue::QueueCounts;
use crate::export::metric_names::ALSCOPE;
use crate::process::Process;
use crate::receive::answer::Refusal;
use crate::receive::limits::{ConnectionCounts, EndReason, RefusalReason};
use crate::serve::connections;

/// A metric family's name, help and type.
#[derive(Debug)]
pub struct Metric {
    /// The name.
    pub name: &'static str,
    help: &'static str,
    kind: &'static str,
}

/// A counter.
pub const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric {
        name,
        help,
        kind: "counter",
    }
}

/// A gauge.
pub const fn gauge(name: &'static str, help: &'static str) -> Metric {
    Metric {
        name,
        help,
        kind: "gauge",
    }
}

const fn histogram(name: &'static str, help: &'static str) -> Metric {
    Metric {
        name,
        help,
        kind: "histogram",
    }
}

/// Requests by outcome.
pub const HTTP_REQUESTS: Metric = counter(ALSCOPE.requests, "HTTP and gRPC requests.");

/// Durations and sizes of requests.
pub const HISTOGRAMS: [Metric; 3] = [
    histogram(
        ALSCOPE.request_duration,
        "Time from a request's first byte to its response's last.",
    ),
    histogram(ALSCOPE.request_bytes, "Bytes of a request with its headers."),
    histogram(ALSCOPE.response_bytes, "Bytes of a response with its headers."),
];

/// TCP connections and their bytes.
pub const TCP_COUNTERS: [Metric; 4] = [
    counter(
        ALSCOPE.tcp_connections_opened,
        "TCP connections that were opened; an access log tells of one when it ends.",
    ),
    counter(ALSCOPE.tcp_connections_closed, "TCP connections that ended."),
    counter(ALSCOPE.tcp_sent_bytes, "Bytes to the callers of TCP connections."),
    counter(
        ALSCOPE.tcp_received_bytes,
        "Bytes from the callers of TCP connections.",
    ),
];

const RECEIVED: Metric = counter(
    "alscope_entries_received_total",
    "Access-log entries taken from messages.",
);
const ANALYZED: Metric = counter("alscope_entries_analyzed_total", "Entries that could be read.");
const REJECTED: Metric = counter(
    "alscope_entries_rejected_total",
    "Entries that could not be read.",
);
const OBSERVED: Metric = counter(
    "alscope_entries_observed_total",
    "Entries with at least one observation.",
);
const OBSERVATIONS: Metric = counter(
    "alscope_observations_total",
    "Calls observed, by the reporting side.",
);
const SKIPPED: Metric = counter(
    "alscope_entries_skipped_total",
    "Entries that are no finished call.",
);
const ATTRIBUTED: Metric = counter(
    "alscope_entries_attributed_total",
    "Observed entries all of whose parties were found.",
);
const UNATTRIBUTED: Metric = counter(
    "alscope_entries_unattributed_total",
    "Observed entries with at least one party that is unknown.",
);
const PARTIES: Metric = counter("alscope_parties_unattributed_total", "Parties that are unknown.");
const MESSAGES: Metric = counter(
    "alscope_messages_rejected_total",
    "Messages that could not be read, so that what they hold could not be counted.",
);
const OVERFLOWED: Metric = counter(
    "alscope_observations_overflowed_total",
    "Observations in the overflow series because a bound was reached.",
);
const OUTSIDE_OVERFLOWED: Metric = counter(
    "alscope_outside_hosts_overflowed_total",
    "Observations of calls to a host outside the mesh that is not told apart because a bound was reached.",
);
const KEPT: Metric = counter(
    "alscope_entries_kept_total",
    "Observed entries that the analyzer persistence kept.",
);
const OVER_RATE: Metric = counter(
    "alscope_entries_over_rate_total",
    "Entries that it would have kept, had not as many of their kind been kept in that minute.",
);
const CLAMPED: Metric = counter(
    "alscope_values_clamped_total",
    "Values of entries that were beyond sense, so that the nearest one that is not was counted.",
);
const SERIES_EXPIRED: Metric = counter(
    "alscope_series_expired_total",
    "Series that went because nothing was observed of them for limits.idleSeries.",
);
const OBSERVATIONS_EXPIRED: Metric = counter(
    "alscope_observations_expired_total",
    "Observations of the series that went.",
);
const ANALYZERS: Metric = gauge(
    "alscope_analyzers_active",
    "Analyzers that are configured for any kind of entry.",
);
const STREAMS: Metric = gauge("alscope_streams", "Open streams, of access logs and of metrics.");
const STREAMS_REFUSED: Metric = counter(
    "alscope_streams_refused_total",
    "Streams that were answered with an error.",
);
const CONNECTIONS: Metric = gauge(
    "alscope_connections",
    "Open connections on the port of the streams.",
);
const CONNECTIONS_REFUSED: Metric = counter(
    "alscope_connections_refused_total",
    "Connections that were closed as soon as they came, because of a bound.",
);
const CONNECTIONS_ENDED: Metric = counter(
    "alscope_connections_ended_total",
    "Connections that were ended because they were of no use.",
);
const LOG_LINES: Metric = counter(
    "alscope_log_lines_left_out_total",
    "Lines that were not logged, because the same place had logged many in that minute.",
);
const DIRECTORY: Metric = gauge(
    "alscope_directory_version",
    "Version of the directory; grows when an answer changes.",
);
const BUILD: Metric = gauge("alscope_build_info", "Version and commit of this collector.");

/// What is read at the moment of the scrape.
#[derive(Clone, Debug, Default)]
pub struct ScrapeGauges {
    /// Analyzers that are configured for any kind of entry.
    pub analyzers: usize,
    /// Open streams.
    pub streams: i64,
    /// Those that were answered with an error by reason, in the order of [`Refusal::ALL`].
    pub streams_refused: [u64; Refusal::ALL.len()],
    /// Connections, and what became of others.
    pub connections: ConnectionCounts,
    /// Lines that were not logged.
    pub log_lines_left_out: u64,
    /// Version of the directory.
    pub directory_version: u64,
    /// How fresh the directory is.
    pub kinds: Vec<KindFreshness>,
    /// What became of kept entries, by exporter.
    pub exporters: Vec<(&'static str, QueueCounts)>,
    /// What the system says of the process, if it does.
    pub process: Option<Process>,
    /// The connections of each HTTP port, by its name, if they are served.
    pub ports: Option<[(&'static str, connections::Counts); 2]>,
}

/// `# HELP` and `# TYPE`.
pub fn header(text: &mut String, metric: &Metric, format: Format) {
    let Metric { name, help, kind } = metric;
    let name = format.family(name);
    push(text, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
}

/// Writes metrics that the collector counts from its start.
#[derive(Debug)]
pub struct ExpositionWriter {
    /// What was written.
    pub text: String,
    pub(super) format: Format,
    started: Moment,
}

impl ExpositionWriter {
    /// Nothing yet of a collector that started then.
    pub fn new(format: Format, started: Moment) -> Self {
        ExpositionWriter {
            text: String::new(),
            format,
            started,
        }
    }

    /// The metric of the samples that follow.
    pub fn header(&mut self, metric: &Metric) {
        header(&mut self.text, metric, self.format);
    }

    /// A sample with its labels in braces, or none.
    pub fn sample(&mut self, metric: &Metric, labels: &str, value: impl Display) {
        push(&mut self.text, format_args!("{}{labels} {value}\n", metric.name));
        if metric.kind == "counter" {
            let created = self.format.created(metric.name, labels, self.started);
            self.text.extend(created);
        }
    }

    /// The only sample of a metric.
    pub fn plain(&mut self, metric: &Metric, value: impl Display) {
        self.header(metric);
        self.sample(metric, "", value);
    }

    /// One sample for each word.
    pub fn labelled(
        &mut self,
        metric: &Metric,
        label: &str,
        values: impl Iterator<Item = (&'static str, u64)>,
    ) {
        self.header(metric);
        for (word, value) in values {
            self.sample(metric, &format!("{{{label}=\"{word}\"}}"), value);
        }
    }
}

/// The collector's own metrics. Every reason is there from the start, so that a first one shows as a rise.
pub fn own(writer: &mut ExpositionWriter, snapshot: &Snapshot, gauges: &ScrapeGauges) {
    let (version, commit) = (env!("CARGO_PKG_VERSION"), env!("ALSCOPE_COMMIT"));
    writer.header(&BUILD);
    writer.sample(
        &BUILD,
        &format!("{{version=\"{version}\",commit=\"{commit}\"}}"),
        1,
    );
    let accounting = &snapshot.accounting;
    let plain = [
        (ANALYZERS, gauges.analyzers as u64),
        (STREAMS, u64::try_from(gauges.streams).unwrap_or(0)),
        (CONNECTIONS, gauges.connections.open),
        (LOG_LINES, gauges.log_lines_left_out),
        (DIRECTORY, gauges.directory_version),
        (RECEIVED, accounting.received),
        (ANALYZED, accounting.analyzed),
        (OBSERVED, accounting.observed),
        (ATTRIBUTED, accounting.attributed),
        (UNATTRIBUTED, accounting.unattributed),
        (OVERFLOWED, accounting.overflowed),
        (OUTSIDE_OVERFLOWED, accounting.outside_overflowed),
        (SERIES_EXPIRED, snapshot.expired.series),
        (OBSERVATIONS_EXPIRED, snapshot.expired.observations),
        (OVER_RATE, accounting.over_rate),
    ];
    for (metric, value) in plain {
        writer.plain(&metric, value);
    }
    let refused = Refusal::ALL.map(Refusal::as_str).into_iter();
    writer.labelled(&STREAMS_REFUSED, "reason", refused.zip(gauges.streams_refused));
    let ConnectionCounts { refused, ended, .. } = gauges.connections;
    let refused = RefusalReason::ALL
        .map(RefusalReason::as_str)
        .into_iter()
        .zip(refused);
    writer.labelled(&CONNECTIONS_REFUSED, "reason", refused);
    let ended = EndReason::ALL.map(EndReason::as_str).into_iter().zip(ended);
    writer.labelled(&CONNECTIONS_ENDED, "reason", ended);
    by_reason(writer, snapshot);
}

fn by_reason(writer: &mut ExpositionWriter, snapshot: &Snapshot) {
    let accounting = &snapshot.accounting;
    let rejected = Rejected::ALL
        .iter()
        .map(|reason| (reason.as_str(), accounting.rejected(*reason)));
    writer.labelled(&REJECTED, "reason", rejected);
    let messages = Rejected::ALL
        .iter()
        .map(|reason| (reason.as_str(), accounting.messages_rejected(*reason)));
    writer.labelled(&MESSAGES, "reason", messages);
    let skipped = Skipped::ALL
        .iter()
        .map(|reason| (reason.as_str(), accounting.skipped(*reason)));
    writer.labelled(&SKIPPED, "reason", skipped);
    let parties = Unattributed::ALL
        .iter()
        .map(|reason| (reason.as_str(), accounting.parties_unattributed(*reason)));
    writer.labelled(&PARTIES, "reason", parties);
    let observations = Reporter::ALL
        .iter()
        .map(|reporter| (reporter.as_str(), accounting.observations(*reporter)));
    writer.labelled(&OBSERVATIONS, "reporter", observations);
    let kept = KeepReason::ALL
        .iter()
        .map(|reason| (reason.as_str(), accounting.kept(*reason)));
    writer.labelled(&KEPT, "reason", kept);
    let clamped = ClampedField::ALL
        .iter()
        .map(|field| (field.as_str(), accounting.clamped(*field)));
    writer.labelled(&CLAMPED, "field", clamped);
}
