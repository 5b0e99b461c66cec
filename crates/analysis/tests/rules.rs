//! Each rule of the analysis has a row that proves it, and each row names rules that there are.
//!
//! A row is a `#[case]`, a `#[test]` or an `#[rstest]` below the comment `// proves: id, id`. Rows are in this crate, and in the
//! tests of what the collector decides before it: which analyzers are asked, and what of an object becomes a record.

#![expect(clippy::unwrap_used, reason = "tests: a panic is a failure")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use alscope_analysis::rule::Rule;

const LIST: &str = include_str!("rules.txt");

/// The ids of the list, in its order.
fn listed() -> Vec<&'static str> {
    let lines = LIST
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let parts: Vec<&str> = line.splitn(3, "; ").collect();
            assert!(
                parts.len() == 3 && !parts[1].is_empty() && !parts[2].is_empty(),
                "{line}"
            );
            parts[0]
        })
        .collect()
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// How many rows prove each id.
fn rows() -> BTreeMap<String, usize> {
    let mut rows = BTreeMap::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let before = ["../collector-config/tests", "../collector/src/directory"];
    for path in ["src", "tests"]
        .iter()
        .chain(&before)
        .flat_map(|directory| sources(&root.join(directory)))
    {
        let text = fs::read_to_string(&path).unwrap();
        let mut lines = text.lines().map(str::trim).enumerate();
        while let Some((number, line)) = lines.next() {
            let Some(ids) = line.strip_prefix("// proves: ") else {
                continue;
            };
            let row = lines.next().map_or("", |(_, line)| line);
            assert!(
                ["#[case", "#[test]", "#[rstest]"]
                    .iter()
                    .any(|start| row.starts_with(start)),
                "{}:{}: no row follows",
                path.display(),
                number + 1
            );
            for id in ids.split(", ") {
                *rows.entry(id.to_owned()).or_default() += 1;
            }
        }
    }
    rows
}

#[test]
fn the_list_is_sorted_and_names_each_rule_once() {
    let listed = listed();
    let sorted: BTreeSet<&str> = listed.iter().copied().collect();
    assert_eq!(listed, sorted.into_iter().collect::<Vec<_>>());
}

#[test]
fn what_says_who_a_party_is_is_a_listed_rule() {
    let listed = listed();
    let unlisted: Vec<&str> = Rule::ALL
        .iter()
        .map(|rule| rule.id())
        .filter(|id| !listed.contains(id))
        .collect();
    assert!(unlisted.is_empty(), "{unlisted:?}");
}

#[test]
fn each_rule_is_proved_and_each_row_proves_a_rule() {
    let listed: BTreeSet<String> = listed().into_iter().map(str::to_owned).collect();
    let proved: BTreeSet<String> = rows().into_keys().collect();
    let without_row: Vec<&String> = listed.difference(&proved).collect();
    let not_listed: Vec<&String> = proved.difference(&listed).collect();
    assert!(without_row.is_empty(), "rules without a row: {without_row:?}");
    assert!(
        not_listed.is_empty(),
        "rows of rules that tests/rules.txt lacks: {not_listed:?}"
    );
}
