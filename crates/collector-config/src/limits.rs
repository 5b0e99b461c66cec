//! `limits`: what a client may send at most, and how long what it sent is kept.

use std::path::Path;
use std::time::Duration;

use crate::ConfigError;
use crate::error::Place;
use crate::field::{Field, TIME_REMEDY};
use crate::setting::{Setting, setting};

/// What is idle is looked for six times in that time, and a drain of all that was counted is due each second.
const MIN_IDLE_SERIES: Duration = Duration::from_secs(10);
/// What to write for a time that is not shorter than [`MIN_IDLE_SERIES`].
const IDLE_REMEDY: &str =
    "write a time with its unit, as in 30m, 90s or 500ms, at least 10s and at most 365 days";

/// Bounds that keep one client from taking the collector's memory; none can be zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one gRPC message.
    pub message_bytes: usize,
    /// Entries of one message.
    pub entries_per_message: usize,
    /// Bytes of one string of an entry.
    pub string_bytes: usize,
    /// Connections of all clients together; one address may have a quarter of them.
    pub connections: usize,
    /// Streams that one connection holds open.
    pub streams_per_connection: usize,
    /// Streams that all the connections of one address hold open, and how many connections it may have.
    pub streams_per_peer: usize,
    /// Samples of all series in the exposition; further series are counted as one of each metric.
    pub samples: usize,
    /// Hosts outside the mesh that only their callers name and that are told apart.
    pub outside_hosts: usize,
    /// After how long without a call a series goes.
    pub idle_series: Duration,
    /// Bytes of unfinished messages over all the streams, as they came in; beyond it streams wait, and a message that stalls gives way.
    pub buffered_bytes: usize,
    /// How old a connection becomes, give or take a tenth, before it is asked to come again.
    pub connection_age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 1 << 20,
            entries_per_message: 65_536,
            string_bytes: 4096,
            connections: 16_384,
            streams_per_connection: 128,
            streams_per_peer: 1024,
            samples: 500_000,
            outside_hosts: 200,
            idle_series: Duration::from_hours(1),
            buffered_bytes: 64 << 20,
            connection_age: Duration::from_mins(30),
        }
    }
}

/// The keys of the block `limits`.
pub(crate) const SETTINGS: &[Setting] = &[
    setting(
        "limits.messageBytes",
        Field::Number(|config| &mut config.limits.message_bytes),
        "Bytes of one gRPC message. At most `limits.bufferedBytes`.",
    ),
    setting(
        "limits.entriesPerMessage",
        Field::Number(|config| &mut config.limits.entries_per_message),
        "Entries of one message.",
    ),
    setting(
        "limits.stringBytes",
        Field::Number(|config| &mut config.limits.string_bytes),
        "Bytes of one string of an entry.",
    ),
    setting(
        "limits.connections",
        Field::Number(|config| &mut config.limits.connections),
        "Connections of all clients together: the default is two of each of 8192 proxies, because an Envoy has one for each of its threads and Istio gives it two. One address may have a quarter of them. Fewer are served if the process may not open as many files.",
    ),
    setting(
        "limits.streamsPerConnection",
        Field::Number(|config| &mut config.limits.streams_per_connection),
        "Streams that one connection holds open.",
    ),
    setting(
        "limits.streamsPerPeer",
        Field::Number(|config| &mut config.limits.streams_per_peer),
        "Streams that all the connections of one address hold open, and how many connections it may have.",
    ),
    setting(
        "limits.samples",
        Field::Number(|config| &mut config.limits.samples),
        "Samples of all series in `/metrics`: some 750 edges of HTTP by default. One set of labels is 67 samples, and an edge with a proxy at both ends and five outcomes is ten sets. Further series are one series of each metric together, until others were idle for `limits.idleSeries`.",
    ),
    setting(
        "limits.idleSeries",
        Field::Time(
            |config| &mut config.limits.idle_series,
            MIN_IDLE_SERIES,
            IDLE_REMEDY,
        ),
        "After how long without a call a series goes, and with it its edge, its evidence and its strings; it goes at most a sixth of that later.",
    ),
    setting(
        "limits.outsideHosts",
        Field::Number(|config| &mut config.limits.outside_hosts),
        "Hosts outside the mesh that no `ServiceEntry` has and that are told apart, of those that callers name; the rest is one host `other`.",
    ),
    setting(
        "limits.bufferedBytes",
        Field::Number(|config| &mut config.limits.buffered_bytes),
        "Bytes of unfinished messages over all the streams, as they came in. One connection may hold a sixteenth of it and one address a quarter. Beyond it streams wait, and a message that stalls gives way to them.",
    ),
    setting(
        "limits.connectionAge",
        Field::Time(
            |config| &mut config.limits.connection_age,
            Duration::from_millis(1),
            TIME_REMEDY,
        ),
        "How old a connection of a proxy becomes, give or take a tenth, before it is asked, without loss, to come again: so all replicas get their share.",
    ),
];

impl Limits {
    /// Refuses a message that is allowed but could never be buffered.
    pub(crate) fn check(&self, origin: &Path) -> Result<(), ConfigError> {
        if self.message_bytes > self.buffered_bytes {
            return Err(ConfigError::MessageOverBuffer {
                place: Place::File(origin.to_owned()),
                message_bytes: self.message_bytes,
                buffered_bytes: self.buffered_bytes,
            });
        }
        Ok(())
    }
}
