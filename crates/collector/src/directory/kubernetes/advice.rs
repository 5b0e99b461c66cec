//! What to do about a list or a watch that failed.

use alscope_watch::WatchFailure;

/// Returns what a reader of the log can do about a failure, as the second half of a sentence.
pub(super) fn advice(failure: &WatchFailure) -> &'static str {
    match failure {
        WatchFailure::Refused(_) => "give the collector's service account this right",
        WatchFailure::Absent(_) => "check that directory.kubernetes leads to the right one",
        WatchFailure::Expired(_) => "all objects are listed anew",
        WatchFailure::Unauthorized(_) => "renew them",
        WatchFailure::Answered(..) => "look at its log",
        WatchFailure::Unreachable(_) => "look at its address, the network and the credentials",
        WatchFailure::Silent(_) => "check whether it hangs",
        WatchFailure::Ended(_) => "check the proxies between it and the collector",
        WatchFailure::Unreadable => "check that directory.kubernetes leads to one",
    }
}
