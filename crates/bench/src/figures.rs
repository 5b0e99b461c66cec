//! What the rounds come to: lowest, middle and highest of each figure, as a table.

use std::fmt;

use anyhow::ensure;
use comfy_table::{CellAlignment, Table, presets};

use crate::traffic::Traffic;

/// Below this the collector does not run as it was designed to: one worker, no queue, no lock that is waited for.
const FLOOR: f64 = 700_000.0;

/// Entries per CPU second with one load, in one round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rates {
    /// Of the raw sink.
    pub(crate) sink: f64,
    /// Of the collector.
    pub(crate) collector: f64,
    /// Of the analysis alone.
    pub(crate) analysis: f64,
}

/// One round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Round {
    /// With [`Traffic::FEW`].
    pub(crate) few: Rates,
    /// With [`Traffic::MANY`], which is many streams.
    pub(crate) many: Rates,
}

impl Rates {
    /// Microseconds that an entry costs beyond its transport.
    fn own_cost(&self) -> f64 {
        (1.0 / self.collector - 1.0 / self.sink) * 1e6
    }
}

impl fmt::Display for Round {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Round { few, many } = self;
        write!(
            formatter,
            "sink {:.2} and {:.2}, collector {:.2} and {:.2}, analysis alone {:.2} and {:.2}",
            few.sink / 1e6,
            many.sink / 1e6,
            few.collector / 1e6,
            many.collector / 1e6,
            few.analysis / 1e6,
            many.analysis / 1e6,
        )
    }
}

/// All rounds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) rounds: Vec<Round>,
}

/// A figure over all rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spread {
    lowest: f64,
    median: f64,
    highest: f64,
}

impl Figures {
    /// Whether the collector is at least as fast as its runtime model promises.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let median = self.spread(|round| round.few.collector).median;
        ensure!(
            median >= FLOOR,
            "the collector's median is {median:.0} entries per CPU second, below {FLOOR}: the runtime model of the design is not \
             followed, or other programs use the machine's caches and memory; measure again on an idle machine"
        );
        Ok(())
    }

    fn spread(&self, figure: impl Fn(&Round) -> f64) -> Spread {
        let mut values: Vec<f64> = self.rounds.iter().map(figure).collect();
        values.sort_by(f64::total_cmp);
        let at = |place: usize| values.get(place).copied().unwrap_or_default();
        let half = values.len() / 2;
        Spread {
            lowest: at(0),
            median: if values.len().is_multiple_of(2) {
                f64::midpoint(at(half.saturating_sub(1)), at(half))
            } else {
                at(half)
            },
            highest: at(values.len().saturating_sub(1)),
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table
            .load_style(presets::UTF8_FULL_CONDENSED)
            .set_header(["", "unit", "min", "median", "max"]);
        for column in table.column_iter_mut().skip(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let mut rows = |traffic: Traffic, of: fn(&Round) -> Rates| {
            let mut row = |what: &str, unit: &str, digits: usize, figure: fn(&Rates) -> f64| {
                let Spread {
                    lowest,
                    median,
                    highest,
                } = self.spread(|round| figure(&of(round)));
                let number = |value: f64| format!("{value:.digits$}");
                table.add_row([
                    format!("{what}, {} series", traffic.series()),
                    unit.to_owned(),
                    number(lowest),
                    number(median),
                    number(highest),
                ]);
            };
            let rate = "M entries per CPU second";
            row("raw sink", rate, 2, |rates| rates.sink / 1e6);
            row("collector", rate, 2, |rates| rates.collector / 1e6);
            row("analysis alone", rate, 2, |rates| rates.analysis / 1e6);
            row("own cost", "µs an entry", 3, Rates::own_cost);
        };
        rows(Traffic::FEW, |round| round.few);
        rows(Traffic::MANY, |round| round.many);
        table.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(few: &[f64]) -> Figures {
        let round = |few: &f64| Round {
            few: Rates {
                sink: 2e6,
                collector: *few,
                analysis: 2e6,
            },
            many: Rates {
                sink: 1e6,
                collector: 0.5e6,
                analysis: 1.5e6,
            },
        };
        Figures {
            rounds: few.iter().map(round).collect(),
        }
    }

    #[test]
    fn the_median_is_the_middle_or_between_the_two_middle_ones() {
        let median = |few: &[f64]| figures(few).spread(|round| round.few.collector).median;
        assert_eq!(median(&[3.0, 1.0, 2.0]).to_bits(), 2.0_f64.to_bits());
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]).to_bits(), 2.5_f64.to_bits());
        assert_eq!(median(&[7.0]).to_bits(), 7.0_f64.to_bits());
    }

    #[test]
    fn a_collector_below_the_floor_fails_the_check() {
        assert!(figures(&[0.8e6, 0.6e6, 0.7e6]).check().is_ok());
        let error = figures(&[0.8e6, 0.6e6, 0.69e6]).check().unwrap_err().to_string();
        assert!(
            error.starts_with("the collector's median is 690000 entries per CPU second"),
            "{error}"
        );
    }

    #[test]
    fn the_table_has_spread_and_own_cost() {
        let text = figures(&[1e6, 1.25e6, 1e6]).to_string();
        let row = |name: &str| -> Vec<String> {
            let line = text.lines().find(|line| line.contains(name)).unwrap();
            line.split(['│', '┆'])
                .map(|cell| cell.trim().to_owned())
                .collect()
        };
        assert_eq!(row("collector, 100 series")[3..6], ["1.00", "1.00", "1.25"]);
        assert_eq!(
            row("analysis alone, 20000 series")[3..6],
            ["1.50", "1.50", "1.50"]
        );
        assert_eq!(row("own cost, 100 series")[3..6], ["0.300", "0.500", "0.500"]);
        assert_eq!(row("own cost, 20000 series")[3..6], ["1.000", "1.000", "1.000"]);
    }
}
