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
mod tests;
