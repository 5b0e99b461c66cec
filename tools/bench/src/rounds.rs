//! The rounds: each scenario once, and again, so that what the machine does meanwhile falls on all of them.

use std::time::Duration;

use alscope_collector::clock;
use anyhow::Context as _;

use crate::cores::Cores;
use crate::loads::Loads;
use crate::machine::{Machine, Ticks, load_average};
use crate::measure::measure;
use crate::receiver::{self, Place};
use crate::report::{Report, Row};
use crate::scenario::{Part, Scenario, scenarios};

/// What to measure.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) parts: Vec<Part>,
    /// What the measurements' descriptions have in them.
    pub(crate) only: String,
    pub(crate) rounds: u32,
    pub(crate) length: Duration,
    /// `None` if all share one core.
    pub(crate) cores: Option<Cores>,
    /// As the user gave it.
    pub(crate) command: String,
}

impl Plan {
    /// The scenarios of all parts, each once.
    fn scenarios(&self) -> Vec<Scenario> {
        let mut all: Vec<Scenario> = Vec::new();
        for scenario in self.parts.iter().flat_map(|part| scenarios(*part)) {
            if !all.contains(&scenario) && scenario.to_string().contains(&self.only) {
                all.push(scenario);
            }
        }
        all
    }
}

/// Measures everything and says how it goes.
pub(crate) async fn rounds(plan: &Plan) -> anyhow::Result<Report> {
    let state = tempfile::Builder::new()
        .prefix("alscope-bench-")
        .tempdir()
        .context("cannot create a directory for the bench; set TMPDIR to one with space")?;
    let place = Place {
        directory: state.path().to_owned(),
        collector: receiver::collector_beside()?,
        core: plan.cores.as_ref().map(|cores| cores.receiver),
    };
    let (load_before, ticks_before) = (load_average(), Ticks::now());
    let version = receiver::version(&place.collector)?;
    let mut rows: Vec<Row> = plan.scenarios().into_iter().map(Row::new).collect();
    introduce(plan, &version, (rows.len(), load_before));

    let mut loads = Loads::default();
    for round in 1..=plan.rounds {
        for row in &mut rows {
            let scenario = &row.scenario;
            let run = measure(scenario, &place, &mut loads, plan.length)
                .await
                .with_context(|| scenario.to_string())?;
            let rate = run.rate() / 1e6;
            println!("round {round} of {}: {rate:5.2} M  {scenario}", plan.rounds);
            row.runs.push(run);
        }
    }
    let (load_after, stolen) = (load_average(), Ticks::now().stolen_since(ticks_before));
    println!(
        "load average after: {load_after}; {:.1} % of the time stolen by the machine's host",
        stolen * 100.0
    );
    Ok(Report {
        version,
        command: plan.command.clone(),
        date: today()?,
        machine: Machine::this(),
        load_average: [load_before, load_after],
        stolen,
        rounds: plan.rounds,
        rows,
    })
}

fn introduce(plan: &Plan, version: &str, (scenarios, load_before): (usize, f64)) {
    let cores = plan.cores.as_ref().map_or_else(
        || "receiver and load share one core, so the figures are too low".to_owned(),
        ToString::to_string,
    );
    let seconds = plan.length.as_secs();
    println!("{version}; {cores}; load average before: {load_before}");
    println!(
        "{} rounds of {scenarios} measurements of {seconds} s and more; M: million entries a second of processor time",
        plan.rounds
    );
}

/// The day, in UTC.
fn today() -> anyhow::Result<String> {
    let now = jiff::Timestamp::from_nanosecond(clock::now().0.into())?;
    Ok(now.strftime("%F").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_of_two_parts_is_measured_once() {
        let plan = |parts: &[Part]| Plan {
            parts: parts.to_vec(),
            only: String::new(),
            rounds: 1,
            length: Duration::from_secs(1),
            cores: None,
            command: String::new(),
        };
        let count = |parts: &[Part]| plan(parts).scenarios().len();
        let alone = count(&[Part::Ingest]) + count(&[Part::Cost]) + count(&[Part::Scale]);
        let together = count(&[Part::Ingest, Part::Cost, Part::Scale]);
        // The collector with 20 000 series in three parts, that with 100 and the sink with 20 000 in two.
        assert_eq!(alone - together, 4, "{alone} {together}");
    }
}
