//! The keys of series, and what a series counts.

use std::hash::{Hash, Hasher};

use als_proto::GrpcMessages;

use super::histogram::{BUCKET_COUNT, EDGE_BUCKET_COUNT, Histogram, bucket};
use super::ids::CallId;
use crate::analyze::measure::{HttpMeasure, TcpMeasure};
use crate::analyze::outcome::Outcome;
use crate::analyze::protocol::Protocol;

/// The identity of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesKey {
    /// The call: who called whom.
    pub call: CallId,
    /// How the call ended.
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

/// The counters of a kind of series, and how observations add to them.
pub trait Counts: Clone + Default + std::fmt::Debug {
    /// The measures of an entry.
    type Measure;
    /// The counters of one worker between two drains.
    type Delta: Default + std::fmt::Debug;

    /// How many samples one series is in the exposition.
    const SAMPLES_PER_SERIES: usize;

    /// The outcome of an entry with these measures.
    fn outcome(measure: &Self::Measure) -> Outcome;

    /// Counts an entry in a delta that is not full.
    fn count(delta: &mut Self::Delta, measure: &Self::Measure);

    /// Whether the delta has counted nothing.
    fn is_empty(delta: &Self::Delta) -> bool;

    /// Whether the delta can't count another entry.
    fn is_full(delta: &Self::Delta) -> bool;

    /// The counters of a delta.
    fn of(delta: &Self::Delta) -> Self;

    /// Adds the counts of another shard.
    fn merge(&mut self, other: &Self);
}

/// The counters of an HTTP or gRPC series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpCounts {
    /// How many requests were counted.
    pub requests: u64,
    /// The durations of the requests, in microseconds.
    pub duration: Histogram,
    /// The sizes of the requests, in bytes.
    pub request_bytes: Histogram,
    /// The sizes of the responses, in bytes.
    pub response_bytes: Histogram,
    /// How many requests in each bucket of durations are long-lived, see [`crate::analyze::long_lived`].
    pub long_lived: [u32; EDGE_BUCKET_COUNT],
    /// The messages of gRPC calls; none if the proxies do not log them.
    pub messages: GrpcMessages,
}

/// The counters of an HTTP or gRPC series of one worker between two drains. A large mesh has thousands of them, and most are in no
/// cache when an entry needs one. With counts of four bytes and aligned to a cache line, an entry touches four lines and not seven.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct HttpDelta {
    /// How many requests were counted. No bucket has more.
    requests: u32,
    duration: Histogram<u32>,
    request_bytes: Histogram<u32>,
    response_bytes: Histogram<u32>,
    /// Small, so that all counters fit in the same lines. They saturate far above what a second can bring; what is beyond counts as
    /// not long-lived.
    long_lived: [u16; EDGE_BUCKET_COUNT],
    messages: GrpcMessages,
}

impl HttpDelta {
    /// Adds the messages of a gRPC call that the delta has counted.
    pub fn add_messages(&mut self, messages: GrpcMessages) {
        add_messages(&mut self.messages, messages);
    }
}

impl Counts for HttpCounts {
    type Measure = HttpMeasure;
    type Delta = HttpDelta;

    /// Three counters, of which only gRPC has those of messages, and three histograms, each with a sum and a count.
    const SAMPLES_PER_SERIES: usize = 3 + 3 * (BUCKET_COUNT + 2);

    fn outcome(measure: &HttpMeasure) -> Outcome {
        Outcome {
            protocol: measure.protocol,
            code: measure.code,
            flags: measure.flags,
        }
    }

    #[inline]
    fn count(delta: &mut HttpDelta, measure: &HttpMeasure) {
        delta.requests += 1;
        delta.duration.add_microseconds(measure.microseconds);
        delta.request_bytes.add_bytes(measure.request_bytes);
        delta.response_bytes.add_bytes(measure.response_bytes);
        if measure.is_long_lived
            && let Some(long_lived) = delta
                .long_lived
                .get_mut(bucket(measure.microseconds).min(EDGE_BUCKET_COUNT - 1))
        {
            *long_lived = long_lived.saturating_add(1);
        }
    }

    fn is_empty(delta: &HttpDelta) -> bool {
        delta.requests == 0
    }

    fn is_full(delta: &HttpDelta) -> bool {
        delta.requests == u32::MAX
    }

