//! `limits`: upper bounds for what clients send, and how long what they sent is kept.

use std::path::Path;
use std::time::Duration;

use crate::ConfigError;
use crate::error::Place;
use crate::field::{Field, TIME_REMEDY};
use crate::setting::{Setting, setting};

/// The shortest accepted `limits.idleSeries`. Idle series are looked for six times within it, and series
/// are drained once a second.
const MIN_IDLE_SERIES: Duration = Duration::from_secs(10);
/// The remedy for a time that is shorter than [`MIN_IDLE_SERIES`].
const IDLE_REMEDY: &str =
    "write a time with its unit, as in 30m, 90s or 500ms, at least 10s and at most 365 days";

/// Upper bounds that keep one client from using up the collector's memory. None of them can be zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one gRPC message, after decompression.
    pub message_bytes: usize,
    /// Entries in one message. Further entries are counted as rejected.
    pub entries_per_message: usize,
    /// Bytes of one string in an entry.
    pub string_bytes: usize,
    /// Connections of all clients together. One address may have a quarter of them.
    pub connections: usize,
    /// Open streams of one connection.
    pub streams_per_connection: usize,
    /// Open streams of all connections from one address, and the number of connections
    /// that one address may have.
    pub streams_per_peer: usize,
    /// Samples of all series in the exposition. Beyond it, all further series of a metric share one series.
    pub samples: usize,
    /// Hosts outside the mesh that are told apart if only their callers name them.
    pub outside_hosts: usize,
    /// The time without a call after which a series is removed.
    pub idle_series: Duration,
    /// Bytes of unfinished messages on all streams, counted as they come in. Beyond it streams wait, and
    /// a stalled message is dropped.
    pub buffered_bytes: usize,
    /// The age, give or take a tenth, at which the collector asks a proxy to connect anew.
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

/// The keys of the block `limits`, in the order of docs/configuration.md.
pub(crate) const SETTINGS: &[Setting] = &[
    setting(
        "limits.messageBytes",
        Field::Number(|config| &mut config.limits.message_bytes),
        "Bytes of one gRPC message. It may be at most `limits.bufferedBytes`.",
    ),
    setting(
        "limits.entriesPerMessage",
        Field::Number(|config| &mut config.limits.entries_per_message),
        "Entries in one message.",
    ),
    setting(
        "limits.stringBytes",
        Field::Number(|config| &mut config.limits.string_bytes),
        "Bytes of one string in an entry.",
    ),
    setting(
        "limits.connections",
        Field::Number(|config| &mut config.limits.connections),
        "Connections of all clients together. The default is enough for 8192 proxies: an Envoy has one connection for each of its threads, and Istio gives it two threads. One address may have a quarter of the connections. If the process may not open as many files, the collector serves fewer and logs a warning.",
    ),
    setting(
        "limits.streamsPerConnection",
        Field::Number(|config| &mut config.limits.streams_per_connection),
        "Open streams of one connection.",
    ),
    setting(
        "limits.streamsPerPeer",
        Field::Number(|config| &mut config.limits.streams_per_peer),
        "Open streams of all connections from one address, and the number of connections that one address may have.",
    ),
    setting(
        "limits.samples",
        Field::Number(|config| &mut config.limits.samples),
        "Samples of all series in `/metrics`. The default is enough for some 720 edges of HTTP: one set of labels is up to 69 samples, and an edge with a proxy at both ends and five outcomes is ten sets. Beyond it, all further series of a metric share one series until others have been idle for `limits.idleSeries`.",
    ),
    setting(
        "limits.idleSeries",
        Field::Time(
            |config| &mut config.limits.idle_series,
            MIN_IDLE_SERIES,
            IDLE_REMEDY,
        ),
        "The time without a call after which a series is removed, together with its edge, its evidence and its strings. The removal may come up to a sixth of that time later.",
    ),
    setting(
        "limits.outsideHosts",
        Field::Number(|config| &mut config.limits.outside_hosts),
        "How many hosts outside the mesh are told apart if no `ServiceEntry` names them. All further ones are shown as one host, `other`.",
    ),
    setting(
        "limits.bufferedBytes",
        Field::Number(|config| &mut config.limits.buffered_bytes),
        "Bytes of unfinished messages on all streams, counted as they come in. One connection may hold a sixteenth of it and one address a quarter. Beyond it streams wait, and a stalled message is dropped so that they can go on.",
    ),
    setting(
        "limits.connectionAge",
        Field::Time(
            |config| &mut config.limits.connection_age,
            Duration::from_millis(1),
            TIME_REMEDY,
        ),
        "The age, give or take a tenth, at which the collector asks a proxy to connect anew, so that every replica gets its share of the proxies. Nothing is lost.",
    ),
];

impl Limits {
    /// Refuses a `messageBytes` above `bufferedBytes`, because the largest message could never be buffered.
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
