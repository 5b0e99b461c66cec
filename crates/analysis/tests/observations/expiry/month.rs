//! A month of deployments: each hour all workloads have new names, versions and revisions, and answer with other codes.

use alscope_analysis::aggregate::registry::TableSize;
use prost_types::Any;

use super::*;
use crate::objects::{any_struct, texts};

const HOURS: i64 = 30 * 24;
/// Passes of an hour.
const PASSES: i64 = 3;
/// Workloads that are deployed anew each hour.
const WORKLOADS: i64 = 5;

/// A peer as it is called in an hour.
fn deployed(workload: i64, hour: i64) -> Any {
    let name = format!("workload-{workload}-{hour:05}");
    let version = format!("v{hour:05}");
    any_struct(&texts(&[
        ("workload", &name),
        ("namespace", "demo"),
        ("cluster", "west"),
        ("service", &format!("service-{workload}")),
        ("app", &name),
        ("version", &version),
        ("revision", &version),
        ("identity", &format!("spiffe://cluster.local/ns/demo/sa/{name}")),
    ]))
}

/// Calls of an hour: to all that is deployed, at hosts that nobody called before, and to one that stays.
fn calls(hour: i64) -> impl Iterator<Item = HttpAccessLogEntry> {
    let to_deployed = move |workload: i64| {
        let mut common = outbound();
        common
            .filter_state_objects
            .insert("upstream_peer".to_owned(), deployed(workload, hour));
        common.upstream_cluster = format!("outbound|80||host-{workload}-{hour:05}.test.svc.cluster.local");
        request(common, Some(200 + u32::try_from(hour % 100).unwrap()))
    };
    (0..WORKLOADS).map(to_deployed).chain([to("steady", 200)])
}

/// What must not grow.
#[derive(Debug, PartialEq)]
struct Held {
    sizes: RegistrySizes,
    series: usize,
    slots: [usize; 2],
    evidence: usize,
    edges: usize,
    edge_slots: usize,
}

// proves: expiry/flat
#[test]
fn a_month_of_deployments_takes_no_more_than_its_second_day() {
    let mut collector = Collector::new(2, RegistryBounds::default());
    let mut taken = 0;
    let mut second_day = None;
    for hour in 0..HOURS {
        for pass in 0..PASSES {
            let now = (hour * PASSES + pass + 1) * 3600 / PASSES;
            for worker in 0..2 {
                collector.take(worker, calls(hour));
                taken += WORKLOADS.unsigned_abs() + 1;
            }
            let snapshot = collector.pass(now);
            if (hour % 24, pass) != (23, PASSES - 1) {
                continue;
            }
            assert_eq!(observations(&snapshot), [taken; 2]);
            assert_eq!(in_evidence(&snapshot), taken);
            let held = Held {
                sizes: collector.sizes(),
                series: snapshot.http.iter().count(),
                slots: [snapshot.http.slots(), snapshot.tcp.slots()],
                evidence: snapshot.evidence.rows().len(),
                edges: snapshot.window.last(Duration::from_hours(1), at(now)).edges.len(),
                edge_slots: snapshot.window.slots(),
            };
            match &second_day {
                None if hour > 24 => second_day = Some(held),
                None => (),
                Some(second_day) => assert_eq!(&held, second_day, "hour {hour}"),
            }
        }
    }
    let held = second_day.unwrap();
    // Those of this hour, of the one before that are not yet idle, and the steady one.
    let expected = 2 * usize::try_from(WORKLOADS).unwrap() + 1;
    assert!(
        (expected..=expected + expected / 2).contains(&held.series),
        "{held:?}"
    );
    let most = |TableSize { live, slots }: TableSize| live <= slots && slots <= 40;
    let RegistrySizes {
        calls,
        http,
        evidence,
        ..
    } = held.sizes;
    assert!([calls, http, evidence].into_iter().all(most), "{held:?}");
    let steady = requests(&collector.pass(HOURS * 3600 + 1));
    assert_eq!(
        steady[&("steady".to_owned(), "200".to_owned())],
        (HOURS * PASSES * 2).unsigned_abs()
    );
}
