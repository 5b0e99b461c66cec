//! The whole operator on an API server in this process, on a paused clock, while everything around it fails.
//!
//! A run is told by its number alone: its faults, its user's actions and every delay follow from it. A run that fails prints its
//! trace, and `ALSCOPE_SEED=NUMBER cargo test -p alscope-operator --test simulation` repeats it. `ALSCOPE_RUNS` says how many
//! random runs are made, and lets each fault of the two tables come at each of its times.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and tells how; what is built here has the fields that are read"
)]

mod acts;
mod cluster;
mod drive;
mod end;
mod history;
mod judged;
#[path = "../../../plan/tests/plan/mesh.rs"]
#[expect(dead_code, reason = "the plan's tests use all of it")]
mod mesh;
mod scenario;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use parking_lot::Mutex;
use scenario::Scenario;

/// Random runs, unless `ALSCOPE_RUNS` says otherwise.
const RUNS: u64 = 200;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Whether each fault comes at each of its times; without a number of runs, or a single one, each comes at one of them.
fn is_thorough() -> bool {
    number("ALSCOPE_RUNS").is_some() || number("ALSCOPE_SEED").is_some()
}

/// Runs scenarios on every core, and panics with the trace of the first that fails.
fn run_all(scenarios: impl Iterator<Item = Scenario> + Send) {
    let only = number("ALSCOPE_SEED");
    let scenarios = Mutex::new(scenarios.filter(|one| only.is_none_or(|seed| one.seed == seed)));
    let (runs, failed) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(|| {
                loop {
                    let Some(scenario) = scenarios.lock().next() else {
                        return;
                    };
                    runs.fetch_add(1, Ordering::Relaxed);
                    if let Err(why) = drive::run(&scenario).result {
                        println!("ALSCOPE_SEED={} fails: {}: {why}", scenario.seed, scenario.name);
                        failed.lock().insert(scenario.seed, (scenario, why));
                    }
                }
            });
        }
    });
    let (runs, failed) = (runs.into_inner(), failed.into_inner());
    println!("{runs} runs, {} failed", failed.len());
    let told = failed.values().next().map(|(scenario, why)| {
        let trace = drive::run(scenario).trace.join("\n");
        format!(
            "{trace}\n\n{}: {why}\n\nrepeat it with ALSCOPE_SEED={} cargo test -p alscope-operator --test simulation",
            scenario.name, scenario.seed
        )
    });
    assert!(
        failed.is_empty(),
        "{} of {runs} runs failed, the first so:\n{}",
        failed.len(),
        told.unwrap_or_default()
    );
}

#[test]
fn each_read_fails_in_each_way() {
    run_all(scenario::reads(is_thorough()));
}

#[test]
fn each_write_fails_in_each_way() {
    run_all(scenario::writes(is_thorough()));
}

#[test]
fn whatever_happens_in_whatever_order() {
    let first = number("ALSCOPE_FIRST_SEED").unwrap_or(0);
    let runs = number("ALSCOPE_RUNS").unwrap_or(RUNS);
    run_all((first..first + runs).map(|number| scenario::random(scenario::RANDOM + number)));
}

#[test]
fn a_seed_always_gives_the_same_run() {
    for number in [3, 5, 8] {
        let scenario = scenario::random(scenario::RANDOM + number);
        let (one, other) = (drive::run(&scenario).trace, drive::run(&scenario).trace);
        let differs = one.iter().zip(&other).position(|(one, other)| one != other);
        assert_eq!(
            differs.map(|place| (&one[place], &other[place])),
            None,
            "the runs differ after {} lines",
            differs.unwrap_or_default()
        );
        assert_eq!(one.len(), other.len());
    }
}
