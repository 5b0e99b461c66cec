//! The names of a party over time: names are made of labels, and labels change.

use std::sync::Arc;

use super::validity::{OWNERSHIP_RETENTION, Validity};
use crate::interner::Text;
use crate::moment::Moment;

/// The names of one party. Each counts from a moment until the next one begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameHistory {
    /// The name before all others.
    first: Text,
    /// The later names with their starts, in order; neighbours differ.
    later: Vec<(Moment, Text)>,
}

impl NameHistory {
    /// The history of a party with a single name.
    pub fn new(name: impl Into<Text>) -> Self {
        let later = Vec::new();
        let first = name.into();
        NameHistory { first, later }
    }

    /// The history of a party that is called `name` from `now` on, after the names `known`.
    pub(super) fn extended(known: Option<&NameHistory>, name: Arc<str>, now: Moment) -> Self {
        let Some(known) = known else {
            return NameHistory::new(name);
        };
        let mut names = known.clone();
        names.set(name.into(), now);
        names.forget_ended_before(now.minus(OWNERSHIP_RETENTION));
        names
    }

    /// The name at `start`, and the start times for which it is the same.
    pub fn at(&self, start: Moment) -> (&Text, Validity) {
        let mut name = &self.first;
        let mut validity = Validity::ALWAYS;
        for (since, later) in &self.later {
            validity = validity.split_at(*since, start);
            if *since <= start {
                name = later;
            }
        }
        (name, validity)
    }

    /// Names the party `name` from `since` on, in place of any name that begins then or later.
    pub fn set(&mut self, name: Text, since: Moment) {
        self.later.retain(|(begun, _)| *begun < since);
        if since == Moment::MIN {
            self.first = name;
        } else if *self.at(Moment::MAX).0 != name {
            self.later.push((since, name));
        }
    }

    /// Forgets names that ended before `limit`. The next name takes over their time.
    pub fn forget_ended_before(&mut self, limit: Moment) {
        let ended = self.later.partition_point(|(since, _)| *since < limit);
        if let Some((_, name)) = self.later.drain(..ended).next_back() {
            self.first = name;
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn history(names: &[(Moment, &str)]) -> NameHistory {
        let mut history = NameHistory::new("first");
        for (since, name) in names {
            history.set((*name).into(), *since);
        }
        history
    }

    fn names(history: &NameHistory, starts: [i64; 4]) -> [String; 4] {
        starts.map(|start| {
            let (name, validity) = history.at(Moment(start));
            assert!(validity.contains(Moment(start)));
            name.to_string()
        })
    }

    #[rstest]
    // proves: names/history
    #[case::none(&[], ["first", "first", "first", "first"])]
    // proves: names/history
    #[case::another(&[(Moment(10), "a"), (Moment(20), "b")], ["first", "a", "a", "b"])]
    #[case::the_same_again(&[(Moment(10), "a"), (Moment(20), "a")], ["first", "a", "a", "a"])]
    #[case::back(&[(Moment(10), "a"), (Moment(20), "first")], ["first", "a", "a", "first"])]
    #[case::learned_late(&[(Moment(20), "a"), (Moment(10), "b")], ["first", "b", "b", "b"])]
    #[case::never_otherwise(&[(Moment(20), "a"), (Moment::MIN, "b")], ["b", "b", "b", "b"])]
    fn a_name_counts_from_its_moment_on(#[case] set: &[(Moment, &str)], #[case] expected: [&str; 4]) {
        assert_eq!(names(&history(set), [9, 10, 19, 20]), expected);
    }

    #[test]
    fn an_answer_holds_until_the_name_changes() {
        let history = history(&[(Moment(10), "a"), (Moment(20), "b")]);
        let validity = |start| history.at(Moment(start)).1;
        let of = |since, until| Validity { since, until };
        assert_eq!(validity(5), of(Moment::MIN, Moment(10)));
        assert_eq!(validity(10), of(Moment(10), Moment(20)));
        assert_eq!(validity(20), of(Moment(20), Moment::MAX));
    }

    #[test]
    fn the_same_name_makes_no_history() {
        assert_eq!(history(&[(Moment(10), "first")]), NameHistory::new("first"));
    }

    #[test]
    fn a_forgotten_name_leaves_its_time_to_the_next() {
        let mut history = history(&[(Moment(10), "a"), (Moment(20), "b"), (Moment(30), "c")]);
        history.forget_ended_before(Moment(20));
        assert_eq!(names(&history, [9, 10, 20, 30]), ["a", "a", "b", "c"]);
        history.forget_ended_before(Moment(31));
        assert_eq!(history, NameHistory::new("c"));
    }
}
