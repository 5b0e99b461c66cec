//! What is counted.

use std::fmt;
use std::sync::Arc;

use alscope_analysis::moment::Moment;
use alscope_load::analysis::Analysis;
use alscope_load::mesh::{Size, mesh};
use alscope_load::shape::Shape;
use alscope_load::streams::{Load, streams};
use alscope_load::traffic::Traffic;
use clap::ValueEnum;

/// After every call of the load: one o'clock of 22 November 2026.
const RECEIVED: Moment = Moment(1_795_352_400_000_000_000);

/// Little of what `make bench` sends: instructions do not depend on what fits into a cache.
const TRAFFIC: Traffic = Traffic {
    size: Size {
        workloads: 50,
        replicas: 8,
    },
    called: 5,
    callers: 4,
};
const ENTRIES: usize = 4000;

/// Work whose instructions are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Case {
    /// A sidecar's entries, all fields that the rules ask for, nothing counted.
    Readers,
    /// Short entries of known identities.
    Short,
    /// A sidecar's entries of known identities.
    Sidecar,
    /// A waypoint's entries with two peers, of known identities.
    TwoPeers,
    /// A sidecar's entries in the first pass: many have an identity that was not met before.
    NewIdentities,
    /// A sidecar's entries after a pod was replaced that they are not of.
    PodReplaced,
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(
            self.to_possible_value()
                .as_ref()
                .map_or("", |value| value.get_name()),
        )
    }
}

impl Case {
    /// Every case.
    pub(crate) fn all() -> impl Iterator<Item = Case> {
        Case::value_variants().iter().copied()
    }

    /// The function whose instructions count, as callgrind's pattern.
    pub(crate) fn counted_function(self) -> &'static str {
        match self {
            Case::Readers => "*Analysis*read_each_message*",
            Case::NewIdentities => "*Analysis*learn*",
            Case::Short | Case::Sidecar | Case::TwoPeers | Case::PodReplaced => {
                "*Analysis*count_each_message*"
            }
        }
    }

    /// Does the work; answers how many entries went through the counted function.
    pub(crate) fn work(self) -> anyhow::Result<u64> {
        let shape = match self {
            Case::Short => Shape::Short,
            Case::TwoPeers => Shape::TwoPeers,
            Case::Readers | Case::Sidecar | Case::NewIdentities | Case::PodReplaced => Shape::Sidecar,
        };
        let load = Load {
            traffic: TRAFFIC,
            shape,
            entries: shape.entries(),
        };
        let mesh = mesh(TRAFFIC.size);
        let streams: Vec<_> = streams(&mesh, load, ENTRIES)?.into_iter().map(Arc::new).collect();
        let mut analysis = Analysis::of(&mesh, load, &streams, RECEIVED)?;
        if self == Case::Readers {
            return Ok(analysis.read_each_message());
        }
        let learnt = analysis.learn();
        match self {
            Case::NewIdentities => return Ok(learnt),
            Case::PodReplaced => analysis.roll(),
            Case::Readers | Case::Short | Case::Sidecar | Case::TwoPeers => {}
        }
        Ok(analysis.count_each_message())
    }
}
