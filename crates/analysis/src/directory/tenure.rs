//! Who held an address when.

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
    /// From when until when.
    pub held: Validity,
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

impl<T> Tenures<T> {
    /// Sets the tenure of a holder, in place of the one that `same` recognises.
    pub fn set(&mut self, tenure: Tenure<T>, same: impl Fn(&T) -> bool) {
        match self.0.iter_mut().find(|known| same(&known.holder)) {
            Some(known) => *known = tenure,
            None => self.0.push(tenure),
        }
    }

    /// The holder that `same` recognises.
    pub fn holder(&self, same: impl Fn(&T) -> bool) -> Option<&Arc<T>> {
        self.0
            .iter()
            .map(|tenure| &tenure.holder)
            .find(|holder| same(holder))
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

    /// Who held the address at `start`: the one tenure that contains it. Two are ambiguous. A start up to [`CLOCK_SKEW`]
    /// before the earliest tenure still belongs to it; one before that is before history.
    pub fn owner(&self, start: Moment) -> Held<'_, T> {
        let earliest = self
            .0
            .iter()
            .map(|tenure| tenure.held.since)
            .min()
            .unwrap_or(Moment::MAX);
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
        let mut holders = self.0.iter().filter(|tenure| within(tenure).contains(start));
        let holder = match (holders.next(), holders.next()) {
            (Some(one), None) => Ok(&*one.holder),
            (Some(_), Some(_)) => Err(Unattributed::Ambiguous),
            (None, _) if start < earliest.minus(CLOCK_SKEW) => Err(Unattributed::BeforeHistory),
            (None, _) => Err(Unattributed::NotFound),
        };
        Held::new(holder, validity)
    }

    /// The longest span around `start` in which no tenure begins or ends.
    fn unchanged_around(&self, start: Moment, earliest: Moment) -> Validity {
        let edges = self
            .0
            .iter()
            .flat_map(|tenure| [tenure.held.since, tenure.held.until]);
        let mut validity = Validity::ALWAYS;
        for edge in edges.chain([earliest.minus(CLOCK_SKEW)]) {
            validity = validity.split_at(edge, start);
        }
        validity
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const fn seconds(n: i64) -> Moment {
        Moment(n * 1_000_000_000)
    }

    fn tenures(spans: &[(Moment, Moment, &'static str)]) -> Tenures<&'static str> {
        let tenure = |(since, until, holder): &(Moment, Moment, &'static str)| Tenure {
            held: Validity {
                since: *since,
                until: *until,
            },
            holder: Arc::new(*holder),
        };
        Tenures(spans.iter().map(tenure).collect())
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
