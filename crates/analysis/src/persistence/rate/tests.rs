use rstest::rstest;

use super::*;
use crate::analyze::protocol::Protocol;

const FIRST: Symbol = Symbol::UNKNOWN;
const OTHER: Symbol = Symbol::EMPTY;

fn kind(service: Symbol, reason: KeepReason, code: u32) -> RateKey {
    let outcome = Outcome {
        protocol: Protocol::Http,
        code,
        flags: ResponseFlags::default(),
    };
    RateKey::new(service, reason, outcome)
}

fn at(seconds: i64) -> Moment {
    Moment::from_unix(seconds, 0)
}

/// How many of ten entries are admitted.
fn admitted(worker: &mut WorkerRate, rate: &EntryRate, kind: RateKey, seconds: i64) -> usize {
    (0..10).filter(|_| worker.admits(rate, kind, at(seconds))).count()
}

#[rstest]
// proves: persistence/rate
#[case::the_same(kind(FIRST, KeepReason::Error, 500), 60, 0)]
#[case::the_same_minute(kind(FIRST, KeepReason::Error, 500), 119, 0)]
// proves: persistence/rate-minute
#[case::the_next_minute(kind(FIRST, KeepReason::Error, 500), 120, 4)]
// proves: persistence/rate-kind
#[case::another_service(kind(OTHER, KeepReason::Error, 500), 60, 4)]
// proves: persistence/rate-kind
#[case::another_code(kind(FIRST, KeepReason::Error, 503), 60, 4)]
// proves: persistence/rate-reason
#[case::another_reason(kind(FIRST, KeepReason::Slow, 500), 60, 4)]
#[case::a_moment_late(kind(FIRST, KeepReason::Error, 500), 59, 0)]
#[case::a_clock_that_was_set_back(kind(FIRST, KeepReason::Error, 500), -3600, 4)]
fn a_kind_is_kept_so_often_in_a_minute(#[case] kind: RateKey, #[case] seconds: i64, #[case] expected: usize) {
    let rate = EntryRate::new(4);
    let mut worker = WorkerRate::default();
    let before = self::kind(FIRST, KeepReason::Error, 500);
    assert_eq!(admitted(&mut worker, &rate, before, 60), 4);
    assert_eq!(admitted(&mut worker, &rate, kind, seconds), expected);
}

// proves: persistence/rate-shared
#[test]
fn all_workers_share_the_rate() {
    let rate = EntryRate::new(4);
    let kind = kind(FIRST, KeepReason::Error, 500);
    let mut workers = [WorkerRate::default(), WorkerRate::default()];
    let admitted = workers.each_mut().map(|worker| admitted(worker, &rate, kind, 60));
    assert_eq!(admitted, [4, 0]);
}

// proves: persistence/rate-bound
#[test]
fn kinds_beyond_the_bound_share_one_rate() {
    let rate = EntryRate::new(2);
    let mut worker = WorkerRate::default();
    let codes = 0..u32::try_from(MAX_RATE_KEYS).expect("the bound is small") + 10;
    let within = codes
        .clone()
        .filter(|code| worker.admits(&rate, kind(FIRST, KeepReason::Error, *code), at(60)));
    assert_eq!(within.count(), MAX_RATE_KEYS + 2);
    // Those within it have their own.
    let within = codes.filter(|code| worker.admits(&rate, kind(FIRST, KeepReason::Error, *code), at(60)));
    assert_eq!(within.count(), MAX_RATE_KEYS);
    assert_eq!(rate.minute.lock().kept.len(), MAX_RATE_KEYS + 1);
    // The next minute has room for others, though one of the old ones goes on.
    let next =
        [0, u32::MAX].map(|code| admitted(&mut worker, &rate, kind(FIRST, KeepReason::Error, code), 120));
    assert_eq!((next, rate.minute.lock().kept.len()), ([2, 2], 2));
}
