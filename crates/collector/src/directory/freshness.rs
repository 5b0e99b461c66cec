//! How fresh the directory's objects of each kind are. The sources write it;
//! metrics and `/readyz?verbose` read it.

use std::time::Duration;

use alscope_analysis::directory::records::ObjectKind;
use parking_lot::Mutex;
use tokio::time::Instant;

/// The freshness of each kind, as its source reported it.
#[derive(Debug, Default)]
pub struct Freshness(Mutex<Vec<(ObjectKind, Seen)>>);

#[derive(Debug)]
struct Seen {
    is_listed: bool,
    /// When the source last reported anything. Before its first report, when it was first asked.
    heard: Instant,
    /// The latest failure, until the source works again.
    failure: Option<(Instant, String)>,
    failures: u64,
    skipped: u64,
}

/// One kind's freshness at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindFreshness {
    /// The kind of object that this is about.
    pub kind: ObjectKind,
    /// Whether all objects of the kind have been listed once.
    pub is_listed: bool,
    /// Time since the source's last report. Before its first report, time since it was first asked.
    pub age: Duration,
    /// The latest failure and the time since then. `None` if the source works.
    pub failure: Option<(Duration, String)>,
    /// How often the source failed, since the start.
    pub failures: u64,
    /// How often an object came that could not be decoded, since the start.
    pub skipped: u64,
}

impl Freshness {
    /// The freshness of a directory with these kinds, which its source begins to fill now.
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

    /// Notes a report of the source that `kind` is up to date.
    pub fn heard(&self, kind: ObjectKind) {
        self.change(kind, |seen| seen.heard = Instant::now());
    }

    /// Notes that all objects of `kind` are listed.
    pub fn listed(&self, kind: ObjectKind) {
        self.change(kind, |seen| seen.is_listed = true);
    }

    /// Notes a failure of the source of `kind`.
    pub fn failed(&self, kind: ObjectKind, why: &str) {
        self.change(kind, |seen| {
            seen.failure = Some((Instant::now(), why.to_owned()));
            seen.failures += 1;
        });
    }

    /// Notes that the source of `kind` works again.
    pub fn works(&self, kind: ObjectKind) {
        self.change(kind, |seen| seen.failure = None);
    }

    /// Notes an object of `kind` that could not be decoded.
    pub fn skipped(&self, kind: ObjectKind) {
        self.change(kind, |seen| seen.skipped += 1);
    }

    /// Returns every kind's freshness at this moment.
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
