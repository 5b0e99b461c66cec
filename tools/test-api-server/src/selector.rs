//! Label and field selectors.

use std::collections::{BTreeMap, BTreeSet};

use kube::core::{Expression, SelectorExt as _};
use serde_json::Value;

use crate::api_error::ApiError;
use crate::kind::ServedKind;

/// Fields that can be selected by besides name and namespace, by resource.
const FIELDS: [(&str, &[&str]); 6] = [
    (
        "pods",
        &[
            "spec.nodeName",
            "spec.serviceAccountName",
            "status.phase",
            "status.podIP",
        ],
    ),
    (
        "events",
        &[
            "involvedObject.name",
            "involvedObject.namespace",
            "involvedObject.uid",
            "reason",
            "type",
        ],
    ),
    (
        "events.events.k8s.io",
        &["regarding.name", "regarding.uid", "reason", "type"],
    ),
    ("namespaces", &["status.phase"]),
    ("secrets", &["type"]),
    ("nodes", &["spec.unschedulable"]),
];

/// What a list or a watch is limited to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selector {
    labels: Vec<Expression>,
    /// Path, whether it must equal, and the value.
    fields: Vec<(Vec<String>, bool, String)>,
}

impl Selector {
    pub(crate) fn parse(kind: &ServedKind, labels: &str, fields: &str) -> Result<Self, ApiError> {
        Ok(Self {
            labels: label_expressions(labels)?,
            fields: field_terms(kind, fields)?,
        })
    }

    pub(crate) fn selects_all(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// The name, where the selector leaves one only: rights to named objects are then enough.
    pub(crate) fn only_name(&self) -> Option<&str> {
        let term = self
            .fields
            .iter()
            .find(|(path, equal, _)| *equal && path.join(".") == "metadata.name");
        term.map(|(_, _, name)| name.as_str())
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        if !self.labels.is_empty() {
            let labels = object.pointer("/metadata/labels").and_then(Value::as_object);
            let labels: BTreeMap<String, String> = labels
                .into_iter()
                .flatten()
                .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                .collect();
            if !self.labels.iter().all(|expression| expression.matches(&labels)) {
                return false;
            }
        }
        self.fields.iter().all(|(path, equal, wanted)| {
            let found = path.iter().try_fold(object, |value, key| value.get(key));
            let found = match found {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Null) | None => String::new(),
                Some(other) => other.to_string(),
            };
            (found == *wanted) == *equal
        })
    }
}

fn label_expressions(text: &str) -> Result<Vec<Expression>, ApiError> {
    let wrong = || ApiError::bad_request(&format!("unable to parse requirement: {text}"));
    let mut expressions = Vec::new();
    for term in split_outside_brackets(text) {
        let term = term.trim();
        if term.is_empty() {
            continue;
        }
        let expression = if let Some((key, value)) = term.split_once("!=") {
            Expression::NotEqual(key.trim().to_owned(), value.trim().to_owned())
        } else if let Some((key, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
            Expression::Equal(key.trim().to_owned(), value.trim().to_owned())
        } else if let Some(key) = term.strip_prefix('!') {
            Expression::DoesNotExist(key.trim().to_owned())
        } else if let Some((key, values)) = term.split_once(" in ") {
            Expression::In(key.trim().to_owned(), bracketed(values).ok_or_else(wrong)?)
        } else if let Some((key, values)) = term.split_once(" notin ") {
            Expression::NotIn(key.trim().to_owned(), bracketed(values).ok_or_else(wrong)?)
        } else if term.contains([' ', '(', ')']) {
            return Err(wrong());
        } else {
            Expression::Exists(term.to_owned())
        };
        expressions.push(expression);
    }
    Ok(expressions)
}

fn split_outside_brackets(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    text.split(move |character| {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == ',' && depth == 0
    })
    .collect()
}

fn bracketed(values: &str) -> Option<BTreeSet<String>> {
    let inner = values.trim().strip_prefix('(')?.strip_suffix(')')?;
    Some(inner.split(',').map(|value| value.trim().to_owned()).collect())
}

fn unknown_field(path: &str, kind: &ServedKind) -> String {
    let namespace = if kind.namespaced {
        ", \"metadata.namespace\""
    } else {
        ""
    };
    format!("\"{path}\" is not a known field selector: only \"metadata.name\"{namespace}")
}

fn field_terms(kind: &ServedKind, text: &str) -> Result<Vec<(Vec<String>, bool, String)>, ApiError> {
    let mut terms = Vec::new();
    for term in text.split(',').filter(|term| !term.is_empty()) {
        let (path, equal, value) = if let Some((path, value)) = term.split_once("!=") {
            (path, false, value)
        } else if let Some((path, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
            (path, true, value)
        } else {
            return Err(ApiError::bad_request(&format!(
                "invalid selector: '{text}'; can't understand '{term}'"
            )));
        };
        let resource = kind.resource();
        let known = FIELDS
            .iter()
            .filter(|(of, _)| *of == resource)
            .any(|(_, paths)| paths.contains(&path));
        let always = path == "metadata.name" || (path == "metadata.namespace" && kind.namespaced);
        if !known && !always {
            return Err(ApiError::bad_request(&unknown_field(path, kind)));
        }
        terms.push((
            path.split('.').map(str::to_owned).collect(),
            equal,
            value.to_owned(),
        ));
    }
    Ok(terms)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kind::ServedKinds;

    fn matches(labels: &str, fields: &str) -> bool {
        let kinds = ServedKinds::built_in();
        let pods = kinds.of("pods").unwrap();
        let object = json!({"metadata": {"name": "web", "labels": {"app": "web", "tier": "a,b"}}, "status": {"phase": "Running"}});
        Selector::parse(&pods, labels, fields).unwrap().matches(&object)
    }

    #[test]
    fn every_operator_selects() {
        for (labels, expected) in [
            ("", true),
            ("app=web", true),
            ("app==web,tier", true),
            ("app!=web", false),
            ("absent!=web", true),
            ("!app", false),
            ("!absent", true),
            ("app in (api, web)", true),
            ("app notin (api, web)", false),
            ("app in (api,web),!absent", true),
        ] {
            assert_eq!(matches(labels, ""), expected, "{labels}");
        }
        assert!(matches("", "metadata.name=web,status.phase!=Failed"));
        assert!(!matches("", "metadata.name!=web"));
    }

    #[test]
    fn a_field_that_is_not_indexed_is_refused() {
        let kinds = ServedKinds::built_in();
        let refusal = Selector::parse(&kinds.of("configmaps").unwrap(), "", "data.mesh=x").unwrap_err();
        assert_eq!(refusal.code, 400);
        assert_eq!(
            refusal.message,
            "\"data.mesh\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
        );
    }
}
