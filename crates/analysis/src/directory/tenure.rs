//! Who held an address when.
//!
//! An address belongs to one holder at a time, but the objects that say so overlap: a pod whose node is lost stays for hours while
//! another one has its address. Of several holders at a call's start
//!
//! 1. those that were to be gone by then count only if all were;
//! 2. the one that was given the address last has it, and those before have it no more;
//! 3. one that was not certainly given it yet has it no sooner than the one before had ended.
//!
//! Whoever remains is the holder; more than one is ambiguous.

use std::sync::Arc;

use super::{CLOCK_SKEW, Found, Owner};
use crate::accounting::Unattributed;
use crate::analyze::rule::Rule;
use crate::moment::Moment;

/// A half-open span of start times: from `since`, before `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first moment inside.
    pub since: Moment,
    /// The first moment after it.
    pub until: Moment,
}

impl Validity {
    /// Every moment.
    pub const ALWAYS: Validity = Validity {
        since: Moment::MIN,
        until: Moment::MAX,
    };

    /// Whether `moment` is inside.
    pub fn contains(self, moment: Moment) -> bool {
        self.since <= moment && moment < self.until
    }

    /// The moments inside both.
    #[must_use]
    pub fn and(self, other: Validity) -> Validity {
        Validity {
            since: self.since.max(other.since),
            until: self.until.min(other.until),
        }
    }

    /// The part on the side of `edge` where `start` is.
    #[must_use]
    pub fn split_at(mut self, edge: Moment, start: Moment) -> Validity {
        if edge <= start {
            self.since = self.since.max(edge);
        } else {
            self.until = self.until.min(edge);
        }
        self
    }
}

/// One holder of an address, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenure<T> {
    /// From when until when, at most.
    pub held: Validity,
    /// From when on it certainly was the holder's and nobody's from before; [`Moment::MAX`] where the address may be shared.
    pub given: Moment,
    /// When it was to leave it.
    pub leaves: Moment,
    /// Who.
    pub holder: Arc<T>,
}

/// All remembered holders of one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenures<T>(Vec<Tenure<T>>);

impl<T> Default for Tenures<T> {
    fn default() -> Self {
        Tenures(Vec::new())
    }
}

/// What the tenures of an address say about one moment.
#[derive(Debug)]
pub struct Held<'a, T> {
    pub(super) holder: Result<&'a T, Unattributed>,
    pub(super) validity: Validity,
}

impl<'a, T> Held<'a, T> {
    /// An answer and the start times for which it holds.
    pub fn new(holder: Result<&'a T, Unattributed>, validity: Validity) -> Self {
        Held { holder, validity }
    }

    /// The answer, with a holder that is found by `rule` wrapped as `owner` says.
    pub fn map(self, rule: Rule, owner: impl FnOnce(&'a T) -> Owner<'a>) -> Found<'a> {
        match self.holder {
            Ok(holder) => Found {
                owner: owner(holder),
                rule,
                validity: self.validity,
            },
            Err(reason) => Found::unknown(reason, self.validity),
        }
    }
}

impl<T> Tenure<T> {
    /// A holder of what may have several at a time.
    pub fn shared(held: Validity, holder: Arc<T>) -> Self {
        Tenure {
            held,
            given: Moment::MAX,
            leaves: Moment::MAX,
            holder,
        }
    }
}

impl<T> Tenure<T> {
    /// Whether the only holder had the address at `start`, if it is asked for.
    fn alone(&self, start: Moment, is_asked: bool) -> Held<'_, T> {
        if !is_asked {
            return Held::new(Err(Unattributed::NotFound), Validity::ALWAYS);
        }
        let since = self.held.since.minus(CLOCK_SKEW);
        let mut validity = Validity::ALWAYS;
        for edge in [since, self.held.until] {
            validity = validity.split_at(edge, start);
        }
        let holder = if start < since {
            Err(Unattributed::BeforeHistory)
        } else if start < self.held.until {
            Ok(&*self.holder)
        } else {
            Err(Unattributed::NotFound)
        };
        Held::new(holder, validity)
    }
}

impl<T> Tenures<T> {
    /// Sets the tenure of a holder, in place of the one that `same` recognises. One that did not end keeps its beginning.
    pub fn set(&mut self, mut tenure: Tenure<T>, same: impl Fn(&T) -> bool) {
        if let Some(known) = self.0.iter_mut().find(|known| same(&known.holder)) {
            if known.held.until == Moment::MAX {
                tenure.held.since = tenure.held.since.max(known.held.since);
                tenure.given = tenure.given.min(known.given);
            }
            *known = tenure;
        } else {
            // Most addresses have one holder.
            self.0.reserve_exact(1);
            self.0.push(tenure);
        }
    }

