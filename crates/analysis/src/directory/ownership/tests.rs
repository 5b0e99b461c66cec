use rstest::rstest;

use super::*;

const fn seconds(n: i64) -> Moment {
    Moment(n * 1_000_000_000)
}

fn ownerships(spans: &[(Moment, Moment, &'static str)]) -> Ownerships<&'static str> {
    let ownership = |(since, until, owner): &(Moment, Moment, &'static str)| {
        let (since, until) = (*since, *until);
        Ownership::shared(Validity { since, until }, Arc::new(*owner))
    };
    Ownerships(spans.iter().map(ownership).collect())
}

/// An ownership in seconds; 0 is never.
fn ownership(owner: &'static str, [since, assigned, released, until]: [i64; 4]) -> Ownership<&'static str> {
    let or_never = |second| if second == 0 { Moment::MAX } else { seconds(second) };
    Ownership {
        span: Validity {
            since: seconds(since),
            until: or_never(until),
        },
        assigned: or_never(assigned),
        released: or_never(released),
        owner: Arc::new(owner),
    }
}

const OLD: [i64; 4] = [10, 12, 0, 0];

#[rstest]
// proves: directory/later-owner
#[case::given_later(OLD, [50, 55, 0, 0], &[(49, "old"), (55, "new"), (5000, "new")])]
// proves: directory/later-owner
#[case::between_start_and_gift_either(OLD, [50, 55, 0, 0], &[(50, "?"), (54, "?")])]
// proves: directory/later-owner
#[case::an_end_before_the_gift([10, 12, 0, 53], [50, 55, 0, 0], &[(52, "old"), (53, "new"), (55, "new")])]
// proves: directory/later-owner
#[case::an_end_that_was_seen_after_the_gift([10, 12, 0, 70], [50, 55, 0, 0], &[(49, "old"), (50, "?"), (55, "new"), (70, "new")])]
// proves: directory/ambiguous
#[case::given_at_once(OLD, [50, 12, 0, 0], &[(50, "?"), (60, "?")])]
// proves: directory/ambiguous
#[case::shared([10, 0, 0, 0], [50, 0, 0, 0], &[(49, "old"), (50, "?"), (5000, "?")])]
// proves: directory/ambiguous
#[case::one_shares(OLD, [50, 0, 0, 0], &[(49, "old"), (50, "?"), (5000, "?")])]
// proves: directory/leaving
#[case::was_to_leave([10, 0, 40, 0], [30, 0, 0, 0], &[(29, "old"), (39, "?"), (40, "new"), (5000, "new")])]
// proves: directory/leaving
#[case::was_to_leave_before([10, 12, 40, 0], [50, 55, 0, 0], &[(49, "old"), (50, "new"), (55, "new")])]
// proves: directory/leaving
#[case::both_were_to_leave([10, 12, 40, 0], [50, 55, 60, 0], &[(59, "new"), (60, "new"), (5000, "new")])]
// proves: directory/leaving
#[case::nobody_comes([10, 12, 40, 0], [50, 55, 0, 51], &[(49, "old"), (52, "old"), (5000, "old")])]
fn of_several_owners_the_one_that_can_be_is_taken(
    #[case] old: [i64; 4],
    #[case] new: [i64; 4],
    #[case] expected: &[(i64, &str)],
) {
    let in_order = Ownerships(vec![ownership("old", old), ownership("new", new)]);
    let reversed = Ownerships(vec![ownership("new", new), ownership("old", old)]);
    for ownerships in [in_order, reversed] {
        for (start, expected) in expected {
            let held = ownerships.owner(seconds(*start));
            let owner = match held.owner {
                Ok(owner) => owner,
                Err(Unattributed::Ambiguous) => "?",
                Err(_) => "-",
            };
            assert_eq!(owner, *expected, "{start}");
            // The answer is the same wherever it is said to be.
            for at in [
                held.validity.since,
                Moment(held.validity.until.0.saturating_sub(1)),
            ] {
                let same = ownerships.owner(at);
                assert_eq!(
                    (same.owner, same.validity),
                    (held.owner, held.validity),
                    "{start}"
                );
            }
        }
    }
}

#[test]
fn a_ownership_that_goes_on_keeps_its_beginning() {
    let mut ownerships = Ownerships::default();
    for change in [[30, 35, 0, 0], [10, 50, 0, 0]] {
        ownerships.set(ownership("one", change), |owner| *owner == "one");
    }
    assert_eq!(ownerships, Ownerships(vec![ownership("one", [30, 35, 0, 0])]));
    ownerships.end(seconds(60), |_| true);
    ownerships.set(ownership("one", [70, 75, 0, 0]), |_| true);
    assert_eq!(ownerships, Ownerships(vec![ownership("one", [70, 75, 0, 0])]));
}

#[rstest]
#[case::inside_the_first(15, Ok("old"))]
#[case::first_moment(10, Ok("old"))]
#[case::the_end_is_outside(20, Err(Unattributed::NotFound))]
#[case::between(22, Err(Unattributed::NotFound))]
#[case::inside_the_second(30, Ok("new"))]
#[case::skew_belongs_to_the_earliest(6, Ok("old"))]
#[case::skew_at_its_limit(5, Ok("old"))]
#[case::before_history(4, Err(Unattributed::BeforeHistory))]
fn the_owner_at_the_start_time_is_taken(#[case] start: i64, #[case] expected: Result<&str, Unattributed>) {
    let ownerships = ownerships(&[
        (seconds(10), seconds(20), "old"),
        (seconds(25), Moment::MAX, "new"),
    ]);
    let held = ownerships.owner(seconds(start));
    assert_eq!(held.owner.copied(), expected);
    assert!(held.validity.contains(seconds(start)));
}

#[test]
fn overlapping_ownership_are_ambiguous_only_where_they_overlap() {
    let ownerships = ownerships(&[
        (seconds(10), seconds(30), "old"),
        (seconds(25), Moment::MAX, "new"),
    ]);
    assert_eq!(ownerships.owner(seconds(27)).owner, Err(Unattributed::Ambiguous));
    assert_eq!(
        ownerships.owner(seconds(27)).validity,
        Validity {
            since: seconds(25),
            until: seconds(30)
        }
    );
    assert_eq!(ownerships.owner(seconds(24)).owner.copied(), Ok("old"));
    assert_eq!(ownerships.owner(seconds(30)).owner.copied(), Ok("new"));
}

#[test]
fn a_ownership_without_a_start_holds_from_the_beginning() {
    let ownerships = ownerships(&[(Moment::MIN, Moment::MAX, "static")]);
    assert_eq!(ownerships.owner(Moment(0)).owner.copied(), Ok("static"));
    assert_eq!(ownerships.owner(Moment(0)).validity, Validity::ALWAYS);
}
