//! Reads how long a request took.
//!
//! A proxy's clock may say anything. A negative duration counts as zero, one of more than [`MAX_MICROSECONDS`] as that.

use als_proto::{CommonProperties, Duration, Malformed};

/// The longest accepted duration: 366 days. Envoy has no request that outlives its connection by default (`idle_timeout`, one
/// hour), and no proxy lives so long. A single larger value would outweigh the traffic of years in a sum.
pub const MAX_MICROSECONDS: u64 = 366 * 24 * 3600 * 1_000_000;

/// The duration of a request in microseconds: `duration` (Envoy 1.25 and later), else `time_to_last_downstream_tx_byte`, else 0. It
/// is never rounded up and never cut to whole milliseconds.
pub fn microseconds(common: &CommonProperties<'_>) -> Result<u64, Malformed> {
    Ok(clamp_microseconds(signed_microseconds(common)?))
}

/// The duration of a request in microseconds as the proxy wrote it, which may be negative.
#[inline]
pub(super) fn signed_microseconds(common: &CommonProperties<'_>) -> Result<i64, Malformed> {
    if let Some(duration) = common.duration()? {
        return Ok(signed_microseconds_of(duration));
    }
    Ok(common
        .time_to_last_downstream_tx_byte()?
        .map_or(0, signed_microseconds_of))
}

/// A duration in microseconds within the accepted range.
pub(super) fn clamp_microseconds(microseconds: i64) -> u64 {
    u64::try_from(microseconds).unwrap_or(0).min(MAX_MICROSECONDS)
}

/// The parts of a request's duration, in microseconds. They add up to the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatencyParts {
    /// From the request's first byte until the proxy began to send it on.
    pub request: u64,
    /// From there until the upstream began to answer.
    pub upstream: u64,
    /// From there until the caller had all of the response.
    pub response: u64,
}

/// The parts by `time_to_first_upstream_tx_byte` and `time_to_first_upstream_rx_byte`; `None` when the upstream did not answer. A
/// part that would be negative is 0.
pub fn parts(common: &CommonProperties<'_>) -> Result<Option<LatencyParts>, Malformed> {
    let sent = common.time_to_first_upstream_tx_byte()?.map(microseconds_of);
    let answered = common.time_to_first_upstream_rx_byte()?.map(microseconds_of);
    let (Some(sent), Some(answered)) = (sent, answered) else {
        return Ok(None);
    };
    let whole = microseconds(common)?;
    let answered = answered.min(whole);
    let sent = sent.min(answered);
    Ok(Some(LatencyParts {
        request: sent,
        upstream: answered - sent,
        response: whole - answered,
    }))
}

fn microseconds_of(duration: Duration) -> u64 {
    clamp_microseconds(signed_microseconds_of(duration))
}

fn signed_microseconds_of(duration: Duration) -> i64 {
    duration
        .seconds
        .saturating_mul(1_000_000)
        .saturating_add(i64::from(duration.nanos) / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    // proves: latency/above-a-second, latency/exact
    #[test]
    fn seconds_count_in_full_and_microseconds_are_kept() {
        assert_eq!(
            microseconds_of(Duration {
                seconds: 2,
                nanos: 345_678_900
            }),
            2_345_678
        );
        assert_eq!(
            microseconds_of(Duration {
                seconds: 0,
                nanos: 999
            }),
            0
        );
        assert_eq!(
            microseconds_of(Duration {
                seconds: -1,
                nanos: 0
            }),
            0
        );
        assert_eq!(
            microseconds_of(Duration {
                seconds: i64::MAX,
                nanos: 0
            }),
            MAX_MICROSECONDS
        );
    }
}
