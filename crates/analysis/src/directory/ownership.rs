//! Decides who owned an address at a given time.
//!
//! An address has one owner at a time, but the objects overlap: when a node is lost, Kubernetes keeps its pods for hours, while
//! other pods already have their addresses. Of several owners at the start of a call
//!
//! 1. an owner that was due to release the address by then counts only if all were;
//! 2. the owner to which the address was assigned last counts, and earlier ones no longer do;
//! 3. an owner to which the address may have been assigned later counts only after the previous ownership has ended.
//!
//! If one owner remains, it is the owner. If several remain, the owner is ambiguous.

use std::sync::Arc;

use super::found::{FoundOwner, Owner};
use super::validity::{CLOCK_SKEW, Validity};
use crate::accounting::Unattributed;
use crate::moment::Moment;
use crate::rule::Rule;

/// One owner of an address, with the times of the ownership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ownership<T> {
    /// The longest span in which it may have owned the address.
    pub span: Validity,
    /// When the address was certainly assigned to this owner alone; [`Moment::MAX`] where owners may share it.
    pub assigned: Moment,
    /// When it was due to release the address.
    pub released: Moment,
    /// The party that owned it.
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
    /// An owner or the reason why there is none, and the start times for which that holds.
    pub fn new(owner: Result<&'a T, Unattributed>, validity: Validity) -> Self {
        OwnerAt { owner, validity }
    }

    /// The answer by `rule`. `wrap` makes the owner.
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
    /// An ownership of an address that may have several owners at a time.
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
    /// Who had the address at `start` if this is its only ownership. `is_asked` says whether this owner counts.
    fn owner_if_only(&self, start: Moment, is_asked: bool) -> OwnerAt<'_, T> {
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
    /// Sets the ownership of an owner, in place of the one that `same` recognises. An ownership that has not ended keeps its start.
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
    pub fn find(&self, same: impl Fn(&T) -> bool) -> Option<&Ownership<T>> {
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

    /// Whether no ownership is remembered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The owner at `start`, by the rules of this module if there are several. The earliest ownership also counts for a start up to
    /// [`CLOCK_SKEW`] before it. An earlier start is before history.
    pub fn owner(&self, start: Moment) -> OwnerAt<'_, T> {
        self.owner_by(start, |_| Some(()))
    }

    /// The owner at `start` among those of the lowest rank that any owner then had. Owners without a rank do not count.
    pub fn owner_by<Rank: Ord>(&self, start: Moment, rank: impl Fn(&T) -> Option<Rank>) -> OwnerAt<'_, T> {
        // Nearly every address has had one owner.
        if let [only] = &*self.0 {
            return only.owner_if_only(start, rank(&only.owner).is_some());
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
            _ => match resolve_overlap(&owners, start) {
                Some(one) => Ok(&*one.owner),
                None => Err(Unattributed::Ambiguous),
            },
        };
        OwnerAt::new(owner, validity)
    }

    /// The longest span around `start` in which the answer can't change.
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

/// The one of these owners that the rules of this module leave at `start`, if it is one.
fn resolve_overlap<'a, T>(owners: &[&'a Ownership<T>], start: Moment) -> Option<&'a Ownership<T>> {
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
