//! The collector's counters, read from its `/metrics`. With 20 000 series that is hundreds of megabytes, so it is read line by
//! line and nothing of it is kept.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;

const DEADLINE: Duration = Duration::from_secs(30);

/// What a collector says it has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Exposition {
    pub(crate) received: u64,
    pub(crate) observed: u64,
    pub(crate) attributed: u64,
    /// Over all reasons.
    pub(crate) rejected: u64,
    /// Over all reasons.
    pub(crate) skipped: u64,
    /// Over all reasons.
    pub(crate) messages_rejected: u64,
    /// `alscope_requests_total` over all label sets.
    pub(crate) requests: u64,
    /// Requests in the histogram of durations, over all label sets.
    pub(crate) durations: u64,
    /// Label sets of each family, added up.
    pub(crate) series: usize,
}

/// Scrapes a collector.
pub(crate) fn scrape(admin: SocketAddr) -> anyhow::Result<Exposition> {
    let url = format!("http://{admin}/metrics");
    // No proxy: this is a loopback address, whatever HTTP_PROXY says.
    let agent = ureq::Agent::config_builder()
        .proxy(None)
        .timeout_global(Some(DEADLINE))
        .build()
        .new_agent();
    let response = agent
        .get(&url)
        .call()
        .with_context(|| format!("{url} does not answer"))?;
    read(BufReader::new(response.into_body().into_reader())).with_context(|| format!("{url} broke off"))
}

fn read(mut text: impl BufRead) -> std::io::Result<Exposition> {
    let mut seen = Exposition::default();
    let mut line = String::new();
    while text.read_line(&mut line)? > 0 {
        if let Some((name, value)) = sample(&line) {
            seen.add(name, value);
        }
        line.clear();
    }
    Ok(seen)
}

/// A line's name, and its value if that is a whole number.
fn sample(line: &str) -> Option<(&str, u64)> {
    let name = line.get(..line.find(['{', ' '])?)?;
    let (_, value) = line.trim_end().rsplit_once(' ')?;
    Some((name, value.parse().ok()?))
}

impl Exposition {
    fn add(&mut self, name: &str, value: u64) {
        let (counter, is_series) = match name {
            "alscope_entries_received_total" => (&mut self.received, false),
            "alscope_entries_observed_total" => (&mut self.observed, false),
            "alscope_entries_attributed_total" => (&mut self.attributed, false),
            "alscope_entries_rejected_total" => (&mut self.rejected, false),
            "alscope_entries_skipped_total" => (&mut self.skipped, false),
            "alscope_messages_rejected_total" => (&mut self.messages_rejected, false),
            "alscope_requests_total" => (&mut self.requests, true),
            "alscope_request_duration_milliseconds_count" => (&mut self.durations, true),
            "alscope_request_bytes_count" | "alscope_response_bytes_count" => {
                self.series += 1;
                return;
            }
            _ => return,
        };
        *counter += value;
        self.series += usize::from(is_series);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"# HELP alscope_entries_received_total Entries.
# TYPE alscope_entries_received_total counter
alscope_entries_received_total 10
alscope_entries_observed_total 7
alscope_entries_attributed_total 6
alscope_entries_rejected_total{reason="a"} 1
alscope_entries_rejected_total{reason="b"} 1
alscope_entries_skipped_total{reason="c d"} 1
alscope_requests_total{source="a",code="200"} 3
alscope_requests_total{source="odd} 9 {",code="200"} 4
alscope_request_duration_milliseconds_bucket{source="a",le="0.5"} 3
alscope_request_duration_milliseconds_sum{source="a"} 1.500
alscope_request_duration_milliseconds_count{source="a"} 3
alscope_request_bytes_count{source="a"} 3
alscope_response_bytes_count{source="a"} 3
"#;

    #[test]
    fn counters_are_added_up_over_their_label_sets_and_series_are_counted() {
        let expected = Exposition {
            received: 10,
            observed: 7,
            attributed: 6,
            rejected: 2,
            skipped: 1,
            messages_rejected: 0,
            requests: 7,
            durations: 3,
            series: 5,
        };
        assert_eq!(read(TEXT.as_bytes()).unwrap(), expected);
    }
}
