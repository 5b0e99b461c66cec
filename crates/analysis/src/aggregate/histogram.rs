//! Histograms with Istio's buckets, in integers, so that they are exact.

use std::ops::AddAssign;

/// How many buckets have a finite bound.
pub const FINITE_BUCKETS: usize = 19;
/// How many buckets there are, with the last, unbounded one.
pub const BUCKET_COUNT: usize = FINITE_BUCKETS + 1;
/// How many buckets the durations of an edge have: Istio's up to a minute, and one for the rest.
pub const EDGE_BUCKET_COUNT: usize = 16;

/// The upper bounds of the buckets as Prometheus shows them, in milliseconds or bytes (Envoy's default buckets, which Istio keeps).
pub const BUCKET_BOUNDS: [&str; BUCKET_COUNT] = [
    "0.5", "1", "5", "10", "25", "50", "100", "250", "500", "1000", "2500", "5000", "10000", "30000",
    "60000", "300000", "600000", "1800000", "3600000", "+Inf",
];

/// The upper bounds in thousandths of the unit: microseconds of a duration in milliseconds, thousandths of a byte.
pub const BUCKET_BOUNDS_THOUSANDTHS: [u64; FINITE_BUCKETS] = [
    500,
    1_000,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    300_000_000,
    600_000_000,
    1_800_000_000,
    3_600_000_000,
];

/// The bucket of a value in thousandths of its unit.
#[inline]
pub fn bucket(thousandths: u64) -> usize {
    BUCKET_BOUNDS_THOUSANDTHS.partition_point(|edge| *edge < thousandths)
}

/// Counts by bucket, and the sum of the values. Durations are in microseconds, sizes in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Histogram<Count = u64> {
    /// The sum of the values. It saturates, because a counter never falls. It stands before the buckets, so that it shares a cache
    /// line with the first ones.
    pub sum: u64,
    /// How many values fell into each bucket (not cumulative).
    pub buckets: [Count; BUCKET_COUNT],
}

impl<Count: AddAssign + From<bool>> Histogram<Count> {
    /// Adds a duration in microseconds.
    #[inline]
    pub fn add_microseconds(&mut self, microseconds: u64) {
        self.add(microseconds, microseconds);
    }

    /// Adds a size in bytes.
    #[inline]
    pub fn add_bytes(&mut self, bytes: u64) {
        self.add(bytes.saturating_mul(1000), bytes);
    }

    #[inline]
    fn add(&mut self, thousandths: u64, value: u64) {
        let bucket = bucket(thousandths);
        if let Some(count) = self.buckets.get_mut(bucket) {
            *count += true.into();
        }
        self.sum = self.sum.saturating_add(value);
    }
}

impl Histogram {
    /// Adds all values of `other`.
    pub fn merge(&mut self, other: &Histogram) {
        for (count, more) in self.buckets.iter_mut().zip(other.buckets) {
            *count += more;
        }
        self.sum = self.sum.saturating_add(other.sum);
    }

    /// How many values it has.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

impl From<Histogram<u32>> for Histogram {
    fn from(small: Histogram<u32>) -> Self {
        Histogram {
            sum: small.sum,
            buckets: small.buckets.map(u64::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn bucket_of(microseconds: u64) -> &'static str {
        let mut histogram = Histogram::<u64>::default();
        histogram.add_microseconds(microseconds);
        BUCKET_BOUNDS[histogram.buckets.iter().position(|count| *count == 1).unwrap()]
    }

    #[rstest]
    #[case(0, "0.5")]
    // proves: measure/buckets
    #[case(500, "0.5")]
    // proves: measure/buckets
    #[case(501, "1")]
    #[case(1_000, "1")]
    #[case(1_001, "5")]
    #[case(3_600_000_000, "3600000")]
    // proves: measure/buckets
    #[case(3_600_000_001, "+Inf")]
    fn a_bound_belongs_to_its_bucket(#[case] microseconds: u64, #[case] expected: &str) {
        assert_eq!(bucket_of(microseconds), expected);
    }

    #[test]
    fn the_bounds_in_text_and_in_numbers_are_the_same() {
        for (text, thousandths) in BUCKET_BOUNDS.iter().zip(BUCKET_BOUNDS_THOUSANDTHS) {
            assert_eq!(text.parse::<f64>().unwrap() * 1000.0, thousandths as f64);
        }
    }

    // proves: measure/never-falls
    #[test]
    fn a_sum_never_falls() {
        let mut histogram = Histogram::<u64>::default();
        let mut before = 0;
        for value in [5, u64::MAX - 7, 1, 1, u64::MAX] {
            histogram.add_bytes(value);
            assert!(histogram.sum >= before, "{} after {before}", histogram.sum);
            before = histogram.sum;
        }
        let mut merged = histogram;
        merged.merge(&histogram);
        assert_eq!((merged.sum, merged.count()), (u64::MAX, 10));
    }

    proptest! {
        #[test]
        fn merging_is_adding(values in prop::collection::vec(0_u64..10_000_000_000, 0..50), cut in 0_usize..50) {
            let cut = cut.min(values.len());
            let of = |values: &[u64]| {
                let mut histogram = Histogram::default();
                for value in values {
                    histogram.add_bytes(*value);
                }
                histogram
            };
            let mut merged = of(&values[..cut]);
            merged.merge(&of(&values[cut..]));
            prop_assert_eq!(merged, of(&values));
            prop_assert_eq!(merged.count(), values.len() as u64);
            prop_assert_eq!(merged.sum, values.iter().sum::<u64>());
        }
    }
}
