//! The page and its files are what the report says.

use std::path::{Path, PathBuf};

use super::*;
use crate::report::tests::report;

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

#[test]
fn the_page_is_made_of_the_checked_in_report() {
    let report = Report::read(&docs().join(REPORT)).unwrap();
    for (name, expected) in files(&report).unwrap() {
        let written = std::fs::read_to_string(docs().join(name)).unwrap_or_default();
        assert!(written == expected, "docs/{name} is stale: run make gen");
    }
}

#[test]
fn a_table_has_the_spread_of_all_runs() {
    let collector = Scenario::saturated(COLLECTOR, FEW);
    let sink = Scenario::saturated(Taker::Sink, FEW);
    let report = report(&[(collector, &[1e6, 1.25e6, 1e6]), (sink, &[2e6, 2e6, 2e6])]);
    let text = entries(&report);
    for row in [
        "| 497 B | 100 | collector | 1.00 | 1.00 | 1.25 |",
        "| 497 B | 100 | raw sink | 2.00 | 2.00 | 2.00 |",
        "| 497 B | 100 | own cost, µs | 0.30 | 0.50 | 0.50 |",
        "| 497 B | 20000 | own cost, µs | - | - | - |",
    ] {
        assert!(text.contains(row), "{row} is not in\n{text}");
    }
}

#[test]
fn a_missed_figure_is_said_to_be() {
    let report = report(&[(Scenario::saturated(COLLECTOR, FEW), &[1.1e6])]);
    let text = figures(&report);
    assert!(
        text.contains("| collector, 100 series | ≥ 1.2 M entries/s per core | 1.10 | **missed** |"),
        "{text}"
    );
}
