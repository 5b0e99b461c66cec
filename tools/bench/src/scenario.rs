//! What is measured: which program takes which load, over how many connections, how fast.

use std::fmt;
use std::time::Duration;

use alscope_load::mesh::Size;
use alscope_load::shape::Shape;
use alscope_load::streams::Load;
use alscope_load::traffic::Traffic;
use serde::{Deserialize, Serialize};

/// The rate at which every exporter keeps up, so that what it costs can be told from what it drops.
const EXPORTED_RATE: usize = 100_000;
/// The rate of one worker and two: less than one can take.
const WORKERS_RATE: usize = 200_000;

/// What takes the load.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) enum Taker {
    /// The collector's receiver with a handler that only counts.
    Sink,
    /// A gRPC server of the crate `tonic` that drops the bytes: it does not change when the collector's receiver does.
    ExternalSink,
    /// The collector's receiver with a handler that decodes each message by the crate `prost` and drops it.
    Prost,
    /// The collector.
    Collector(Exporting),
    /// The readers and the rules in a thread, without transport.
    Analysis,
}

/// What a collector exports meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) enum Exporting {
    /// Nothing: it counts up to the snapshot.
    Nothing,
    /// `/metrics` is scraped every five seconds, three times as often as usual.
    Scraped,
    /// This share of the entries goes out as JSON lines.
    JsonLines(f64),
}

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct Scenario {
    pub(crate) taker: Taker,
    pub(crate) load: Load,
    pub(crate) connections: usize,
    pub(crate) pace: Pace,
    /// Threads that receive. With more than one, they may use all cores.
    pub(crate) workers: usize,
}

/// How fast a stream sends.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) enum Pace {
    /// As fast as its messages are taken.
    Saturated,
    /// A message after each of these spans, as Envoy does that is asked for a call now and then: it sends each second.
    Every(Duration),
}

/// A part of the whole, which can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// What an entry costs: sinks, readers, collector, exporters, analysis
    Ingest,
    /// What a message costs, what an entry: 1, 5 and 33 entries a message, 8 and 2 000 connections, paced and not
    Cost,
    /// What more pods, series and workers cost
    Scale,
}

/// 497 bytes, 100 series.
pub(crate) const FEW: Load = load(Shape::Sidecar, Traffic::FEW);
/// 497 bytes, 20 000 series.
pub(crate) const MANY: Load = load(Shape::Sidecar, Traffic::MANY);
/// 169 bytes, 100 series.
pub(crate) const SHORT: Load = load(Shape::Short, Traffic::FEW);
/// 1 359 bytes with two peers, 100 series.
pub(crate) const TWO_PEERS: Load = load(Shape::TwoPeers, Traffic::FEW);
/// 497 bytes, about 100 000 samples of the exposition.
pub(crate) const SCRAPED: Load = load(
    Shape::Sidecar,
    Traffic {
        size: Size::LARGE,
        called: 75,
        callers: 4,
    },
);

/// Meshes from 10 to 10 000 pods, in each of which 8 sidecars report 160 series: workloads, replicas, called ones, callers of each.
const MESHES: [(usize, usize, usize, usize); 4] =
    [(10, 1, 8, 1), (25, 4, 2, 4), (125, 8, 1, 8), (1250, 8, 1, 8)];

/// Called workloads, and callers of each, of what is compared by the number of series.
const SERIES: [(usize, usize); 5] = [(1, 5), (10, 5), (125, 4), (250, 4), (250, 20)];

const fn load(shape: Shape, traffic: Traffic) -> Load {
    Load {
        traffic,
        shape,
        entries: shape.entries(),
    }
}

impl Scenario {
    /// A load as fast as it is taken, each proxy by a connection of its own.
    pub(crate) const fn saturated(taker: Taker, load: Load) -> Self {
        Scenario {
            taker,
            load,
            connections: load.traffic.nodes(),
            pace: Pace::Saturated,
            workers: 1,
        }
    }

    /// The same with so many entries a second.
    fn at_rate(self, entries: usize) -> Self {
        let streams = self.load.traffic.nodes();
        let period = Duration::from_secs_f64((streams * self.load.entries) as f64 / entries as f64);
        Scenario {
            pace: Pace::Every(period),
            ..self
        }
    }
}

/// The collector without an exporter.
pub(crate) const COLLECTOR: Taker = Taker::Collector(Exporting::Nothing);

