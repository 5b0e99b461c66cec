//! Everything that was measured, as it is checked in. Tables, curves and verdicts are made of it.

use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::scenario::Scenario;
use crate::spread::Spread;

/// One measurement of one scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
pub(crate) struct Run {
    pub(crate) entries: u64,
    pub(crate) messages: u64,
    /// Processor time of the receiving process.
    pub(crate) processor_seconds: f64,
    /// From the first message to the last answer.
    pub(crate) seconds: f64,
    /// The receiving process's largest memory so far (`VmHWM`).
    pub(crate) resident_bytes: u64,
    /// Pods of the mesh that were replaced since the receiver was started.
    pub(crate) changes: u64,
    /// The longest scrape of `/metrics` while entries came in, if it was scraped.
    pub(crate) scrape_seconds: Option<f64>,
}

/// A scenario and its runs, one a round.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct Row {
    pub(crate) scenario: Scenario,
    pub(crate) runs: Vec<Run>,
}

/// All rows, and where they come from.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub(crate) struct Report {
    /// The collector that was measured, as it calls itself: with its commit.
    pub(crate) version: String,
    /// What the user ran.
    pub(crate) command: String,
    /// The day, in UTC.
    pub(crate) date: String,
    pub(crate) machine: Machine,
    /// The load average of the last minute, before and after.
    pub(crate) load_average: [f64; 2],
    /// The share of the time that the machine's host gave to others.
    pub(crate) stolen: f64,
    pub(crate) rounds: u32,
    pub(crate) rows: Vec<Row>,
}

impl Run {
    /// Entries per second of processor time.
    pub(crate) fn rate(&self) -> f64 {
        self.entries as f64 / self.processor_seconds
    }

    /// Seconds of processor time that a message costs with its entries.
    pub(crate) fn seconds_a_message(&self) -> f64 {
        self.processor_seconds / self.messages as f64
    }
}

impl Row {
    /// Not measured yet.
    pub(crate) fn new(scenario: Scenario) -> Self {
        Row {
            scenario,
            runs: Vec::new(),
        }
    }

    /// A figure over all runs.
    pub(crate) fn spread(&self, figure: impl Fn(&Run) -> f64) -> Option<Spread> {
        Spread::of(self.runs.iter().map(figure))
    }
}

impl Report {
    /// Reads a report that was written.
    pub(crate) fn read(file: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is no report of this bench", file.display()))
    }

    /// The row of a scenario, if it was measured.
    pub(crate) fn row(&self, scenario: &Scenario) -> Option<&Row> {
        self.rows.iter().find(|row| row.scenario == *scenario)
    }

    /// A figure of a scenario over all its runs.
    pub(crate) fn spread(&self, scenario: &Scenario, figure: impl Fn(&Run) -> f64) -> Option<Spread> {
        self.row(scenario)?.spread(figure)
    }

    /// Entries per second of processor time.
    pub(crate) fn rate(&self, scenario: &Scenario) -> Option<Spread> {
        self.spread(scenario, Run::rate)
    }

    /// A figure of two scenarios, round by round: what differs between two rounds is in both.
    pub(crate) fn paired(
        &self,
        [one, other]: [&Scenario; 2],
        figure: impl Fn(&Run, &Run) -> f64,
    ) -> Option<Spread> {
        let (one, other) = (self.row(one)?, self.row(other)?);
        let pairs = one.runs.iter().zip(&other.runs);
        Spread::of(pairs.map(|(one, other)| figure(one, other)))
    }

    /// Seconds that an entry costs beyond its transport, which is what the sink costs.
    pub(crate) fn own_cost(&self, [collector, sink]: [&Scenario; 2]) -> Option<Spread> {
        self.paired([collector, sink], |collector, sink| {
            1.0 / collector.rate() - 1.0 / sink.rate()
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::scenario::{COLLECTOR, FEW, MANY, Taker};

    /// A report of runs with these entries a second of processor time.
    pub(crate) fn report(rates: &[(Scenario, &[f64])]) -> Report {
        let run = |rate: &f64| Run {
            entries: 1_000_000,
            messages: 30_303,
            processor_seconds: 1e6 / rate,
            ..Run::default()
        };
        let row = |(scenario, rates): &(Scenario, &[f64])| Row {
            scenario: *scenario,
            runs: rates.iter().map(run).collect(),
        };
        Report {
            rows: rates.iter().map(row).collect(),
            ..Report::default()
        }
    }

    #[test]
    fn own_cost_is_taken_round_by_round() {
        let collector = Scenario::saturated(COLLECTOR, FEW);
        let sink = Scenario::saturated(Taker::Sink, FEW);
        let report = report(&[(collector, &[1e6, 0.5e6]), (sink, &[2e6, 1e6])]);
        let cost = report.own_cost([&collector, &sink]).unwrap();
        assert_eq!(cost.lowest, 0.5e-6);
        assert_eq!(cost.highest, 1e-6);
        assert_eq!(report.rate(&Scenario::saturated(COLLECTOR, MANY)), None);
    }

    #[test]
    fn a_report_is_read_back_as_it_was_written() {
        let report = report(&[(Scenario::saturated(COLLECTOR, FEW), &[1e6])]);
        let text = serde_json::to_string_pretty(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    }
}
