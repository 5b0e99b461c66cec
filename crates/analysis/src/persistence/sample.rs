//! Samples the entries with which nothing is wrong. A hash decides, so that all proxies of one request keep it or none does, even
//! if they send to different replicas of one version.
//!
//! | what is hashed | when |
//! |---|---|
//! | the request id without its 15th character | the proxy logged one; Envoy writes into that character whether the request is traced, and each proxy decides that anew |
//! | the stream's id, the proxy's address and the start | otherwise; then each proxy's entry counts by itself |

use std::hash::{BuildHasher as _, Hash as _, Hasher as _};

use foldhash::quality::FixedState;

use super::kept_entry::{MeasuredCall, ObservedEntry};

/// The index of the character in a request id in which Envoy stores the trace decision (`UUIDRequestIDExtension`).
const TRACE_DECISION_INDEX: usize = 14;

/// A share of all entries, from none to all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Hashes below it belong to the share; 2^64 for all.
    end: u128,
}

impl Share {
    /// The share of no entry.
    pub const NONE: Share = Share { end: 0 };

    /// A share from 0 to 1. Values outside are clamped.
    #[expect(clippy::cast_sign_loss, reason = "the share is not negative")]
    pub fn new(share: f64) -> Self {
        Share {
            end: (share.clamp(0.0, 1.0) * 2.0_f64.powi(64)) as u128,
        }
    }

    /// Whether no entry belongs to it.
    pub fn is_none(self) -> bool {
        self == Share::NONE
    }

    /// Whether an entry with this hash belongs to it.
    pub fn takes(self, hash: u64) -> bool {
        u128::from(hash) < self.end
    }
}

/// The hash that decides whether an entry belongs to a share.
pub fn hash(observed: &ObservedEntry<'_, '_>) -> u64 {
    // The hash has no seed, so that replicas agree on a request. No table uses it.
    let mut hasher = FixedState::default().build_hasher();
    let request_id = match observed.subject {
        MeasuredCall::Request { request, .. } => request.request_id,
        MeasuredCall::Connection { .. } => b"",
    };
    if !request_id.is_empty() {
        let (head, rest) = request_id
            .split_at_checked(TRACE_DECISION_INDEX)
            .unwrap_or((request_id, b""));
        hasher.write(head);
        hasher.write(rest.get(1..).unwrap_or_default());
        return hasher.finish();
    }
    hasher.write(observed.common.stream_id);
    observed.node.own_address.hash(&mut hasher);
    observed.start().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    // proves: persistence/share
    #[case::nothing(0.0, 0, false)]
    #[case::below(0.5, u64::MAX / 2, true)]
    // proves: persistence/share
    #[case::above(0.5, u64::MAX / 2 + 1, false)]
    // proves: persistence/share
    #[case::all(1.0, u64::MAX, true)]
    #[case::more_than_all(7.0, u64::MAX, true)]
    #[case::less_than_nothing(-1.0, 0, false)]
    fn a_share_is_a_part_of_the_hashes(#[case] share: f64, #[case] hash: u64, #[case] expected: bool) {
        assert_eq!(Share::new(share).takes(hash), expected);
    }

    proptest! {
        #[test]
        fn a_larger_share_takes_what_a_smaller_one_takes(one in 0.0..=1.0, other in 0.0..=1.0, hash: u64) {
            let (small, large) = if one < other { (one, other) } else { (other, one) };
            prop_assert!(!Share::new(small).takes(hash) || Share::new(large).takes(hash));
        }
    }
}
