//! Whether the work behind a figure was done: what the sender counted against what the receiver counted. Neither knows the
//! other's numbers.

use anyhow::bail;

use crate::exposition::Exposition;
use crate::load::Sent;
use crate::sink::Counted;

/// The sink took every message, whole.
pub(crate) fn sink(sent: Sent, counted: Counted) -> anyhow::Result<()> {
    equal(
        "the raw sink",
        &[
            ("messages", counted.messages, sent.messages),
            ("bytes", counted.bytes, sent.bytes),
            ("messages rejected", counted.rejected, 0),
        ],
    )
}

/// The collector took every entry, found both parties of each, and counted each in the series that were meant.
pub(crate) fn collector(sent: Sent, seen: &Exposition, series: usize) -> anyhow::Result<()> {
    let entries = sent.entries();
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
            ("requests in all series", seen.requests, entries),
            ("requests in all histograms of durations", seen.durations, entries),
            ("messages rejected", seen.messages_rejected, 0),
            ("series", seen.series as u64, series as u64),
        ],
    )
}

fn equal(receiver: &str, numbers: &[(&str, u64, u64)]) -> anyhow::Result<()> {
    let differences: Vec<String> = numbers
        .iter()
        .filter(|(_, counted, expected)| counted != expected)
        .map(|(what, counted, expected)| format!("{what}: {counted} instead of {expected}"))
        .collect();
    if !differences.is_empty() {
        bail!(
            "{receiver} did not count what was sent, so no figure counts: {}",
            differences.join("; ")
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: Sent = Sent {
        messages: 2,
        bytes: 33_000,
    };

    const SEEN: Exposition = Exposition {
        received: 66,
        observed: 66,
        attributed: 66,
        rejected: 0,
        skipped: 0,
        messages_rejected: 0,
        requests: 66,
        durations: 66,
        series: 100,
    };

    #[test]
    fn what_was_sent_and_counted_is_equal() {
        assert!(collector(SENT, &SEEN, 100).is_ok());
        let counted = Counted {
            messages: 2,
            bytes: 33_000,
            rejected: 0,
        };
        assert!(sink(SENT, counted).is_ok());
    }

    #[test]
    fn every_difference_is_named_with_its_numbers() {
        let seen = Exposition {
            observed: 65,
            skipped: 1,
            ..SEEN
        };
        let error = collector(SENT, &seen, 104).unwrap_err().to_string();
        assert!(
            error.ends_with(": entries observed: 65 instead of 66; series: 100 instead of 104"),
            "{error}"
        );
    }

    #[test]
    fn a_lost_message_is_found() {
        let counted = Counted {
            messages: 1,
            bytes: 16_500,
            rejected: 0,
        };
        let error = sink(SENT, counted).unwrap_err().to_string();
        assert!(
            error.contains("messages: 1 instead of 2; bytes: 16500 instead of 33000"),
            "{error}"
        );
    }
}
