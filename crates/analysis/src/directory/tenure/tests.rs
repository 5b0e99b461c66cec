use rstest::rstest;

use super::*;

const fn seconds(n: i64) -> Moment {
    Moment(n * 1_000_000_000)
}

fn tenures(spans: &[(Moment, Moment, &'static str)]) -> Tenures<&'static str> {
    let tenure = |(since, until, holder): &(Moment, Moment, &'static str)| {
        let (since, until) = (*since, *until);
        Tenure::shared(Validity { since, until }, Arc::new(*holder))
    };
    Tenures(spans.iter().map(tenure).collect())
}

/// A tenure in seconds; 0 is never.
fn tenure(holder: &'static str, [since, given, leaves, until]: [i64; 4]) -> Tenure<&'static str> {
    let or_never = |second| if second == 0 { Moment::MAX } else { seconds(second) };
    Tenure {
        held: Validity {
            since: seconds(since),
            until: or_never(until),
        },
        given: or_never(given),
        leaves: or_never(leaves),
        holder: Arc::new(holder),
    }
}

const OLD: [i64; 4] = [10, 12, 0, 0];

#[rstest]
// proves: directory/later-holder
#[case::given_later(OLD, [50, 55, 0, 0], &[(49, "old"), (55, "new"), (5000, "new")])]
// proves: directory/later-holder
#[case::between_start_and_gift_either(OLD, [50, 55, 0, 0], &[(50, "?"), (54, "?")])]
// proves: directory/later-holder
#[case::an_end_before_the_gift([10, 12, 0, 53], [50, 55, 0, 0], &[(52, "old"), (53, "new"), (55, "new")])]
// proves: directory/later-holder
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
fn of_several_holders_the_one_that_can_be_is_taken(
    #[case] old: [i64; 4],
    #[case] new: [i64; 4],
    #[case] expected: &[(i64, &str)],
) {
    let in_order = Tenures(vec![tenure("old", old), tenure("new", new)]);
    let reversed = Tenures(vec![tenure("new", new), tenure("old", old)]);
    for tenures in [in_order, reversed] {
        for (start, expected) in expected {
            let held = tenures.owner(seconds(*start));
            let holder = match held.holder {
                Ok(holder) => holder,
                Err(Unattributed::Ambiguous) => "?",
                Err(_) => "-",
            };
            assert_eq!(holder, *expected, "{start}");
            // The answer is the same wherever it is said to be.
            for at in [
                held.validity.since,
                Moment(held.validity.until.0.saturating_sub(1)),
            ] {
                let same = tenures.owner(at);
                assert_eq!(
                    (same.holder, same.validity),
                    (held.holder, held.validity),
                    "{start}"
                );
            }
        }
    }
}

#[test]
fn a_tenure_that_goes_on_keeps_its_beginning() {
    let mut tenures = Tenures::default();
    for change in [[30, 35, 0, 0], [10, 50, 0, 0]] {
        tenures.set(tenure("one", change), |holder| *holder == "one");
    }
    assert_eq!(tenures, Tenures(vec![tenure("one", [30, 35, 0, 0])]));
    tenures.end(seconds(60), |_| true);
    tenures.set(tenure("one", [70, 75, 0, 0]), |_| true);
    assert_eq!(tenures, Tenures(vec![tenure("one", [70, 75, 0, 0])]));
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
fn the_holder_at_the_start_time_is_taken(#[case] start: i64, #[case] expected: Result<&str, Unattributed>) {
    let tenures = tenures(&[
        (seconds(10), seconds(20), "old"),
        (seconds(25), Moment::MAX, "new"),
    ]);
    let held = tenures.owner(seconds(start));
    assert_eq!(held.holder.copied(), expected);
    assert!(held.validity.contains(seconds(start)));
}

#[test]
fn overlapping_tenures_are_ambiguous_only_where_they_overlap() {
    let tenures = tenures(&[
        (seconds(10), seconds(30), "old"),
        (seconds(25), Moment::MAX, "new"),
    ]);
    assert_eq!(tenures.owner(seconds(27)).holder, Err(Unattributed::Ambiguous));
    assert_eq!(
        tenures.owner(seconds(27)).validity,
        Validity {
            since: seconds(25),
            until: seconds(30)
        }
    );
    assert_eq!(tenures.owner(seconds(24)).holder.copied(), Ok("old"));
    assert_eq!(tenures.owner(seconds(30)).holder.copied(), Ok("new"));
}

#[test]
fn a_tenure_without_a_start_holds_from_the_beginning() {
    let tenures = tenures(&[(Moment::MIN, Moment::MAX, "static")]);
    assert_eq!(tenures.owner(Moment(0)).holder.copied(), Ok("static"));
    assert_eq!(tenures.owner(Moment(0)).validity, Validity::ALWAYS);
}