/// What an entry costs.
pub(crate) fn ingest() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for load in [FEW, MANY, SHORT, TWO_PEERS] {
        let takers = [Taker::Sink, COLLECTOR, Taker::Analysis];
        scenarios.extend(takers.map(|taker| Scenario::saturated(taker, load)));
    }
    let takers = [Taker::ExternalSink, Taker::Prost];
    scenarios.extend(takers.map(|taker| Scenario::saturated(taker, FEW)));
    let exporting = [Exporting::Nothing, Exporting::Scraped];
    scenarios.extend(exporting.map(|exporting| Scenario::saturated(Taker::Collector(exporting), SCRAPED)));
    let exporting = [
        Exporting::Nothing,
        Exporting::JsonLines(0.01),
        Exporting::JsonLines(1.0),
    ];
    scenarios.extend(
        exporting
            .map(|exporting| Scenario::saturated(Taker::Collector(exporting), FEW).at_rate(EXPORTED_RATE)),
    );
    scenarios
}

/// How a load of the cost model reaches the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// 8 connections, as fast as it is taken.
    Few,
    /// 2 000 connections, as fast as it is taken.
    Many,
    /// 2 000 connections, one message a second each.
    Paced,
}

impl Way {
    pub(crate) const ALL: [Way; 3] = [Way::Paced, Way::Many, Way::Few];

    pub(crate) fn scenario(self, taker: Taker, entries: usize) -> Scenario {
        let scenario = Scenario::saturated(taker, Load { entries, ..MANY });
        match self {
            Way::Few => Scenario {
                connections: 8,
                ..scenario
            },
            Way::Many => scenario,
            Way::Paced => Scenario {
                pace: Pace::Every(Duration::from_secs(1)),
                ..scenario
            },
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Way::Few => "8 connections, saturated",
            Way::Many => "2 000 connections, saturated",
            Way::Paced => "2 000 connections, one message a second each",
        })
    }
}

/// Entries of a message that the cost model is fitted over.
pub(crate) const COST_ENTRIES: [usize; 3] = [1, 5, 33];

/// What a message costs, and what an entry.
pub(crate) fn cost() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for way in Way::ALL {
        for entries in COST_ENTRIES {
            scenarios.extend([Taker::Sink, COLLECTOR].map(|taker| way.scenario(taker, entries)));
        }
    }
    scenarios
}

/// Meshes from 10 to 10 000 pods.
pub(crate) fn by_pods() -> [Scenario; 4] {
    MESHES.map(|(workloads, replicas, called, callers)| {
        let traffic = Traffic {
            size: Size { workloads, replicas },
            called,
            callers,
        };
        Scenario::saturated(COLLECTOR, load(Shape::Sidecar, traffic))
    })
}

/// From 100 to 100 000 series, in a mesh of 10 000 pods.
pub(crate) fn by_series() -> [Scenario; 5] {
    SERIES.map(|(called, callers)| {
        let traffic = Traffic {
            size: Size::LARGE,
            called,
            callers,
        };
        Scenario::saturated(COLLECTOR, load(Shape::Sidecar, traffic))
    })
}

/// One worker and two, at one rate.
pub(crate) fn by_workers() -> [Scenario; 2] {
    [1, 2].map(|workers| Scenario {
        workers,
        ..Scenario::saturated(COLLECTOR, MANY).at_rate(WORKERS_RATE)
    })
}

/// The measurements of a part.
pub(crate) fn scenarios(part: Part) -> Vec<Scenario> {
    match part {
        Part::Ingest => ingest(),
        Part::Cost => cost(),
        Part::Scale => {
            let mut scenarios = by_pods().to_vec();
            scenarios.extend(by_series());
            scenarios.extend(by_workers());
            scenarios
        }
    }
}

impl fmt::Display for Taker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Taker::Sink => formatter.write_str("raw sink"),
            Taker::ExternalSink => formatter.write_str("external sink"),
            Taker::Prost => formatter.write_str("prost"),
            Taker::Collector(Exporting::Nothing) => formatter.write_str("collector"),
            Taker::Collector(Exporting::Scraped) => formatter.write_str("collector, scraped every 5 s"),
            Taker::Collector(Exporting::JsonLines(share)) => {
                write!(formatter, "collector, {} % as JSON lines", share * 100.0)
            }
            Taker::Analysis => formatter.write_str("analysis alone"),
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scenario {
            taker,
            load,
            connections,
            pace,
            workers,
        } = self;
        let (traffic, shape, entries) = (load.traffic, load.shape, load.entries);
        let pods = traffic.size.pods();
        write!(
            formatter,
            "{taker}, {shape}, {entries} a message, {} series",
            traffic.series()
        )?;
        write!(formatter, ", {pods} pods, {connections} connections")?;
        if let Pace::Every(period) = pace {
            write!(formatter, ", each stream every {} ms", period.as_millis())?;
        }
        if *workers > 1 {
            write!(formatter, ", {workers} workers")?;
        }
        Ok(())
    }
}
