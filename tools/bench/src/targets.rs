//! The figures that the collector is to reach, and whether a report says that it does. Medians count.

use std::fmt;

use crate::cost_model::CostModel;
use crate::report::{Report, Run};
use crate::scenario::{
    COLLECTOR, COST_ENTRIES, Exporting, FEW, MANY, SCRAPED, Scenario, TWO_PEERS, Taker, Way, by_pods,
    by_series,
};

/// One figure.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Target {
    pub(crate) what: String,
    pub(crate) bound: Bound,
    pub(crate) unit: &'static str,
    /// `None` if the report does not have what it is made of.
    pub(crate) measured: Option<f64>,
}

/// What a figure may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Target {
    /// Whether it is reached. What was not measured is not.
    pub(crate) fn is_met(&self) -> bool {
        match (self.measured, self.bound) {
            (None, _) => false,
            (Some(measured), Bound::AtLeast(least)) => measured >= least,
            (Some(measured), Bound::AtMost(most)) => measured <= most,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Target {
            what,
            bound,
            unit,
            measured,
        } = self;
        let verdict = if self.is_met() { "reached" } else { "MISSED" };
        write!(formatter, "{verdict:8} {what}: ")?;
        match measured {
            Some(measured) => write!(formatter, "{measured:.2}")?,
            None => formatter.write_str("not measured")?,
        }
        write!(formatter, ", wanted {bound} {unit}")
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::AtLeast(least) => write!(formatter, "≥ {least}"),
            Bound::AtMost(most) => write!(formatter, "≤ {most}"),
        }
    }
}

const RATE: &str = "M entries/s per core";
const COST: &str = "µs an entry";

/// All figures.
pub(crate) fn targets(report: &Report) -> Vec<Target> {
    let mut targets = of_entries(report).to_vec();
    targets.extend(of_scale(report));
    targets.extend(Way::ALL.map(|way| of_messages(report, way)));
    targets
}

fn target(what: &str, bound: Bound, unit: &'static str, measured: Option<f64>) -> Target {
    Target {
        what: what.to_owned(),
        bound,
        unit,
        measured,
    }
}

fn of_entries(report: &Report) -> [Target; 7] {
    use Bound::{AtLeast, AtMost};
    let saturated = Scenario::saturated;
    let rate = |what, taker, load, least| {
        let rate = report.rate(&saturated(taker, load));
        target(what, AtLeast(least), RATE, rate.map(|rate| rate.median / 1e6))
    };
    let own_cost = |what, load, most| {
        let cost = report.own_cost([&saturated(COLLECTOR, load), &saturated(Taker::Sink, load)]);
        target(what, AtMost(most), COST, cost.map(|cost| cost.median * 1e6))
    };
    [
        rate("collector, 20 000 series", COLLECTOR, MANY, 1.0),
        own_cost("own cost, 20 000 series", MANY, 0.70),
        rate("collector, 100 series", COLLECTOR, FEW, 1.2),
        rate("collector, 1 359 B with two peers", COLLECTOR, TWO_PEERS, 0.45),
        own_cost("own cost, 1 359 B with two peers", TWO_PEERS, 1.6),
        rate("analysis alone, 100 series", Taker::Analysis, FEW, 2.2),
        rate("analysis alone, 20 000 series", Taker::Analysis, MANY, 1.3),
    ]
}

fn of_scale(report: &Report) -> [Target; 6] {
    use Bound::{AtLeast, AtMost};
    let by_pods = ratio(report, &by_pods());
    let [up_to_twenty_thousand @ .., _] = by_series();
    let by_series = ratio(report, &up_to_twenty_thousand);
    [
        target(
            "memory, 2 000 connections paced",
            AtMost(200.0),
            "MiB",
            memory(report),
        ),
        target(
            "cost from 10 to 10 000 pods, highest by lowest",
            AtMost(1.15),
            "×",
            by_pods,
        ),
        target(
            "cost from 100 to 20 000 series, highest by lowest",
            AtMost(2.0),
            "×",
            by_series,
        ),
        target("scrape of 100 000 samples", AtMost(200.0), "ms", scrape(report)),
        target(
            "entries while scraped, by entries while not",
            AtLeast(0.9),
            "×",
            while_scraped(report),
        ),
        target(
            "cost of an entry over all ways, highest by lowest",
            AtMost(1.2),
            "×",
            entry_spread(report),
        ),
    ]
}

