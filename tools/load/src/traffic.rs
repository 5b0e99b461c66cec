//! Who calls whom, and how often: a few pods make most of the calls (Zipf's law), and most calls go well.

use std::collections::BTreeMap;

use alscope_analysis::aggregate::series::{Counts as _, HttpCounts};
use serde::{Deserialize, Serialize};

use crate::mesh::{Party, Size, Workload};
use crate::random::Random;

/// Series of one HTTP label set: a counter and three histograms.
pub const FAMILIES: usize = 4;

/// Codes that calls end with, and how many of a hundred calls.
const CODES: [(u32, u32); 5] = [(200, 96), (201, 1), (304, 1), (404, 1), (503, 1)];

/// A prime number that is no factor of a mesh's workloads or pods: multiples of it visit all of them in an order that looks mixed.
const STRIDE: usize = 7919;

/// A call as it can be seen in a series' labels and in an identity.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Who calls.
    pub caller: Party<'a>,
    /// Who is called, and reports it.
    pub called: Party<'a>,
    /// The response code.
    pub code: u32,
}

/// What tells the label sets of calls apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LabelSet {
    /// The caller's workload and namespace.
    pub caller: String,
    /// The called workload and its namespace.
    pub called: String,
    /// The response code.
    pub code: u32,
}

/// Calls by label set.
pub type Tally = BTreeMap<LabelSet, u64>;

/// Who calls whom: so many workloads are called, each by all pods of so many others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Traffic {
    /// The mesh that it is in.
    pub size: Size,
    /// Workloads that are called.
    pub called: usize,
    /// Workloads that call each of them.
    pub callers: usize,
}

/// The calls that one sidecar reports.
#[derive(Debug)]
pub struct Calls<'a> {
    all: Vec<Call<'a>>,
    /// The sums of the weights of the calls up to each.
    sums: Vec<u32>,
    /// The place of the workload's pod among its replicas.
    replica: usize,
    replicas: usize,
}

impl Call<'_> {
    /// What tells its series from others.
    pub fn label_set(&self) -> LabelSet {
        let name = |party: Party<'_>| format!("{}.{}", party.workload.name, party.workload.namespace);
        LabelSet {
            caller: name(self.caller),
            called: name(self.called),
            code: self.code,
        }
    }
}

impl Traffic {
    /// 100 series, of the sidecars of 8 pods.
    pub const FEW: Traffic = Traffic {
        size: Size::LARGE,
        called: 1,
        callers: 5,
    };
    /// 20 000 series, of the sidecars of 2 000 pods.
    pub const MANY: Traffic = Traffic {
        size: Size::LARGE,
        called: 250,
        callers: 4,
    };

    /// How many series the calls come to.
    pub const fn series(self) -> usize {
        self.called * self.callers * CODES.len() * FAMILIES
    }

    /// How many samples their exposition has.
    pub const fn samples(self) -> usize {
        self.series() / FAMILIES * HttpCounts::SAMPLES_PER_SERIES
    }

    /// How many sidecars report.
    pub const fn nodes(self) -> usize {
        self.called * self.size.replicas
    }

    /// How many pairs of pods call one another.
    pub const fn pairs(self) -> usize {
        self.nodes() * self.callers * self.size.replicas
    }

    /// What each sidecar reports.
    pub fn reports(self, mesh: &[Workload]) -> impl Iterator<Item = (Party<'_>, Calls<'_>)> {
        let called = mesh.iter().enumerate().take(self.called);
        called.flat_map(move |(number, workload)| {
            let pods = workload.pods.iter().enumerate();
            pods.map(move |(replica, pod)| {
                let called = Party { workload, pod };
                (called, self.calls(mesh, (number, replica), called))
            })
        })
    }

    fn calls<'a>(
        self,
        mesh: &'a [Workload],
        (number, replica): (usize, usize),
        reporter: Party<'a>,
    ) -> Calls<'a> {
        let mut all = Vec::new();
        let mut sums = Vec::new();
        let mut sum = 0;
        for nth in 0..self.callers {
            let number = (number * self.callers + nth + 1) * STRIDE % self.size.workloads;
            let Some(workload) = mesh.get(number) else {
                continue;
            };
            for (replica, pod) in workload.pods.iter().enumerate() {
                let rank = 1 + (number * self.size.replicas + replica) * STRIDE % self.size.pods();
                for (code, of_hundred) in CODES {
                    all.push(Call {
                        caller: Party { workload, pod },
                        called: reporter,
                        code,
                    });
                    sum += of_hundred * (self.size.pods() / rank) as u32;
                    sums.push(sum);
                }
            }
        }
        Calls {
            all,
            sums,
            replica,
            replicas: self.size.replicas,
        }
    }
}

impl<'a> Calls<'a> {
    /// All calls.
    pub fn all(&self) -> &[Call<'a>] {
        &self.all
    }

    /// The places of calls without end: first those with which all sidecars of a workload together have reported each label set,
    /// then whatever comes.
    pub fn drawn(&self, mut random: Random) -> impl Iterator<Item = usize> {
        let (codes, replicas) = (CODES.len(), self.replicas);
        let label_sets = self.all.len() / replicas;
        let own = (0..label_sets).skip(self.replica).step_by(replicas);
        // The callers' calls stand pod by pod, each with all codes.
        let first = own.map(move |set| set / codes * codes * replicas + set % codes);
        let most = self.sums.last().copied().unwrap_or(0);
        let rest = std::iter::repeat_with(move || {
            let drawn = random.below(most);
            self.sums.partition_point(|sum| *sum <= drawn)
        });
        first.chain(rest)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;
    use crate::mesh::mesh;

    #[test]
    fn series_are_label_sets_of_four_families() {
        assert_eq!((Traffic::FEW.series(), Traffic::MANY.series()), (100, 20_000));
        assert_eq!((Traffic::FEW.nodes(), Traffic::MANY.nodes()), (8, 2000));
        assert_eq!((Traffic::FEW.pairs(), Traffic::MANY.pairs()), (320, 64_000));
    }

    #[test]
    fn all_label_sets_are_reported_within_the_first_entries() {
        let mesh = mesh(Size::LARGE);
        for traffic in [Traffic::FEW, Traffic::MANY] {
            let mut reporters = HashSet::new();
            let mut label_sets = Tally::new();
            for (reporter, calls) in traffic.reports(&mesh) {
                reporters.insert(reporter.pod.address);
                for call in calls.drawn(Random::new(1)).take(4) {
                    *label_sets.entry(calls.all()[call].label_set()).or_default() += 1;
                }
            }
            assert_eq!(reporters.len(), traffic.nodes());
            assert_eq!(label_sets.len() * FAMILIES, traffic.series());
        }
    }

    #[test]
    fn most_calls_are_of_a_few_pods_and_go_well() {
        let mesh = mesh(Size::LARGE);
        let (_, calls) = Traffic::MANY.reports(&mesh).next().unwrap();
        let mut by_pod = HashMap::new();
        let mut well = 0;
        for call in calls.drawn(Random::new(1)).take(10_000) {
            let call = calls.all()[call];
            *by_pod.entry(call.caller.pod.address).or_insert(0) += 1;
            well += u32::from(call.code == 200);
        }
        let mut by_pod: Vec<u32> = by_pod.into_values().collect();
        by_pod.sort_unstable_by(|a, b| b.cmp(a));
        let of_four: u32 = by_pod.iter().take(4).sum();
        assert!(of_four > 5_000 && by_pod.len() > 24, "{by_pod:?}");
        assert!((9_500..9_700).contains(&well), "{well}");
    }
}
