//! Selectors of series, in `PromQL`'s form.

use std::collections::BTreeMap;
use std::path::Path;

use regex::Regex;
use serde::Deserialize;

/// The labels of a series by name; one that is absent is empty.
pub(crate) type Labels = BTreeMap<String, String>;

#[derive(Debug, Deserialize)]
struct File {
    groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
struct Rule {
    record: String,
    expr: String,
}

/// A metric, and the conditions for the labels of its series.
#[derive(Debug)]
pub(crate) struct Selector {
    pub(crate) metric: String,
    matchers: Vec<Matcher>,
}

#[derive(Debug)]
struct Matcher {
    label: String,
    is_negated: bool,
    pattern: Regex,
}

impl Selector {
    pub(crate) fn takes(&self, labels: &Labels) -> bool {
        self.matchers.iter().all(|matcher| {
            let value = labels.get(&matcher.label).map_or("", String::as_str);
            matcher.pattern.is_match(value) != matcher.is_negated
        })
    }
}

/// Returns the selectors of the rule that records `record`. Its expression takes the series that any of
/// them matches.
pub(crate) fn selectors(record: &str) -> Vec<Selector> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/prometheus/alscope.rules.yaml");
    let file: File = serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut rules = file.groups.into_iter().flat_map(|group| group.rules);
    let rule = rules.find(|rule| rule.record == record).unwrap();
    let selector = Regex::new(r"(alscope_\w+)(?:\{([^}]*)\})?\[5m\]").unwrap();
    let found = selector.captures_iter(&rule.expr).map(|found| Selector {
        metric: found[1].to_owned(),
        matchers: matchers(found.get(2).map_or("", |matchers| matchers.as_str())),
    });
    let selectors: Vec<Selector> = found.collect();
    assert!(!selectors.is_empty(), "{}", rule.expr);
    selectors
}

fn matchers(text: &str) -> Vec<Matcher> {
    let matcher = Regex::new(r#"(\w+)(=~|!~|!=|=)"([^"]*)""#).unwrap();
    matcher
        .captures_iter(text)
        .map(|found| {
            let value = match &found[2] {
                "=~" | "!~" => found[3].to_owned(),
                _ => regex::escape(&found[3]),
            };
            Matcher {
                label: found[1].to_owned(),
                is_negated: found[2].starts_with('!'),
                pattern: Regex::new(&format!("^(?:{value})$")).unwrap(),
            }
        })
        .collect()
}
