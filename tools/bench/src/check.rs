//! Whether the work behind a figure was done: what the sender counted against what the receiver counted. Neither knows the
//! other's numbers.

use std::collections::BTreeSet;

use anyhow::{anyhow, ensure};

use crate::exposition::Exposition;
use crate::send::Sent;
use crate::sink::Counted;
use alscope_load::traffic::{FAMILIES, LabelSet, Tally};

/// The sink took every message, whole.
pub(crate) fn sink(sent: Sent, counted: Counted) -> anyhow::Result<()> {
    equal(
        "the sink",
        &[
            ("messages", counted.messages, sent.messages),
            ("bytes", counted.bytes, sent.bytes),
            ("messages rejected", counted.rejected, 0),
        ],
    )
}

/// The sink that decodes found every entry.
pub(crate) fn decoded(sent: Sent, counted: Counted) -> anyhow::Result<()> {
    sink(sent, counted)?;
    equal("the sink", &[("entries", counted.entries, sent.entries)])
}

/// The exporter of JSON lines wrote this share of the entries, and dropped none.
pub(crate) fn exported(sent: Sent, seen: &Exposition, share: f64) -> anyhow::Result<()> {
    equal("the exporter", &[("entries dropped", seen.dropped, 0)])?;
    // What is kept is drawn by lot, unless it is everything.
    let (expected, exported) = (sent.entries as f64 * share, seen.exported as f64);
    let allowed = if share < 1.0 { expected * 0.1 } else { 0.0 };
    ensure!(
        (exported - expected).abs() <= allowed,
        "{} of {} entries were written as JSON lines, so the figure does not count",
        seen.exported,
        sent.entries
    );
    Ok(())
}

/// The collector took every entry, found both parties of each, and counted each in the series that was meant.
pub(crate) fn collector(sent: Sent, seen: &Exposition, tally: &Tally) -> anyhow::Result<()> {
    let entries = sent.entries;
    equal(
        "the collector",
        &[
            ("entries received", seen.received, entries),
            (
                "entries observed, rejected and skipped",
                seen.observed + seen.rejected + seen.skipped,
                entries,
            ),
            ("entries observed", seen.observed, entries),
            ("entries attributed", seen.attributed, entries),
            ("messages rejected", seen.messages_rejected, 0),
            ("series", seen.series as u64, (tally.len() * FAMILIES) as u64),
        ],
    )?;
    same("requests", &seen.requests, tally)?;
    same("requests in the histogram of durations", &seen.durations, tally)
}

/// Every label set has as many as were sent for it.
fn same(what: &str, counted: &Tally, sent: &Tally) -> anyhow::Result<()> {
    let sets: BTreeSet<&LabelSet> = counted.keys().chain(sent.keys()).collect();
    let of = |tally: &Tally, set: &LabelSet| tally.get(set).copied().unwrap_or(0);
    let mut different = sets.into_iter().filter(|set| of(counted, set) != of(sent, set));
    if let Some(set) = different.next() {
        let LabelSet { caller, called, code } = set;
        let (counted, sent, others) = (of(counted, set), of(sent, set), different.count());
        return Err(not_counted(
            "the collector",
            &format!(
                "{what} from {caller} to {called} with code {code}: {counted} instead of {sent}, and {others} other label sets"
            ),
        ));
    }
    Ok(())
}

fn equal(receiver: &str, numbers: &[(&str, u64, u64)]) -> anyhow::Result<()> {
    let differences: Vec<String> = numbers
        .iter()
        .filter(|(_, counted, expected)| counted != expected)
        .map(|(what, counted, expected)| format!("{what}: {counted} instead of {expected}"))
        .collect();
    if differences.is_empty() {
        return Ok(());
    }
    Err(not_counted(receiver, &differences.join("; ")))
}

fn not_counted(receiver: &str, difference: &str) -> anyhow::Error {
    anyhow!("{receiver} did not count what was sent, so no figure counts: {difference}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: Sent = Sent {
        messages: 2,
        entries: 66,
        bytes: 33_000,
    };

    fn tally(of_200: u64, of_503: u64) -> Tally {
        let set = |code| LabelSet {
            caller: "web.demo".to_owned(),
            called: "reviews.demo".to_owned(),
            code,
        };
        [(set(200), of_200), (set(503), of_503)].into()
    }

    fn seen() -> Exposition {
        Exposition {
            received: 66,
            observed: 66,
            attributed: 66,
            rejected: 0,
            skipped: 0,
            messages_rejected: 0,
            requests: tally(60, 6),
            durations: tally(60, 6),
            series: 8,
            exported: 66,
            dropped: 0,
        }
    }

    fn error(seen: &Exposition) -> String {
        collector(SENT, seen, &tally(60, 6)).unwrap_err().to_string()
    }

    #[test]
    fn what_was_sent_and_counted_is_equal() {
        assert!(collector(SENT, &seen(), &tally(60, 6)).is_ok());
        let counted = Counted {
            messages: 2,
            bytes: 33_000,
            rejected: 0,
            entries: 66,
        };
        assert!(sink(SENT, counted).is_ok() && decoded(SENT, counted).is_ok());
        let fewer = Counted {
            entries: 65,
            ..counted
        };
        assert!(sink(SENT, fewer).is_ok() && decoded(SENT, fewer).is_err());
    }

    #[test]
    fn lines_that_are_missing_or_dropped_are_found() {
        let exports = |exported, dropped| Exposition {
            exported,
            dropped,
            ..seen()
        };
        assert!(exported(SENT, &exports(66, 0), 1.0).is_ok());
        assert!(exported(SENT, &exports(7, 0), 0.1).is_ok());
        assert!(exported(SENT, &exports(8, 0), 0.1).is_err());
        assert!(exported(SENT, &exports(64, 0), 1.0).is_err());
        assert!(exported(SENT, &exports(66, 1), 1.0).is_err());
    }

    #[test]
    fn every_difference_is_named_with_its_numbers() {
        let seen = Exposition {
            observed: 65,
            skipped: 1,
            series: 12,
            ..seen()
        };
        let error = error(&seen);
        assert!(
            error.ends_with(": entries observed: 65 instead of 66; series: 12 instead of 8"),
            "{error}"
        );
    }

    #[test]
    fn a_call_in_the_wrong_series_is_found_though_the_sums_are_right() {
        let requests = Exposition {
            requests: tally(59, 7),
            ..seen()
        };
        let durations = Exposition {
            durations: tally(61, 5),
            ..seen()
        };
        for (seen, expected) in [
            (
                requests,
                ": requests from web.demo to reviews.demo with code 200: 59 instead of 60, and 1 other label sets",
            ),
            (
                durations,
                ": requests in the histogram of durations from web.demo to reviews.demo with code 200: 61 instead of 60, and 1 \
                 other label sets",
            ),
        ] {
            let error = error(&seen);
            assert!(error.ends_with(expected), "{error}");
        }
    }

    #[test]
    fn a_lost_message_is_found() {
        let counted = Counted {
            messages: 1,
            bytes: 16_500,
            rejected: 0,
            entries: 0,
        };
        let error = sink(SENT, counted).unwrap_err().to_string();
        assert!(
            error.contains("messages: 1 instead of 2; bytes: 16500 instead of 33000"),
            "{error}"
        );
    }
}
