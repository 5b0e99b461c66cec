//! The collector's counters, read from its `/metrics`. With 20 000 series that is hundreds of megabytes, so it is read line by
//! line.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::time::Duration;

use alscope_collector::clock;
use anyhow::Context as _;

use alscope_load::traffic::{LabelSet, Tally};

const DEADLINE: Duration = Duration::from_secs(30);

/// What a collector says it has counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// `alscope_requests_total` by label set.
    pub(crate) requests: Tally,
    /// Requests in the histogram of durations, by label set.
    pub(crate) durations: Tally,
    /// Label sets of each family, added up.
    pub(crate) series: usize,
    /// Kept entries that an exporter wrote.
    pub(crate) exported: u64,
    /// Kept entries that an exporter did not write, over all reasons.
    pub(crate) dropped: u64,
}

/// Scrapes a collector.
pub(crate) fn scrape(admin: SocketAddr) -> anyhow::Result<Exposition> {
    read(BufReader::new(exposition(admin)?)).with_context(|| format!("the metrics of {admin} broke off"))
}

/// Scrapes a collector to the last byte and answers how long that took.
pub(crate) fn time_scrape(admin: SocketAddr) -> anyhow::Result<Duration> {
    let begin = clock::now();
    std::io::copy(&mut exposition(admin)?, &mut std::io::sink())?;
    Ok(clock::now().since(begin))
}

fn exposition(admin: SocketAddr) -> anyhow::Result<impl Read> {
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
    Ok(response.into_body().into_reader())
}

fn read(mut text: impl BufRead) -> std::io::Result<Exposition> {
    let mut seen = Exposition::default();
    let mut line = String::new();
    while text.read_line(&mut line)? > 0 {
        if let Some((name, value)) = sample(&line) {
            seen.add(name, &line, value);
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

/// What tells a line's label set from those of other calls.
fn label_set(line: &str) -> Option<LabelSet> {
    let label = |name: &str| {
        let (_, value) = line.split_once(&format!("{name}=\""))?;
        value.split('"').next()
    };
    let party = |end: &str| {
        let workload = label(&format!("{end}_workload"))?;
        let namespace = label(&format!("{end}_workload_namespace"))?;
        Some(format!("{workload}.{namespace}"))
    };
    Some(LabelSet {
        caller: party("source")?,
        called: party("destination")?,
        code: label("response_code")?.parse().ok()?,
    })
}

impl Exposition {
    fn add(&mut self, name: &str, line: &str, value: u64) {
        // One without these labels is no series of the load: it is missing in the tally.
        let count = |tally: &mut Tally| {
            if let Some(label_set) = label_set(line) {
                *tally.entry(label_set).or_default() += value;
            }
        };
        match name {
            "alscope_entries_received_total" => self.received += value,
            "alscope_entries_observed_total" => self.observed += value,
            "alscope_entries_attributed_total" => self.attributed += value,
            "alscope_entries_rejected_total" => self.rejected += value,
            "alscope_entries_skipped_total" => self.skipped += value,
            "alscope_messages_rejected_total" => self.messages_rejected += value,
            "alscope_exporter_entries_exported_total" => self.exported += value,
            "alscope_exporter_entries_dropped_total" => self.dropped += value,
            "alscope_requests_total" => {
                self.series += 1;
                count(&mut self.requests);
            }
            "alscope_request_duration_milliseconds_count" => {
                self.series += 1;
                count(&mut self.durations);
            }
            "alscope_request_bytes_count" | "alscope_response_bytes_count" => self.series += 1,
            _ => {}
        }
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
alscope_exporter_entries_exported_total{exporter="json-lines"} 5
alscope_exporter_entries_dropped_total{exporter="json-lines",reason="full"} 2
alscope_requests_total{reporter="d",source_workload="a",source_workload_namespace="x",destination_workload="b",destination_workload_namespace="y",response_code="200"} 3
alscope_requests_total{source_workload="odd} 9 {",source_workload_namespace="x",destination_workload="b",destination_workload_namespace="y",response_code="503"} 4
alscope_requests_total{reporter="d"} 9
alscope_request_duration_milliseconds_bucket{source="a",le="0.5"} 3
alscope_request_duration_milliseconds_sum{source="a"} 1.500
alscope_request_duration_milliseconds_count{source_workload="a",source_workload_namespace="x",destination_workload="b",destination_workload_namespace="y",response_code="200"} 3
alscope_request_bytes_count{source="a"} 3
alscope_response_bytes_count{source="a"} 3
"#;

    #[test]
    fn counters_are_added_up_and_series_are_told_apart() {
        let set = |caller: &str, code| LabelSet {
            caller: caller.to_owned(),
            called: "b.y".to_owned(),
            code,
        };
        let expected = Exposition {
            received: 10,
            observed: 7,
            attributed: 6,
            rejected: 2,
            skipped: 1,
            messages_rejected: 0,
            requests: [(set("a.x", 200), 3), (set("odd} 9 {.x", 503), 4)].into(),
            durations: [(set("a.x", 200), 3)].into(),
            series: 6,
            exported: 5,
            dropped: 2,
        };
        assert_eq!(read(TEXT.as_bytes()).unwrap(), expected);
    }
}
