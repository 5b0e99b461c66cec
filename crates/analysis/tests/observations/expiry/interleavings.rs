//! Workers that count while the control task drains and lets go: each request is in one series of its own labels, whatever the order.

use std::collections::BTreeMap;

use alscope_analysis::aggregate::registry::RegistryBounds;
use alscope_analysis::moment::Moment;
use proptest::prelude::*;

use super::*;

const WORKERS: usize = 3;

/// One worker takes requests to one workload.
#[derive(Clone, Debug)]
struct Take {
    worker: usize,
    workload: usize,
    code: u32,
    count: usize,
}

/// What happens before the next pass, how long after the last one that is, and what happens meanwhile.
#[derive(Clone, Debug)]
struct Step {
    before: Vec<Take>,
    seconds: i64,
    meanwhile: Vec<Take>,
}

fn take() -> impl Strategy<Value = Take> {
    (
        0..WORKERS,
        0..6_usize,
        prop::sample::select(vec![200, 404]),
        1..4_usize,
    )
        .prop_map(|(worker, workload, code, count)| Take {
            worker,
            workload,
            code,
            count,
        })
}

fn step() -> impl Strategy<Value = Step> {
    let seconds = prop::sample::select(vec![1, 1, 600, 1300, IDLE, IDLE + 1, 3 * IDLE]);
    let takes = || prop::collection::vec(take(), 0..6);
    (takes(), seconds, takes()).prop_map(|(before, seconds, meanwhile)| Step {
        before,
        seconds,
        meanwhile,
    })
}

/// Requests that were taken, and those of each life of a series, by its labels and the time it was created.
#[derive(Default)]
struct Model {
    taken: Counts,
    lives: BTreeMap<((String, String), Moment), u64>,
}

impl Model {
    fn take(&mut self, collector: &mut Collector, take: &Take) {
        let workload = format!("workload-{}", take.workload);
        let entries = (0..take.count).map(|_| to(&workload, take.code));
        collector.take(take.worker, entries);
        *self.taken.entry((workload, take.code.to_string())).or_default() += take.count as u64;
    }

    /// A life never loses a request; a series that comes back has a new one.
    fn look(&mut self, snapshot: &Snapshot) {
        for (id, labels, counted) in snapshot.http.iter() {
            let labels = Labels::of(&labels.values);
            let key = ["destination_workload", "response_code"].map(|name| labels.get(name).to_owned());
            let created = snapshot.http.series(id).unwrap().created;
            let life = self.lives.entry((key.into(), created)).or_default();
            assert!(*life <= counted.requests, "{} after {life}", counted.requests);
            *life = counted.requests;
        }
    }

    fn lived(&self) -> Counts {
        let mut lived = Counts::new();
        for ((key, _), requests) in &self.lives {
            *lived.entry(key.clone()).or_default() += requests;
        }
        lived
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    // proves: expiry/nothing-lost
    #[test]
    fn each_request_is_in_one_life_of_its_series(steps in prop::collection::vec(step(), 1..12)) {
        let mut collector = Collector::new(WORKERS, RegistryBounds::default());
        let mut model = Model::default();
        let mut now = 0;
        for step in &steps {
            step.before.iter().for_each(|take| model.take(&mut collector, take));
            now += step.seconds;
            let mut meanwhile = step.meanwhile.iter();
            let snapshot = collector.pass_with(now, |collector| {
                if let Some(take) = meanwhile.next() {
                    model.take(collector, take);
                }
            });
            requests(&snapshot);
            model.look(&snapshot);
        }
        now += 1;
        let snapshot = collector.pass(now);
        model.look(&snapshot);
        prop_assert_eq!(&model.lived(), &model.taken);
        let taken: u64 = model.taken.values().sum();
        prop_assert_eq!(observations(&snapshot), [taken; 2]);
        prop_assert_eq!(in_evidence(&snapshot), taken);
        // What is idle for long is gone, and nothing with it.
        for _ in 0..3 {
            now += 2 * IDLE;
            collector.pass(now);
        }
        let snapshot = collector.pass(now);
        prop_assert_eq!(requests(&snapshot), Counts::new());
        prop_assert_eq!(observations(&snapshot), [taken; 2]);
        prop_assert_eq!(in_evidence(&snapshot), taken);
        let RegistrySizes { calls, http, tcp, evidence, samples, label_bytes, .. } = collector.sizes();
        prop_assert_eq!([calls, http, tcp, evidence].map(|size| size.live), [1, 1, 1, 0]);
        prop_assert_eq!([samples, label_bytes], [0, 0]);
    }
}