    fn of(delta: &HttpDelta) -> Self {
        HttpCounts {
            requests: delta.requests.into(),
            duration: delta.duration.into(),
            request_bytes: delta.request_bytes.into(),
            response_bytes: delta.response_bytes.into(),
            long_lived: delta.long_lived.map(u32::from),
            messages: delta.messages,
        }
    }

    fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.duration.merge(&other.duration);
        self.request_bytes.merge(&other.request_bytes);
        self.response_bytes.merge(&other.response_bytes);
        for (count, more) in self.long_lived.iter_mut().zip(other.long_lived) {
            *count = count.saturating_add(more);
        }
        add_messages(&mut self.messages, other.messages);
    }
}

/// Adds messages. The sums stop at the largest number, because a counter never falls.
fn add_messages(sum: &mut GrpcMessages, more: GrpcMessages) {
    sum.requests = sum.requests.saturating_add(more.requests);
    sum.responses = sum.responses.saturating_add(more.responses);
}

/// The counters of a TCP series. An access log tells of a connection when it ends, so opened equals closed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TcpCounts {
    /// How many connections ended.
    pub connections: u64,
    /// Bytes that went to the callers.
    pub sent_bytes: u64,
    /// Bytes that came from the callers.
    pub received_bytes: u64,
}

impl Counts for TcpCounts {
    type Measure = TcpMeasure;
    type Delta = TcpCounts;

    const SAMPLES_PER_SERIES: usize = 4;

    fn outcome(measure: &TcpMeasure) -> Outcome {
        Outcome {
            protocol: Protocol::Tcp,
            code: 0,
            flags: measure.flags,
        }
    }

    fn count(delta: &mut TcpCounts, measure: &TcpMeasure) {
        delta.connections += 1;
        delta.sent_bytes = delta.sent_bytes.saturating_add(measure.sent_bytes);
        delta.received_bytes = delta.received_bytes.saturating_add(measure.received_bytes);
    }

    fn is_empty(delta: &TcpCounts) -> bool {
        delta.connections == 0
    }

    fn is_full(_: &TcpCounts) -> bool {
        false
    }

    fn of(delta: &TcpCounts) -> Self {
        delta.clone()
    }

    fn merge(&mut self, other: &Self) {
        self.connections += other.connections;
        self.sent_bytes = self.sent_bytes.saturating_add(other.sent_bytes);
        self.received_bytes = self.received_bytes.saturating_add(other.received_bytes);
    }
}

#[cfg(test)]
mod tests {
    use als_proto::ResponseFlags;

    use super::*;
    use crate::analyze::measure::ClampedFields;

    #[test]
    fn a_delta_is_full_before_it_overflows() {
        let of = |requests| HttpDelta {
            requests,
            ..HttpDelta::default()
        };
        let is_full = [0, 1, u32::MAX - 1, u32::MAX].map(|requests| HttpCounts::is_full(&of(requests)));
        assert_eq!(is_full, [false, false, false, true]);
    }

    // proves: measure/never-falls
    #[test]
    fn the_bytes_of_connections_never_fall() {
        let measure = TcpMeasure {
            flags: ResponseFlags::default(),
            received_bytes: u64::MAX - 1,
            sent_bytes: u64::MAX / 2 + 1,
            clamped: ClampedFields::default(),
        };
        let mut delta = TcpCounts::default();
        for _ in 0..2 {
            TcpCounts::count(&mut delta, &measure);
        }
        let mut merged = delta.clone();
        merged.merge(&delta);
        assert_eq!(
            [delta, merged].map(|counts| (counts.connections, counts.sent_bytes, counts.received_bytes)),
            [(2, u64::MAX, u64::MAX), (4, u64::MAX, u64::MAX)]
        );
    }

    // proves: measure/never-falls
    #[test]
    fn the_messages_of_calls_never_fall() {
        let mut counts = HttpCounts {
            messages: GrpcMessages {
                requests: u64::MAX - 1,
                responses: 3,
            },
            ..HttpCounts::default()
        };
        counts.merge(&counts.clone());
        let expected = GrpcMessages {
            requests: u64::MAX,
            responses: 6,
        };
        assert_eq!(counts.messages, expected);
    }

    #[test]
    fn a_delta_takes_four_lines_of_a_cache_and_a_quarter() {
        assert_eq!(size_of::<HttpDelta>(), 5 * 64);
    }
}
