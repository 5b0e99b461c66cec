//! What a series is keyed by, and what it counts.

use std::hash::{Hash, Hasher};

use als_proto::ResponseFlags;

use super::histogram::{BUCKETS, Histogram};
use super::registry::CallId;
use crate::analyze::measure::{HttpMeasure, TcpMeasure};
use crate::analyze::protocol::Protocol;

/// The part of a series' labels that says what came of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// HTTP, gRPC with its status, or TCP.
    pub protocol: Protocol,
    /// The response code; 0 for TCP.
    pub code: u32,
    /// Envoy's response flags.
    pub flags: ResponseFlags,
}

/// The identity of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesKey {
    /// Who called whom.
    pub call: CallId,
    /// What came of it.
    pub outcome: Outcome,
}

/// Two numbers are hashed faster than five parts.
impl Hash for SeriesKey {
    #[inline]
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let Outcome {
            protocol,
            code,
            flags,
        } = self.outcome;
        hasher.write_u64(u64::from(self.call.number()) << 32 | u64::from(code));
        hasher.write_u64(flags.bits() << 16 | u64::from(protocol.number()));
    }
}

/// What one observation adds to a series.
pub trait Counts: Clone + Default + std::fmt::Debug {
    /// The measured entry.
    type Measure;

    /// Samples that one series is in the exposition.
    const SAMPLES: usize;

    /// The outcome of a measured entry.
    fn outcome(measure: &Self::Measure) -> Outcome;

    /// Counts a measured entry.
    fn add(&mut self, measure: &Self::Measure);

    /// Adds what another shard counted.
    fn merge(&mut self, other: &Self);
}

/// The counters of an HTTP or gRPC series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpCounts {
    /// Requests.
    pub requests: u64,
    /// Request durations, in microseconds.
    pub duration: Histogram,
    /// Request sizes.
    pub request_bytes: Histogram,
    /// Response sizes.
    pub response_bytes: Histogram,
}

impl Counts for HttpCounts {
    type Measure = HttpMeasure;

    /// One counter and three histograms, each with a sum and a count.
    const SAMPLES: usize = 1 + 3 * (BUCKETS + 2);

    fn outcome(measure: &HttpMeasure) -> Outcome {
        Outcome {
            protocol: measure.protocol,
            code: measure.code,
            flags: measure.flags,
        }
    }

    #[inline]
    fn add(&mut self, measure: &HttpMeasure) {
        self.requests += 1;
        self.duration.add_microseconds(measure.microseconds);
        self.request_bytes.add_bytes(measure.request_bytes);
        self.response_bytes.add_bytes(measure.response_bytes);
    }

    fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.duration.merge(&other.duration);
        self.request_bytes.merge(&other.request_bytes);
        self.response_bytes.merge(&other.response_bytes);
    }
}

/// The counters of a TCP series. An access log tells of a connection when it ends, so opened equals closed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TcpCounts {
    /// Connections that ended.
    pub connections: u64,
    /// Bytes to the callers.
    pub sent_bytes: u64,
    /// Bytes from the callers.
    pub received_bytes: u64,
}

impl Counts for TcpCounts {
    type Measure = TcpMeasure;

    const SAMPLES: usize = 4;

    fn outcome(measure: &TcpMeasure) -> Outcome {
        Outcome {
            protocol: Protocol::Tcp,
            code: 0,
            flags: measure.flags,
        }
    }

    fn add(&mut self, measure: &TcpMeasure) {
        self.connections += 1;
        self.sent_bytes = self.sent_bytes.wrapping_add(measure.sent_bytes);
        self.received_bytes = self.received_bytes.wrapping_add(measure.received_bytes);
    }

    fn merge(&mut self, other: &Self) {
        self.connections += other.connections;
        self.sent_bytes = self.sent_bytes.wrapping_add(other.sent_bytes);
        self.received_bytes = self.received_bytes.wrapping_add(other.received_bytes);
    }
}
