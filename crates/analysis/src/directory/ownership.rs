//! Who owned an address when.
//!
//! An address has one owner at a time, but the objects that say so overlap: Kubernetes keeps a pod whose node is lost for hours, while
//! another pod already has its address. Of several owners at a call's start
//!
//! 1. one that was due to release the address by then counts only if all were;
//! 2. the one that was assigned the address last owns it, and those before no longer do;
//! 3. one that may have been assigned the address later owns it only after the one before had ended.
//!
//! Whoever remains is the owner. If several remain, the owner is ambiguous.

use std::sync::Arc;

use super::found::{FoundOwner, Owner};
use super::validity::{CLOCK_SKEW, Validity};
use crate::accounting::Unattributed;
use crate::moment::Moment;
use crate::rule::Rule;

/// One owner of an address, with the times of its ownership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ownership<T> {
    /// The longest span in which it may have owned the address.
    pub span: Validity,
    /// Since when the address certainly was this owner's alone; [`Moment::MAX`] where owners may share it.
    pub assigned: Moment,
    /// When it was due to release the address.
    pub released: Moment,
    /// The owner.
    pub owner: Arc<T>,
}

/// All remembered owners of one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ownerships<T>(Vec<Ownership<T>>);

impl<T> Default for Ownerships<T> {
    fn default() -> Self {
        Ownerships(Vec::new())
    }
}

/// Who owned an address at one moment.
#[derive(Debug)]
pub struct OwnerAt<'a, T> {
    pub(super) owner: Result<&'a T, Unattributed>,
    pub(super) validity: Validity,
}

impl<'a, T> OwnerAt<'a, T> {
    /// An answer and the start times for which it holds.
    pub fn new(owner: Result<&'a T, Unattributed>, validity: Validity) -> Self {
        OwnerAt { owner, validity }
    }

    /// The answer, with an owner that is found by `rule` wrapped as `wrap` says.
    pub fn map(self, rule: Rule, wrap: impl FnOnce(&'a T) -> Owner<'a>) -> FoundOwner<'a> {
        match self.owner {
            Ok(owner) => FoundOwner {
                owner: wrap(owner),
                rule,
                validity: self.validity,
            },
            Err(reason) => FoundOwner::unknown(reason, self.validity),
        }
    }
}

impl<T> Ownership<T> {
    /// An owner of what may have several at a time.
    pub fn shared(span: Validity, owner: Arc<T>) -> Self {
        Ownership {
            span,
            assigned: Moment::MAX,
            released: Moment::MAX,
            owner,
        }
    }
}

impl<T> Ownership<T> {
    /// Whether the only owner had the address at `start`, if it is asked for.
    fn alone(&self, start: Moment, is_asked: bool) -> OwnerAt<'_, T> {
        if !is_asked {
            return OwnerAt::new(Err(Unattributed::NotFound), Validity::ALWAYS);
        }
        let since = self.span.since.minus(CLOCK_SKEW);
        let mut validity = Validity::ALWAYS;
        for edge in [since, self.span.until] {
            validity = validity.split_at(edge, start);
        }
        let owner = if start < since {
            Err(Unattributed::BeforeHistory)
        } else if start < self.span.until {
            Ok(&*self.owner)
        } else {
            Err(Unattributed::NotFound)
        };
        OwnerAt::new(owner, validity)
    }
}

impl<T> Ownerships<T> {
    /// Sets the ownership of an owner, in place of the one that `same` recognises. One that did not end keeps its beginning.
    pub fn set(&mut self, mut ownership: Ownership<T>, same: impl Fn(&T) -> bool) {
        if let Some(known) = self.0.iter_mut().find(|known| same(&known.owner)) {
            if known.span.until == Moment::MAX {
                ownership.span.since = ownership.span.since.max(known.span.since);
                ownership.assigned = ownership.assigned.min(known.assigned);
            }
            *known = ownership;
        } else {
            // Most addresses have one owner.
            self.0.reserve_exact(1);
            self.0.push(ownership);
        }
    }

    /// The ownership of the owner that `same` recognises.
    pub fn of(&self, same: impl Fn(&T) -> bool) -> Option<&Ownership<T>> {
        self.0.iter().find(|ownership| same(&ownership.owner))
    }