    /// The tenure of the holder that `same` recognises.
    pub fn of(&self, same: impl Fn(&T) -> bool) -> Option<&Tenure<T>> {
        self.0.iter().find(|tenure| same(&tenure.holder))
    }

    /// Ends the tenure that `same` recognises at `until`, unless it has ended before.
    pub fn end(&mut self, until: Moment, same: impl Fn(&T) -> bool) {
        if let Some(known) = self.0.iter_mut().find(|known| same(&known.holder)) {
            known.held.until = known.held.until.min(until);
        }
    }

    /// Whether any tenure ended before `limit`.
    pub fn ended_before(&self, limit: Moment) -> bool {
        self.0.iter().any(|tenure| tenure.held.until < limit)
    }

    /// Forgets tenures that ended before `limit`.
    pub fn forget_ended_before(&mut self, limit: Moment) {
        self.0.retain(|tenure| tenure.held.until >= limit);
    }

    /// Whether nobody is remembered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Who held the address at `start`: the one tenure that contains it, and of several the one that the rules above leave. A start
    /// up to [`CLOCK_SKEW`] before the earliest tenure still belongs to it; one before that is before history.
    pub fn owner(&self, start: Moment) -> Held<'_, T> {
        self.owner_by(start, |_| Some(()))
    }

    /// The same among the holders of the first rank that anybody had at `start`; those without a rank are not there.
    pub fn owner_by<Rank: Ord>(&self, start: Moment, rank: impl Fn(&T) -> Option<Rank>) -> Held<'_, T> {
        // Nearly every address has had one holder.
        if let [only] = &*self.0 {
            return only.alone(start, rank(&only.holder).is_some());
        }
        let ranked = || self.0.iter().filter(|tenure| rank(&tenure.holder).is_some());
        let Some(earliest) = ranked().map(|tenure| tenure.held.since).min() else {
            return Held::new(Err(Unattributed::NotFound), Validity::ALWAYS);
        };
        let within = |tenure: &Tenure<T>| {
            let since = if tenure.held.since == earliest {
                earliest.minus(CLOCK_SKEW)
            } else {
                tenure.held.since
            };
            Validity {
                since,
                until: tenure.held.until,
            }
        };
        let validity = self.unchanged_around(start, earliest);
        let held = || ranked().filter(|tenure| within(tenure).contains(start));
        let first = held().filter_map(|tenure| rank(&tenure.holder)).min();
        let holders: Vec<&Tenure<T>> = held().filter(|tenure| rank(&tenure.holder) == first).collect();
        let holder = match *holders {
            [] if start < earliest.minus(CLOCK_SKEW) => Err(Unattributed::BeforeHistory),
            [] => Err(Unattributed::NotFound),
            _ => match one_of(&holders, start) {
                Some(one) => Ok(&*one.holder),
                None => Err(Unattributed::Ambiguous),
            },
        };
        Held::new(holder, validity)
    }

    /// The longest span around `start` in which no tenure begins, ends or is decided otherwise.
    fn unchanged_around(&self, start: Moment, earliest: Moment) -> Validity {
        let edges = self
            .0
            .iter()
            .flat_map(|tenure| [tenure.held.since, tenure.held.until, tenure.given, tenure.leaves]);
        let mut validity = Validity::ALWAYS;
        for edge in edges.chain([earliest.minus(CLOCK_SKEW)]) {
            validity = validity.split_at(edge, start);
        }
        validity
    }
}

/// Which of these holders at `start` is the only one.
fn one_of<'a, T>(holders: &[&'a Tenure<T>], start: Moment) -> Option<&'a Tenure<T>> {
    let stays = |tenure: &Tenure<T>| start < tenure.leaves;
    let do_all_leave = !holders.iter().any(|tenure| stays(tenure));
    let remain = holders.iter().copied();
    let remain: Vec<&Tenure<T>> = remain.filter(|tenure| do_all_leave || stays(tenure)).collect();
    if let [one] = *remain {
        return Some(one);
    }
    let were_given = remain.iter().filter(|tenure| tenure.given <= start);
    let last = were_given.max_by_key(|tenure| tenure.given)?;
    let is_not = |other: &Tenure<T>| {
        if other.given <= start {
            other.given < last.given
        } else {
            last.held.until <= other.given && other.given < Moment::MAX
        }
    };
    let mut others = remain
        .iter()
        .filter(|other| !Arc::ptr_eq(&other.holder, &last.holder));
    others.all(|other| is_not(other)).then_some(*last)
}

#[cfg(test)]
mod tests {
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
    fn the_holder_at_the_start_time_is_taken(
        #[case] start: i64,
        #[case] expected: Result<&str, Unattributed>,
    ) {
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
}