fn of_messages(report: &Report, way: Way) -> Target {
    let cost = |taker| Some(cost_model(report, way, taker)?.message);
    let ratio = cost(COLLECTOR).zip(cost(Taker::Sink));
    let what = format!("cost of a message by the sink's, {way}");
    target(
        &what,
        Bound::AtMost(1.3),
        "×",
        ratio.map(|(collector, sink)| collector / sink),
    )
}

/// What a message and an entry cost by one way, fitted to medians.
pub(crate) fn cost_model(report: &Report, way: Way, taker: Taker) -> Option<CostModel> {
    let point = |entries: usize| {
        let spread = report.spread(&way.scenario(taker, entries), Run::seconds_a_message)?;
        Some((entries as f64, spread.median))
    };
    let points: Option<Vec<_>> = COST_ENTRIES.into_iter().map(point).collect();
    CostModel::fitted(&points?)
}

fn memory(report: &Report) -> Option<f64> {
    let scenario = Way::Paced.scenario(COLLECTOR, 33);
    let spread = report.spread(&scenario, |run| run.resident_bytes as f64)?;
    Some(spread.median / f64::from(1 << 20))
}

/// The highest cost of an entry among scenarios by the lowest.
fn ratio(report: &Report, scenarios: &[Scenario]) -> Option<f64> {
    let rates: Option<Vec<f64>> = scenarios
        .iter()
        .map(|scenario| Some(report.rate(scenario)?.median))
        .collect();
    highest_by_lowest(&rates?)
}

fn highest_by_lowest(values: &[f64]) -> Option<f64> {
    let highest = values.iter().copied().reduce(f64::max)?;
    Some(highest / values.iter().copied().reduce(f64::min)?)
}

fn scrape(report: &Report) -> Option<f64> {
    let scenario = Scenario::saturated(Taker::Collector(Exporting::Scraped), SCRAPED);
    let spread = report.spread(&scenario, |run| run.scrape_seconds.unwrap_or(f64::INFINITY))?;
    Some(spread.median * 1e3)
}

fn while_scraped(report: &Report) -> Option<f64> {
    let scraped = Scenario::saturated(Taker::Collector(Exporting::Scraped), SCRAPED);
    let alone = Scenario::saturated(COLLECTOR, SCRAPED);
    let ratio = |scraped: &Run, alone: &Run| scraped.rate() / alone.rate();
    Some(report.paired([&scraped, &alone], ratio)?.median)
}

fn entry_spread(report: &Report) -> Option<f64> {
    let entry = |way| Some(cost_model(report, way, COLLECTOR)?.entry);
    let entries: Option<Vec<f64>> = Way::ALL.into_iter().map(entry).collect();
    highest_by_lowest(&entries?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    fn named(report: &Report, what: &str) -> Target {
        let all = targets(report);
        all.into_iter().find(|target| target.what == what).unwrap()
    }

    #[test]
    fn what_was_not_measured_is_not_reached() {
        assert!(targets(&Report::default()).iter().all(|target| !target.is_met()));
    }

    #[test]
    fn the_median_decides() {
        let of = |rates: &[f64]| {
            let report = report(&[(Scenario::saturated(COLLECTOR, FEW), rates)]);
            named(&report, "collector, 100 series").is_met()
        };
        assert!(of(&[0.9e6, 1.2e6, 1.3e6]));
        assert!(!of(&[0.9e6, 1.1e6, 1.3e6]));
    }

    #[test]
    fn a_cost_is_too_high_above_its_bound() {
        let of = |collector: f64| {
            let report = report(&[
                (Scenario::saturated(COLLECTOR, MANY), &[collector]),
                (Scenario::saturated(Taker::Sink, MANY), &[2e6]),
            ]);
            named(&report, "own cost, 20 000 series").is_met()
        };
        assert!(of(0.84e6));
        assert!(!of(0.83e6));
    }

    #[test]
    fn meshes_are_compared_by_their_extremes() {
        let of = |slowest: f64| {
            let rates = [1.1e6, slowest, 1.0e6, 1.0e6].map(|rate| [rate]);
            let rows: Vec<_> = by_pods()
                .into_iter()
                .zip(&rates)
                .map(|(scenario, rate)| (scenario, &rate[..]))
                .collect();
            named(&report(&rows), "cost from 10 to 10 000 pods, highest by lowest").is_met()
        };
        assert!(of(0.96e6));
        assert!(!of(0.95e6));
    }
}
