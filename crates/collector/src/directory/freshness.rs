//! How fresh what the directory holds of each kind is: the sources write it, metrics and `/readyz?verbose` read it.

use std::time::Duration;

use alscope_analysis::directory::records::ObjectKind;
use parking_lot::Mutex;
use tokio::time::Instant;

/// What the sources know about each kind's freshness.
#[derive(Debug, Default)]
pub struct Freshness(Mutex<Vec<(ObjectKind, Seen)>>);

#[derive(Debug)]
struct Seen {
    is_listed: bool,
    /// The last word of the source; until there is any, when it was first asked.
    heard: Instant,
    /// The last failure since the source worked.
    failure: Option<(Instant, String)>,
    failures: u64,
    skipped: u64,
}

/// One kind's freshness at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindFreshness {
    /// The kind.
    pub kind: ObjectKind,
    /// Whether all its objects have been listed once.
    pub is_listed: bool,
    /// Time since the source's last word about it; until there is any, since it was first asked.
    pub age: Duration,
    /// The last failure and how long ago it was, unless the source works again.
    pub failure: Option<(Duration, String)>,
    /// How often its source failed.
    pub failures: u64,
    /// How often an object came that could not be decoded.
    pub skipped: u64,
}

impl Freshness {
    /// The freshness of a directory that has these kinds and is filled from now on.
    pub fn of(kinds: &[ObjectKind]) -> Self {
        let heard = Instant::now();
        let seen = |kind: &ObjectKind| {
            let seen = Seen {
                is_listed: false,
                heard,
                failure: None,
                failures: 0,
                skipped: 0,
            };
            (*kind, seen)
        };
        Freshness(Mutex::new(kinds.iter().map(seen).collect()))
    }

    /// Takes word that the source knows of nothing newer about `kind` than what it has told.
    pub fn heard(&self, kind: ObjectKind) {
        self.change(kind, |seen| seen.heard = Instant::now());
    }

    /// Takes word that all objects of `kind` are listed.
    pub fn listed(&self, kind: ObjectKind) {
        self.change(kind, |seen| seen.is_listed = true);
    }

    /// Takes a failure of the source of `kind`.
    pub fn failed(&self, kind: ObjectKind, why: &str) {
        self.change(kind, |seen| {
            seen.failure = Some((Instant::now(), why.to_owned()));
            seen.failures += 1;
        });
    }

    /// Takes word that the source of `kind` does not fail any more.
    pub fn works(&self, kind: ObjectKind) {
        self.change(kind, |seen| seen.failure = None);
    }

    /// Takes word of an object of `kind` that could not be decoded.
    pub fn skipped(&self, kind: ObjectKind) {
        self.change(kind, |seen| seen.skipped += 1);
    }

    /// Every kind's freshness now.
    pub fn now(&self) -> Vec<KindFreshness> {
        let now = Instant::now();
        let known = self.0.lock();
        let of = |(kind, seen): &(ObjectKind, Seen)| KindFreshness {
            kind: *kind,
            is_listed: seen.is_listed,
            age: now.duration_since(seen.heard),
            failure: seen
                .failure
                .as_ref()
                .map(|(at, why)| (now.duration_since(*at), why.clone())),
            failures: seen.failures,
            skipped: seen.skipped,
        };
        known.iter().map(of).collect()
    }

    fn change(&self, kind: ObjectKind, change: impl FnOnce(&mut Seen)) {
        let mut known = self.0.lock();
        if let Some((_, seen)) = known.iter_mut().find(|(known, _)| *known == kind) {
            change(seen);
        }
    }
}
