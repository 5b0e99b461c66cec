//! The metric families: their names, their help texts, and the collector's own counters.

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

/// The name, help and type of a metric family.
#[derive(Debug)]
pub struct Metric {
    /// The family's name, with the suffix `_total` for a counter.
    pub name: &'static str,
    help: &'static str,
    kind: &'static str,
}

/// Builds a counter, whose name ends in `_total`.
pub const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric {
        name,
        help,
        kind: "counter",
    }
}

/// Builds a gauge, which may go up and down.
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

/// The counter of requests by outcome.
pub const HTTP_REQUESTS: Metric = counter(ALSCOPE.requests, "HTTP and gRPC requests.");

/// The histograms of request durations and sizes.
pub const HISTOGRAMS: [Metric; 3] = [
    histogram(
        ALSCOPE.request_duration,
        "Time from the first byte of a request to the last byte of its response.",
    ),
    histogram(
        ALSCOPE.request_bytes,
        "Size of a request in bytes, with its headers.",
    ),
    histogram(
        ALSCOPE.response_bytes,
        "Size of a response in bytes, with its headers.",
    ),
];

/// The counters of the messages of gRPC calls.
pub const GRPC_MESSAGES: [Metric; 2] = [
    counter(
        ALSCOPE.grpc_request_messages,
        "Messages from the callers of gRPC calls, if their proxies log them.",
    ),
    counter(
        ALSCOPE.grpc_response_messages,
        "Messages to the callers of gRPC calls, if their proxies log them.",
    ),
];

/// The counters of TCP connections and their bytes.
pub const TCP_COUNTERS: [Metric; 4] = [
    counter(
        ALSCOPE.tcp_connections_opened,
        "TCP connections that were opened; a connection is logged only when it ends.",
    ),
    counter(ALSCOPE.tcp_connections_closed, "TCP connections that ended."),
    counter(
        ALSCOPE.tcp_sent_bytes,
        "Bytes sent to the callers of TCP connections.",
    ),
    counter(
        ALSCOPE.tcp_received_bytes,
        "Bytes received from the callers of TCP connections.",
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
    "Observed calls, by the side that reported them.",
);
const SKIPPED: Metric = counter(
    "alscope_entries_skipped_total",
    "Entries that are not a finished call, or for which no analyzer is configured.",
);
const ATTRIBUTED: Metric = counter(
    "alscope_entries_attributed_total",
    "Observed entries whose parties were all found.",
);
const UNATTRIBUTED: Metric = counter(
    "alscope_entries_unattributed_total",
    "Observed entries with at least one unknown party.",
);
const PARTIES: Metric = counter(
    "alscope_parties_unattributed_total",
    "Unknown parties of observed entries.",
);
const MESSAGES: Metric = counter(
    "alscope_messages_rejected_total",
    "Messages that could not be read, so their entries could not be counted.",
);
const OVERFLOWED: Metric = counter(
    "alscope_observations_overflowed_total",
    "Observations counted in an overflow series because a bound was reached.",
);
const OUTSIDE_OVERFLOWED: Metric = counter(
    "alscope_outside_hosts_overflowed_total",
    "Calls to hosts outside the mesh that are shown as one host because a bound was reached.",
);
const KEPT: Metric = counter(
    "alscope_entries_kept_total",
    "Observed entries that the analyzer persistence kept.",
);
const OVER_RATE: Metric = counter(
    "alscope_entries_over_rate_total",
    "Entries that persistence did not keep because enough of their kind were kept in that minute.",
);
const CLAMPED: Metric = counter(
    "alscope_values_clamped_total",
    "Implausible values in entries, for which the nearest plausible value was counted.",
);
const SERIES_EXPIRED: Metric = counter(
    "alscope_series_expired_total",
    "Series that were removed because they had no call for limits.idleSeries.",
);
const OBSERVATIONS_EXPIRED: Metric = counter(
    "alscope_observations_expired_total",
    "Observations in the series that were removed.",
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
    "Open connections on the port for access logs.",
);
const CONNECTIONS_REFUSED: Metric = counter(
    "alscope_connections_refused_total",
    "Connections that were closed at once because a bound was reached.",
);
const CONNECTIONS_ENDED: Metric = counter(
    "alscope_connections_ended_total",
    "Connections that were ended because they began no stream, were idle or sent needless frames.",
);
const LOG_LINES: Metric = counter(
    "alscope_log_lines_left_out_total",
    "Log lines that were left out because the same place in the code had logged many in that minute.",
);
const DIRECTORY: Metric = gauge(
    "alscope_directory_version",
    "Version of the directory, which grows when one of its answers changes.",
);
const BUILD: Metric = gauge("alscope_build_info", "Version and commit of this collector.");

/// The values that are read at the moment of the scrape.
#[derive(Clone, Debug, Default)]
pub struct ScrapeGauges {
    /// How many different analyzers are configured, for any kind of entry.
    pub analyzers: usize,
    /// How many streams are open.
    pub streams: i64,
    /// How many streams were answered with an error for each reason, in the order of [`Refusal::ALL`].
    pub streams_refused: [u64; Refusal::ALL.len()],
    /// The counts of connections on the port for access logs.
    pub connections: ConnectionCounts,
    /// How many log lines were left out since the start.
    pub log_lines_left_out: u64,
    /// The directory's version, which grows when one of its answers changes.
    pub directory_version: u64,
    /// The freshness of each kind of object.
    pub kinds: Vec<KindFreshness>,
    /// The fate of kept entries, by the exporter's name.
    pub exporters: Vec<(&'static str, QueueCounts)>,
    /// The figures of the process, if the system shows them.
    pub process: Option<Process>,
    /// The connections of each HTTP port by the port's name, if the ports are served.
    pub ports: Option<[(&'static str, connections::Counts); 2]>,
}

/// Appends the lines `# HELP` and `# TYPE` of a metric.
pub fn header(text: &mut String, metric: &Metric, format: Format) {
    let Metric { name, help, kind } = metric;
    let name = format.family(name);
    push(text, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
}

/// Writes metrics that the collector counts from its start on.
#[derive(Debug)]
pub struct ExpositionWriter {
    /// The text written so far.
    pub text: String,
    pub(super) format: Format,
    started: Moment,
}

impl ExpositionWriter {
    /// An empty exposition of a collector that started at `started`.
    pub fn new(format: Format, started: Moment) -> Self {
        ExpositionWriter {
            text: String::new(),
            format,
            started,
        }
    }

    /// Begins the metric of the samples that follow.
    pub fn header(&mut self, metric: &Metric) {
        header(&mut self.text, metric, self.format);
    }

    /// Writes a sample. `labels` are its labels in braces, or empty.
    pub fn sample(&mut self, metric: &Metric, labels: &str, value: impl Display) {
        push(&mut self.text, format_args!("{}{labels} {value}\n", metric.name));
        if metric.kind == "counter" {
            let created = self.format.created(metric.name, labels, self.started);
            self.text.extend(created);
        }
    }

    /// Writes a metric that has only one sample.
    pub fn plain(&mut self, metric: &Metric, value: impl Display) {
        self.header(metric);
        self.sample(metric, "", value);
    }

    /// Writes a metric with one sample for each value of a label.
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

/// Writes the collector's own metrics. Every reason is written from the start, so that its first
/// count shows as a rise.
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
