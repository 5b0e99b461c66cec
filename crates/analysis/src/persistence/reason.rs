//! Decides why an entry is kept. The first rule that holds gives the reason:
//!
//! | reason | which entries | source |
//! |---|---|---|
//! | `error` | failed calls and client errors, as [`crate::analyze::outcome`] has them | `SkyWalking`'s rule `envoy-als`: from 400 on; it takes 0 for a success and reads no gRPC status |
//! | `flag` | any response flag | `SkyWalking`'s rules `envoy-als` and `envoy-als-tcp` |
//! | `slow` | requests that took at least so long; a connection that was open for long is not slow, be it TCP or an upgraded one | |
//! | `sampled` | a share of all the others, see [`super::sample`] | |

use std::time::Duration;

use super::kept_entry::{MeasuredCall, ObservedEntry};
use super::sample::{Share, hash};
use crate::accounting::KeepReason;
use crate::analyze::outcome::Verdict;

/// The rules by which entries are kept.
#[derive(Clone, Copy, Debug)]
pub struct SamplingRules {
    /// Whether entries of requests are kept at all.
    pub requests: bool,
    /// Whether entries of TCP connections are kept at all.
    pub connections: bool,
    /// Whether entries of failed calls and of client errors are kept, and those with a response flag.
    pub errors: bool,
    /// The duration from which on a request counts as slow; `None` for never.
    pub slow: Option<Duration>,
    /// The share of all other entries that is kept.
    pub sampled: Share,
}

/// The reason why an entry is kept; `None` when it is not.
#[inline]
pub fn reason(rules: &SamplingRules, observed: &ObservedEntry<'_, '_>) -> Option<KeepReason> {
    let is_asked = match observed.subject {
        MeasuredCall::Request { .. } => rules.requests,
        MeasuredCall::Connection { .. } => rules.connections,
    };
    if !is_asked {
        return None;
    }
    if rules.errors && matches!(observed.verdict(), Verdict::Failed | Verdict::ClientError) {
        return Some(KeepReason::Error);
    }
    if rules.errors && !observed.common.response_flags.is_empty() {
        return Some(KeepReason::Flag);
    }
    if let (Some(slow), MeasuredCall::Request { measure, .. }) = (rules.slow, observed.subject)
        && !measure.is_long_lived
        && Duration::from_micros(measure.microseconds) >= slow
    {
        return Some(KeepReason::Slow);
    }
    (!rules.sampled.is_none() && rules.sampled.takes(hash(observed))).then_some(KeepReason::Sampled)
}
