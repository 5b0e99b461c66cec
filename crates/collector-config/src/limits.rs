//! What a client may send at most, and how long what it sent is kept.

use std::time::Duration;

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
