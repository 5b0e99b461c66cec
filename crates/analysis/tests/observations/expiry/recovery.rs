//! A bound that was reached has room again once what filled it is idle.

use rstest::rstest;

use super::*;

/// The flood's workloads, each as a caller of its own series, call and evidence.
const FLOOD: usize = 40;

fn flood(collector: &mut Collector) {
    collector.take(0, (0..FLOOD).map(|number| to(&format!("junk-{number}"), 200)));
}

/// Requests to a workload that answers 200; `None` without such a series.
fn of(snapshot: &Snapshot, workload: &str) -> Option<u64> {
    requests(snapshot)
        .get(&(workload.to_owned(), "200".to_owned()))
        .copied()
}

// proves: expiry/bounds-recover
#[rstest]
#[case::samples(RegistryBounds { samples: 10 * 69, ..RegistryBounds::default() })]
#[case::calls(RegistryBounds { calls: 10, ..RegistryBounds::default() })]
#[case::label_bytes(RegistryBounds { label_bytes: 1500, ..RegistryBounds::default() })]
#[case::strings(RegistryBounds { string_bytes: 2500, ..RegistryBounds::default() })]
fn a_bound_has_room_again_once_what_filled_it_is_idle(#[case] bounds: RegistryBounds) {
    let mut collector = Collector::new(2, bounds);
    collector.take(0, [to("steady", 200)]);
    collector.pass(1);
    flood(&mut collector);
    collector.take(1, [to("late", 200)]);
    let full = collector.pass(2);
    assert_eq!(of(&full, "late"), None);
    let created = |snapshot: &Snapshot| snapshot.http.series(1).map(|series| series.created);
    let mut now = 2;
    // The steady one goes on, and so does another that had no room.
    for _ in 0..20 {
        now += IDLE / 10;
        collector.take(0, [to("steady", 200)]);
        collector.take(1, [to("late", 200)]);
        collector.pass(now);
    }
    collector.take(1, [to("new", 200), to("late", 200)]);
    let recovered = collector.pass(now + 1);
    assert_eq!(of(&recovered, "steady"), Some(21));
    assert_eq!(created(&recovered), created(&full));
    assert_eq!(of(&recovered, "new"), Some(1));
    assert!(of(&recovered, "late").is_some_and(|requests| requests > 1));
    assert_eq!(of(&recovered, "junk-0"), None);
    let overflow = |snapshot: &Snapshot| snapshot.http.counts()[0].requests;
    assert!(
        overflow(&recovered) >= overflow(&full),
        "what overflowed stays counted"
    );
    let all = 1 + FLOOD as u64 + 1 + 20 * 2 + 2;
    assert_eq!(observations(&recovered), [all; 2]);
}

// proves: expiry/bounds-recover
#[test]
fn evidence_has_room_again_once_what_filled_it_is_idle() {
    let mut collector = Collector::new(
        1,
        RegistryBounds {
            evidence: 10,
            ..RegistryBounds::default()
        },
    );
    collector.take(0, [to("steady", 200)]);
    flood(&mut collector);
    collector.pass(1);
    collector.take(0, [to("late", 200)]);
    let known = |snapshot: &Snapshot, workload: &str| {
        let rows = snapshot.evidence.rows();
        let row = rows
            .iter()
            .find(|row| &*row.evidence.destination.name == workload);
        row.map(|row| (row.observations, row.example.is_some()))
    };
    let full = collector.pass(2);
    assert_eq!(
        (known(&full, "junk-0"), known(&full, "late")),
        (Some((1, true)), None)
    );
    // The others go on.
    for tenth in 1..=20 {
        collector.take(0, [to("steady", 200), to("late", 200)]);
        collector.pass(2 + tenth * IDLE / 10);
    }
    collector.take(0, [to("new", 200)]);
    let recovered = collector.pass(3 + 2 * IDLE);
    assert_eq!(known(&recovered, "steady"), Some((21, true)));
    assert!(known(&recovered, "late").is_some_and(|(calls, _)| calls > 1));
    assert_eq!(
        (known(&recovered, "junk-0"), known(&recovered, "new")),
        (None, Some((1, true)))
    );
    assert_eq!(in_evidence(&recovered), FLOOD as u64 + 2 + 20 * 2 + 1);
}

// proves: expiry/starts-anew
#[test]
fn a_series_that_comes_back_starts_from_nothing_at_a_new_time() {
    let mut collector = Collector::new(1, RegistryBounds::default());
    let life = |snapshot: &Snapshot| {
        let mut series = snapshot.http.iter();
        let only = series.next().map(|(id, _, counts)| {
            let created = snapshot.http.series(id).unwrap().created;
            (counts.requests, created)
        });
        assert!(series.next().is_none());
        only
    };
    collector.pass(100);
    collector.take(0, [to("reviews", 200), to("reviews", 200)]);
    // It had counted nothing when the one before was published.
    assert_eq!(life(&collector.pass(200)), Some((2, at(100))));
    assert_eq!(life(&collector.pass(200 + IDLE)), Some((2, at(100))));
    assert_eq!(life(&collector.pass(201 + IDLE + IDLE / 6)), None);
    collector.take(0, [to("reviews", 200)]);
    let again = collector.pass(1000 + 2 * IDLE);
    assert_eq!(life(&again), Some((1, at(201 + IDLE + IDLE / 6))));
    assert_eq!((again.expired.series, again.expired.observations), (1, 2));
}

