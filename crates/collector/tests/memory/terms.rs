//! The terms of docs/memory.md: what takes memory, how much each takes, and how many there are under the load that the
//! page adds up.

use alscope_analysis::aggregate::call::Call;
use alscope_analysis::aggregate::evidence::MAX_EVIDENCE;
use alscope_analysis::aggregate::ids::CallId;
use alscope_analysis::aggregate::registry::RegistryBounds;
use alscope_analysis::aggregate::series::{Counts, HttpCounts, TcpCounts};
use alscope_analysis::aggregate::window::{EdgeCounts, EdgeId, MAX_EDGES};
use alscope_analysis::interner::STRING_OVERHEAD_BYTES;
use alscope_analysis::node::{MAX_DOMAIN_BYTES, MAX_NODE_ID_BYTES};
use alscope_collector::envoy_metrics;
use alscope_collector::receive::buffer_pool;
use alscope_collector::receive::worker::WINDOW_BYTES;
use alscope_collector::serve::connections;
use alscope_collector_config::Limits;

/// One row of the page.
pub(crate) struct Term {
    pub(crate) what: &'static str,
    /// Bytes that one of them takes.
    pub(crate) bytes: usize,
    /// The thing that is counted, such as `connection`.
    pub(crate) each: &'static str,
    /// How many there are under the load.
    pub(crate) load: usize,
    /// How many there are at most, if the collector limits them.
    pub(crate) most: Option<usize>,
}

pub(crate) const CONNECTIONS: usize = 2_000;
pub(crate) const PODS: usize = 10_000;
pub(crate) const SERIES: usize = 20_000;
/// Families of HTTP series: requests, and histograms of durations and of two sizes.
const FAMILIES: usize = 4;
pub(crate) const LABEL_SETS: usize = SERIES / FAMILIES;
/// How many different outcomes each call has under the load.
pub(crate) const OUTCOMES: usize = 5;
const CALLS: usize = LABEL_SETS / OUTCOMES;
/// Bytes that the values of one label set take, about.
const LABELS: usize = 400;
/// Steps of the windows, and copies of the newest ones.
const STEPS: usize = 30 + 60 + 2;

pub(crate) const HTTP_LABEL_SET: usize = 4096;
pub(crate) const TCP_LABEL_SET: usize = 2560;
pub(crate) const POD: usize = 1664;
pub(crate) const CONNECTION: usize = 30 * 1024;
pub(crate) const STREAM: usize = 4 * 1024 + MAX_NODE_ID_BYTES + 2 * MAX_DOMAIN_BYTES;
pub(crate) const READER: usize = 4 << 20;
pub(crate) const PROCESS: usize = 36 << 20;

/// Bytes that one value takes of a hash table that has just doubled.
const fn hashed(bytes: usize) -> usize {
    (bytes + 1) * 16 / 7
}

fn term(what: &'static str, (bytes, each): (usize, &'static str), load: usize, most: Option<usize>) -> Term {
    Term {
        what,
        bytes,
        each,
        load,
        most,
    }
}

/// Every row, in the order of the page.
pub(crate) fn terms() -> Vec<Term> {
    let terms = receiving().into_iter();
    terms.chain(counting()).chain(the_rest()).collect()
}

fn receiving() -> [Term; 6] {
    let limits = Limits::default();
    let (room, connections) = (limits.buffered_bytes, Some(limits.connections));
    let window = WINDOW_BYTES as usize;
    [
        term("the program itself", (PROCESS, "process"), 1, Some(1)),
        term(
            "unread data: HTTP/2's window",
            (window, "connection"),
            CONNECTIONS,
            connections,
        ),
        term(
            "the rest of a connection",
            (CONNECTION, "connection"),
            CONNECTIONS,
            connections,
        ),
        term(
            "a stream, with the data about its node",
            (STREAM, "stream"),
            CONNECTIONS,
            None,
        ),
        term(
            "unfinished messages: `limits.bufferedBytes`",
            (1, "byte"),
            room,
            Some(room),
        ),
        term(
            "the buffer that messages are put together in",
            (buffer_pool::MAX_POOLED_BYTES, "worker"),
            1,
            Some(1),
        ),
    ]
}

fn counting() -> [Term; 6] {
    let bounds = RegistryBounds::default();
    // A call also has its epoch and the number of its series.
    let call = (size_of::<Call>() + 2 * size_of::<u32>()) * 2 + hashed(size_of::<CallId>());
    let string = STRING_OVERHEAD_BYTES + 64;
    let http = bounds.samples / HttpCounts::SAMPLES_PER_SERIES;
    let tcp = bounds.samples / TcpCounts::SAMPLES_PER_SERIES;
    let strings = bounds.string_bytes / string;
    [
        term("remembered identities", (32 << 20, "worker"), 1, Some(1)),
        term("the parties of a call", (call, "call"), CALLS, Some(bounds.calls)),
        term(
            "interned strings, of 64 bytes each",
            (string, "string"),
            2 * PODS,
            Some(strings),
        ),
        // A label set is in a worker's tables and counters, in the totals, in two snapshots and in the text.
        term(
            "a label set of HTTP",
            (HTTP_LABEL_SET, "label set"),
            LABEL_SETS,
            Some(http),
        ),
        term("a label set of TCP", (TCP_LABEL_SET, "label set"), 0, Some(tcp)),
        term(
            "the values of the labels, as text",
            (1, "byte"),
            LABEL_SETS * LABELS,
            Some(bounds.label_bytes),
        ),
    ]
}

fn the_rest() -> [Term; 5] {
    let edge = hashed(size_of::<(EdgeId, EdgeCounts)>()) * STEPS;
    let envoy = envoy_metrics::MetricBounds::default();
    // 128 bytes more are the place of a series among others.
    let sample = envoy.series_bytes + 128;
    [
        term(
            "an edge of the last hour",
            (edge, "edge"),
            CALLS,
            Some(MAX_EDGES + 1),
        ),
        term(
            "evidence with its examples",
            (4 * 1024, "rules of an edge"),
            CALLS,
            Some(MAX_EVIDENCE),
        ),
        term(
            "metrics that Envoys report about themselves",
            (sample, "sample"),
            envoy.samples,
            Some(envoy.samples),
        ),
        term(
            "the directory, with the version before it",
            (POD, "pod"),
            PODS,
            None,
        ),
        term(
            "a scrape: its snapshot, and a piece of text",
            (READER, "reader"),
            1,
            Some(connections::MAX_CONNECTIONS),
        ),
    ]
}