    /// Ends the ownership that `same` recognises at `until`, unless it has ended before.
    pub fn end(&mut self, until: Moment, same: impl Fn(&T) -> bool) {
        if let Some(known) = self.0.iter_mut().find(|known| same(&known.owner)) {
            known.span.until = known.span.until.min(until);
        }
    }

    /// Whether any ownership ended before `limit`.
    pub fn ended_before(&self, limit: Moment) -> bool {
        self.0.iter().any(|ownership| ownership.span.until < limit)
    }

    /// Forgets ownerships that ended before `limit`.
    pub fn forget_ended_before(&mut self, limit: Moment) {
        self.0.retain(|ownership| ownership.span.until >= limit);
    }

    /// Whether nobody is remembered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Who held the address at `start`: the one ownership that contains it, and of several the one that the rules above leave. A start
    /// up to [`CLOCK_SKEW`] before the earliest ownership still belongs to it; one before that is before history.
    pub fn owner(&self, start: Moment) -> OwnerAt<'_, T> {
        self.owner_by(start, |_| Some(()))
    }

    /// The same among the owners of the first rank that anybody had at `start`; those without a rank are not there.
    pub fn owner_by<Rank: Ord>(&self, start: Moment, rank: impl Fn(&T) -> Option<Rank>) -> OwnerAt<'_, T> {
        // Nearly every address has had one owner.
        if let [only] = &*self.0 {
            return only.alone(start, rank(&only.owner).is_some());
        }
        let ranked = || self.0.iter().filter(|ownership| rank(&ownership.owner).is_some());
        let Some(earliest) = ranked().map(|ownership| ownership.span.since).min() else {
            return OwnerAt::new(Err(Unattributed::NotFound), Validity::ALWAYS);
        };
        let within = |ownership: &Ownership<T>| {
            let since = if ownership.span.since == earliest {
                earliest.minus(CLOCK_SKEW)
            } else {
                ownership.span.since
            };
            Validity {
                since,
                until: ownership.span.until,
            }
        };
        let validity = self.unchanged_around(start, earliest);
        let held = || ranked().filter(|ownership| within(ownership).contains(start));
        let first = held().filter_map(|ownership| rank(&ownership.owner)).min();
        let owners: Vec<&Ownership<T>> = held()
            .filter(|ownership| rank(&ownership.owner) == first)
            .collect();
        let owner = match *owners {
            [] if start < earliest.minus(CLOCK_SKEW) => Err(Unattributed::BeforeHistory),
            [] => Err(Unattributed::NotFound),
            _ => match one_of(&owners, start) {
                Some(one) => Ok(&*one.owner),
                None => Err(Unattributed::Ambiguous),
            },
        };
        OwnerAt::new(owner, validity)
    }

    /// The longest span around `start` in which no ownership begins, ends or is decided otherwise.
    fn unchanged_around(&self, start: Moment, earliest: Moment) -> Validity {
        let edges = self.0.iter().flat_map(|ownership| {
            [
                ownership.span.since,
                ownership.span.until,
                ownership.assigned,
                ownership.released,
            ]
        });
        let mut validity = Validity::ALWAYS;
        for edge in edges.chain([earliest.minus(CLOCK_SKEW)]) {
            validity = validity.split_at(edge, start);
        }
        validity
    }
}

/// Which of these owners at `start` is the only one.
fn one_of<'a, T>(owners: &[&'a Ownership<T>], start: Moment) -> Option<&'a Ownership<T>> {
    let stays = |ownership: &Ownership<T>| start < ownership.released;
    let do_all_leave = !owners.iter().any(|ownership| stays(ownership));
    let remain = owners.iter().copied();
    let remain: Vec<&Ownership<T>> = remain
        .filter(|ownership| do_all_leave || stays(ownership))
        .collect();
    if let [one] = *remain {
        return Some(one);
    }
    let were_given = remain.iter().filter(|ownership| ownership.assigned <= start);
    let last = were_given.max_by_key(|ownership| ownership.assigned)?;
    let is_not = |other: &Ownership<T>| {
        if other.assigned <= start {
            other.assigned < last.assigned
        } else {
            last.span.until <= other.assigned && other.assigned < Moment::MAX
        }
    };
    let mut others = remain
        .iter()
        .filter(|other| !Arc::ptr_eq(&other.owner, &last.owner));
    others.all(|other| is_not(other)).then_some(*last)
}

#[cfg(test)]
mod tests;
