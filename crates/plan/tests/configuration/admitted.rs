//! Values that a schema admits, and the defaults that it fills in.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::string::string_regex;
use serde_json::{Map, Number, Value, json};

/// The fields of `spec.collector` that the collector's file has.
const OF_THE_FILE: [&str; 5] = ["acceptMetricsService", "workers", "limits", "web", "ending"];

/// Any spec that the definition admits, as far as the collector's file depends on it.
pub(crate) fn spec(definition: &Value) -> BoxedStrategy<Value> {
    let spec = &definition["properties"]["spec"]["properties"];
    let mut collector = spec["collector"].clone();
    collector["x-kubernetes-validations"] = json!([]);
    let fields = collector["properties"]
        .as_object_mut()
        .expect("the collector has fields");
    fields.retain(|name, _| OF_THE_FILE.contains(&name.as_str()));
    let page = json!([{"namespaceSelector": {}}]);
    (any_of(&spec["analysis"]), any_of(&collector))
        .prop_map(move |(analysis, mut collector)| {
            collector["networkPolicy"] = json!({"page": page});
            json!({"analysis": analysis, "collector": collector})
        })
        .boxed()
}

/// Any value that a schema and its rules admit.
fn any_of(schema: &Value) -> BoxedStrategy<Value> {
    let values = match schema["type"].as_str() {
        Some("object") => object(schema),
        Some("array") => {
            let most = size(schema, "maxItems").unwrap_or(4).min(4);
            vec(any_of(&schema["items"]), 0..=most)
                .prop_map(Value::from)
                .boxed()
        }
        Some("string") => text(schema),
        Some("integer") => {
            let (least, most) = (schema["minimum"].as_f64(), schema["maximum"].as_f64());
            let (least, most) = (least.expect("a least number"), most.expect("a largest number"));
            let (least, most) = (least as i64, most as i64);
            prop_oneof![Just(least), Just(most), least..=most]
                .prop_map(Value::from)
                .boxed()
        }
        Some("number") => (0.0..=1.0_f64)
            .prop_map(|share| Number::from_f64(share).into())
            .boxed(),
        Some("boolean") => any::<bool>().prop_map(Value::from).boxed(),
        other => unreachable!("the definition has no values of the type {other:?}"),
    };
    let schema = schema.clone();
    values
        .prop_filter("the rules admit it", move |value| {
            kube_cel::validate(&schema, &with_defaults(&schema, value), None).is_ok()
        })
        .boxed()
}

fn object(schema: &Value) -> BoxedStrategy<Value> {
    let fields = schema["properties"].as_object().cloned().unwrap_or_default();
    let fields: Vec<_> = fields
        .into_iter()
        .map(|(name, field)| option::of(any_of(&field)).prop_map(move |value| (name.clone(), value)))
        .collect();
    let present = |fields: Vec<(String, Option<Value>)>| {
        let present = fields
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        Value::from(present.collect::<Map<_, _>>())
    };
    fields.prop_map(present).boxed()
}

fn text(schema: &Value) -> BoxedStrategy<Value> {
    if let Some(values) = schema["enum"].as_array() {
        return select(values.clone()).boxed();
    }
    let pattern = schema["pattern"].as_str().unwrap_or("^.{1,30}$");
    let pattern = pattern
        .trim_start_matches('^')
        .trim_end_matches('$')
        .replace("$|^", "|");
    // Few texts that a person would not write are times within their bounds.
    let pattern = pattern.replace("[0-9]{1,9}", "[0-9]{1,3}");
    let most = size(schema, "maxLength").expect("a text has a largest length");
    string_regex(&pattern)
        .expect("the pattern is one")
        .prop_filter("it is short enough", move |text| text.chars().count() <= most)
        .prop_map(Value::from)
        .boxed()
}

fn size(schema: &Value, bound: &str) -> Option<usize> {
    usize::try_from(schema[bound].as_u64()?).ok()
}

/// What the API server makes of a value: absent fields get their default, and those of theirs theirs.
pub(crate) fn with_defaults(schema: &Value, value: &Value) -> Value {
    let mut filled = value.clone();
    match &mut filled {
        Value::Object(fields) => {
            for (name, field) in schema["properties"].as_object().into_iter().flatten() {
                if !fields.contains_key(name) && !field["default"].is_null() {
                    fields.insert(name.clone(), field["default"].clone());
                }
                if let Some(value) = fields.get_mut(name) {
                    *value = with_defaults(field, value);
                }
            }
        }
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| *item = with_defaults(&schema["items"], item)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    filled
}
