//! How long a request took.

use als_proto::{CommonProperties, Duration, Malformed};

/// The whole request in microseconds: `duration` (Envoy 1.25 and later), else `time_to_last_downstream_tx_byte`; 0 when the
/// proxy logged neither. Never rounded up, never cut to whole milliseconds.
pub fn microseconds(common: &CommonProperties<'_>) -> Result<u64, Malformed> {
    if let Some(duration) = common.duration()? {
        return Ok(of(duration));
    }
    Ok(common.time_to_last_downstream_tx_byte()?.map_or(0, of))
}

/// A negative duration is none.
fn of(duration: Duration) -> u64 {
    let microseconds = duration
        .seconds
        .saturating_mul(1_000_000)
        .saturating_add(i64::from(duration.nanos) / 1000);
    u64::try_from(microseconds).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_count_in_full_and_microseconds_are_kept() {
        assert_eq!(
            of(Duration {
                seconds: 2,
                nanos: 345_678_900
            }),
            2_345_678
        );
        assert_eq!(
            of(Duration {
                seconds: 0,
                nanos: 999
            }),
            0
        );
        assert_eq!(
            of(Duration {
                seconds: -1,
                nanos: 0
            }),
            0
        );
        assert_eq!(
            of(Duration {
                seconds: i64::MAX,
                nanos: 0
            }),
            9_223_372_036_854_775_807
        );
    }
}