// proves: expiry/idle-only
#[test]
fn what_is_called_once_within_the_idle_time_stays() {
    let mut collector = Collector::new(1, RegistryBounds::default());
    let mut now = 0;
    for _ in 0..50 {
        collector.take(0, [to("reviews", 200)]);
        now += IDLE;
        collector.pass(now);
    }
    let snapshot = collector.pass(now + 1);
    assert_eq!(of(&snapshot, "reviews"), Some(50));
    assert_eq!(snapshot.expired.series, 0);
}

/// A worker that knew an identity, and the directory's texts, are not mistaken about numbers that became others' meanwhile.
// proves: expiry/nothing-lost
#[test]
fn numbers_that_became_others_are_not_taken_for_the_old_ones() {
    let mut collector = Collector::new(2, RegistryBounds::default());
    let by_address = || request(outbound(), Some(200));
    let all = |snapshot: &Snapshot| {
        let labels = snapshot
            .http
            .iter()
            .map(|(_, labels, _)| Labels::of(&labels.values));
        let reviews = labels.filter(|labels| labels.get("destination_workload") == "reviews");
        let of = |labels: Labels| {
            labels
                .all()
                .into_iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect()
        };
        reviews.map(of).collect::<Vec<Vec<String>>>()
    };
    collector.take(0, [by_address()]);
    collector.take(1, [by_address()]);
    let before = all(&collector.pass(1));
    assert_eq!(before.len(), 1, "{before:#?}");
    for hour in 2..6 {
        collector.pass(hour * IDLE);
    }
    let mut other = outbound();
    other.upstream_cluster = "outbound|80||other.test.svc.cluster.local".to_owned();
    other
        .filter_state_objects
        .insert("upstream_peer".to_owned(), peer("other"));
    collector.take(0, [request(other, Some(500))]);
    flood(&mut collector);
    collector.pass(6 * IDLE);
    let taken = collector.sizes().strings.live;
    collector.take(1, [by_address()]);
    let again = all(&collector.pass(6 * IDLE + 1));
    assert_eq!(again, before);
    assert!(collector.sizes().strings.live > taken, "its strings had gone");
}

// proves: expiry/bounds-recover
#[test]
fn an_edge_that_had_no_place_of_its_own_gets_one() {
    let mut collector = Collector::new(1, RegistryBounds::default());
    collector.take(0, (0..2000).map(|number| to(&format!("junk-{number}"), 200)));
    collector.pass(1);
    let row = |snapshot: &Snapshot, workload: &str, now: i64| {
        let span = snapshot.window.last(Duration::from_mins(1), at(now));
        let mut edges = span.edges.iter();
        let edge = edges.find(|(edge, _)| &*edge.destination.name == workload);
        edge.map(|(_, counts)| counts.calls)
    };
    collector.take(0, [to("late", 200)]);
    let full = collector.pass(2);
    assert_eq!((row(&full, "late", 2), row(&full, "other", 2)), (None, Some(1)));
    let mut now = 2;
    for _ in 0..15 {
        now += IDLE / 6;
        collector.take(0, [to("late", 200)]);
        collector.pass(now);
    }
    collector.take(0, [to("late", 200)]);
    let recovered = collector.pass(now + 300);
    assert_eq!(row(&recovered, "late", now + 300), Some(1));
    assert_eq!(row(&recovered, "other", now + 300), None);
    assert_eq!(of(&recovered, "late"), Some(17));
}

/// A request that a sidecar passes on to a host outside that only its caller names.
fn outside(host: &str) -> HttpAccessLogEntry {
    let nobody = socket("203.0.113.5", 80);
    let common = common(socket(PRODUCTPAGE, 40_000), nobody, None, "PassthroughCluster");
    let mut entry = request(common, Some(200));
    entry.request.as_mut().unwrap().authority = host.into();
    entry
}

// proves: expiry/bounds-recover, labels/outside-hosts-bound
#[test]
fn a_host_outside_gets_the_place_of_one_that_is_idle_while_others_are_called() {
    let mut collector = Collector::new(
        2,
        RegistryBounds {
            outside_hosts: 10,
            ..RegistryBounds::default()
        },
    );
    let calls = |snapshot: &Snapshot, host: &str| -> u64 {
        let series = snapshot.http.iter();
        let of_host =
            series.filter(|(_, labels, _)| Labels::of(&labels.values).get("destination_service") == host);
        of_host.map(|(_, _, counts)| counts.requests).sum()
    };
    collector.take(0, [outside("steady.example")]);
    collector.take(
        0,
        (0..FLOOD).map(|number| outside(&format!("junk-{number}.example"))),
    );
    collector.take(1, [outside("late.example")]);
    let full = collector.pass(1);
    let hosts = ["steady.example", "junk-0.example", "late.example", "other"];
    let in_other = FLOOD as u64 - 9 + 1;
    assert_eq!(hosts.map(|host| calls(&full, host)), [1, 1, 0, in_other]);
    for tenth in 1..=20 {
        collector.take(0, [outside("steady.example")]);
        collector.take(1, [outside("late.example")]);
        collector.pass(1 + tenth * IDLE / 10);
    }
    let before = full.accounting.outside_overflowed;
    collector.take(0, [outside("new.example"), outside("late.example")]);
    let recovered = collector.pass(2 + 2 * IDLE);
    let [steady, junk, late, other] = hosts.map(|host| calls(&recovered, host));
    assert_eq!((steady, junk, calls(&recovered, "new.example")), (21, 0, 1));
    assert!(late > 1, "{late}");
    assert_eq!(late + other, 21 + in_other, "each call is in one of them");
    assert!(recovered.accounting.outside_overflowed > before);
    assert_eq!(observations(&recovered), [1 + FLOOD as u64 + 1 + 40 + 2; 2]);
}
