//! Counts by case, as a file and compared with others.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Context as _;

use crate::case::Case;

/// How far a count may be from the expected one.
const TOLERANCE: f64 = 0.03;

/// Instructions an entry, by the name of the case.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Counts(BTreeMap<String, f64>);

impl Counts {
    /// Reads what was written: a line a case, name and count with a tab between.
    pub(crate) fn read(text: &str) -> anyhow::Result<Self> {
        let line = |line: &str| {
            let (name, count) = line
                .split_once('\t')
                .with_context(|| format!("a line without a tab: {line}"))?;
            let count = count.parse().with_context(|| format!("no number: {line}"))?;
            anyhow::Ok((name.to_owned(), count))
        };
        text.lines().map(line).collect::<Result<_, _>>().map(Counts)
    }

    /// Adds the count of a case.
    pub(crate) fn add(&mut self, case: Case, instructions: f64) {
        self.0.insert(case.to_string(), instructions);
    }

    /// What is not as expected, a sentence each.
    pub(crate) fn differences(&self, expected: &Counts) -> Vec<String> {
        let mut differences = Vec::new();
        for (name, count) in &self.0 {
            let Some(expected) = expected.0.get(name) else {
                differences.push(format!(
                    "{name}: {count:.0} instructions an entry, and no expected count"
                ));
                continue;
            };
            let change = count / expected - 1.0;
            if change.abs() > TOLERANCE {
                differences.push(format!(
                    "{name}: {count:.0} instructions an entry instead of {expected:.0}, {:+.1} %",
                    change * 100.0
                ));
            }
        }
        let gone = expected.0.keys().filter(|name| !self.0.contains_key(*name));
        differences.extend(gone.map(|name| format!("{name}: expected, and no such case")));
        differences
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, count) in &self.0 {
            writeln!(formatter, "{name}\t{count:.0}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::as_expected("readers\t1029\n", &[])]
    #[case::fewer("readers\t950\n", &["readers: 950 instructions an entry instead of 1000, -5.0 %"])]
    #[case::more("readers\t1031\n", &["readers: 1031 instructions an entry instead of 1000, +3.1 %"])]
    #[case::other("new\t1\n", &["new: 1 instructions an entry, and no expected count", "readers: expected, and no such case"])]
    fn three_percent_are_allowed(#[case] counted: &str, #[case] expected: &[&str]) {
        let counted = Counts::read(counted).unwrap();
        assert_eq!(
            counted.differences(&Counts::read("readers\t1000\n").unwrap()),
            expected
        );
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut counts = Counts::default();
        counts.add(Case::TwoPeers, 1234.0);
        counts.add(Case::Readers, 7.0);
        assert_eq!(counts.to_string(), "readers\t7\ntwo-peers\t1234\n");
        assert_eq!(Counts::read(&counts.to_string()).unwrap(), counts);
    }
}
