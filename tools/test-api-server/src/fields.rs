//! Sets of fields, as `fieldsV1` writes them: `f:` before a key, `k:` before the keys of a list's item, `v:` before an item of
//! a set, `.` for the object or item itself.
//!
//! Without schemas, lists are values as a whole, but for two that every object has: `metadata.finalizers` is a set, and
//! `metadata.ownerReferences` has its items by their `uid`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// The path of a field from the root of an object.
pub(crate) type Path = Vec<String>;
/// A set of fields.
pub(crate) type Fields = BTreeSet<Path>;

/// What of metadata belongs to the server, or names the object.
const UNOWNED_FIELDS: [&str; 10] = [
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
];

/// The fields of an object with their values; those of objects and items with `null`.
pub(crate) fn of_object(object: &Value) -> BTreeMap<Path, Value> {
    let mut fields = BTreeMap::new();
    for (key, value) in object.as_object().into_iter().flatten() {
        match key.as_str() {
            "apiVersion" | "kind" => {}
            "metadata" => {
                for (key, value) in value.as_object().into_iter().flatten() {
                    if !UNOWNED_FIELDS.contains(&key.as_str()) {
                        walk(&[field("metadata"), field(key)], value, &mut fields);
                    }
                }
            }
            key => walk(&[field(key)], value, &mut fields),
        }
    }
    fields
}

/// The fields that an applied object has: its leaves.
pub(crate) fn applied(object: &Value) -> BTreeMap<Path, Value> {
    let all = of_object(object);
    let is_leaf = |path: &Path| {
        let below = all.range(path.clone()..).nth(1);
        below.is_none_or(|(next, _)| !next.starts_with(path))
    };
    let leaves = all
        .iter()
        .filter(|(path, _)| is_leaf(path) || path.last().is_some_and(|last| last.starts_with("k:")));
    leaves
        .map(|(path, value)| (path.clone(), value.clone()))
        .collect()
}

fn walk(path: &[String], value: &Value, fields: &mut BTreeMap<Path, Value>) {
    let below = |element: String| [path, &[element]].concat();
    match value {
        Value::Null => {}
        Value::Object(map) => {
            fields.insert(
                path.to_owned(),
                if map.is_empty() { json!({}) } else { Value::Null },
            );
            for (key, value) in map {
                walk(&below(field(key)), value, fields);
            }
        }
        Value::Array(items) if is(path, "finalizers") => {
            fields.insert(path.to_owned(), Value::Null);
            for item in items {
                fields.insert(below(format!("v:{item}")), item.clone());
            }
        }
        Value::Array(items) if is(path, "ownerReferences") => {
            fields.insert(path.to_owned(), Value::Null);
            for item in items {
                let key = below(format!("k:{}", json!({"uid": item.get("uid")})));
                fields.insert(key, item.clone());
            }
        }
        leaf => {
            fields.insert(path.to_owned(), leaf.clone());
        }
    }
}

fn field(key: &str) -> String {
    format!("f:{key}")
}

fn is(path: &[String], name: &str) -> bool {
    path.len() == 2
        && path.first().is_some_and(|first| first == "f:metadata")
        && path.last() == Some(&field(name))
}

/// The value at a path; `None` if it is missing.
pub(crate) fn get<'a>(object: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(object, |value, element| match value {
        Value::Object(map) => map.get(element.strip_prefix("f:")?),
        Value::Array(items) => items.get(place(items, element)?),
        _ => None,
    })
}

fn place(items: &[Value], element: &str) -> Option<usize> {
    if let Some(item) = element.strip_prefix("v:") {
        let item: Value = serde_json::from_str(item).ok()?;
        return items.iter().position(|one| *one == item);
    }
    let keys: Value = serde_json::from_str(element.strip_prefix("k:")?).ok()?;
    items.iter().position(|one| one.get("uid") == keys.get("uid"))
}

/// Takes a field out, and the objects that it leaves empty.
pub(crate) fn remove(object: &mut Value, path: &[String]) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    match object {
        Value::Object(map) => {
            let key = first.strip_prefix("f:").unwrap_or(first);
            let Some(value) = map.get_mut(key) else {
                return;
            };
            if !rest.is_empty() {
                remove(value, rest);
            }
            let is_empty = match value {
                Value::Object(map) => map.is_empty(),
                Value::Array(items) => items.is_empty(),
                _ => false,
            };
            if rest.is_empty() || is_empty {
                map.remove(key);
            }
        }
        Value::Array(items) => {
            if let Some(place) = place(items, first) {
                items.remove(place);
            }
        }
        _ => {}
    }
}

/// Puts a field's value where the path says.
pub(crate) fn set(object: &mut Value, path: &[String], value: &Value) {
    let Some((first, rest)) = path.split_first() else {
        *object = value.clone();
        return;
    };
    if let Some(key) = first.strip_prefix("f:") {
        if !object.is_object() {
            *object = Value::Object(Map::new());
        }
        let Some(map) = object.as_object_mut() else {
            return;
        };
        set(map.entry(key).or_insert(Value::Null), rest, value);
        return;
    }
    if !object.is_array() {
        *object = Value::Array(Vec::new());
    }
    let Some(items) = object.as_array_mut() else {
        return;
    };
    match place(items, first) {
        Some(place) => items[place] = value.clone(),
        None => items.push(value.clone()),
    }
}

/// A path as `.a.b`, for messages.
pub(crate) fn shown(path: &[String]) -> String {
    path.iter()
        .map(|element| match element.strip_prefix("f:") {
            Some(key) => format!(".{key}"),
            None => format!("[{}]", element.get(2..).unwrap_or_default()),
        })
        .collect()
}

/// Encodes a set of fields as `fieldsV1`.
pub(crate) fn encode(fields: &Fields) -> Value {
    let mut root = Value::Object(Map::new());
    for path in fields {
        let has_below = fields
            .range(path.clone()..)
            .nth(1)
            .is_some_and(|next| next.starts_with(path));
        let mut node = &mut root;
        for element in path {
            node = &mut node[element.as_str()];
        }
        *node = json!({});
        if has_below {
            node["."] = json!({});
        }
    }
    root
}

/// Decodes a set of fields from `fieldsV1`.
pub(crate) fn decode(value: &Value) -> Fields {
    let mut fields = Fields::new();
    decode_below(&[], value, &mut fields);
    fields
}

fn decode_below(path: &[String], value: &Value, fields: &mut Fields) {
    let Some(map) = value.as_object() else {
        return;
    };
    if map.is_empty() && !path.is_empty() {
        fields.insert(path.to_owned());
    }
    for (key, value) in map {
        if key == "." {
            fields.insert(path.to_owned());
        } else {
            decode_below(&[path, std::slice::from_ref(key)].concat(), value, fields);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_read_again() {
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "a", "labels": {"x": "1"}, "finalizers": ["a/b"], "ownerReferences": [{"uid": "1"}]},
            "data": {"mesh": "text"},
        });
        let fields: Fields = of_object(&object).into_keys().collect();
        let encoded = encode(&fields);
        assert_eq!(
            encoded,
            json!({
                "f:data": {".": {}, "f:mesh": {}},
                "f:metadata": {
                    "f:labels": {".": {}, "f:x": {}},
                    "f:finalizers": {".": {}, "v:\"a/b\"": {}},
                    "f:ownerReferences": {".": {}, "k:{\"uid\":\"1\"}": {}},
                },
            })
        );
        assert_eq!(decode(&encoded), fields);
    }

    #[test]
    fn what_is_taken_out_leaves_no_empty_object() {
        let mut object = json!({"data": {"a": {"b": "1"}}, "metadata": {"finalizers": ["x", "y"]}});
        remove(&mut object, &[field("data"), field("a"), field("b")]);
        remove(
            &mut object,
            &[field("metadata"), field("finalizers"), "v:\"x\"".to_owned()],
        );
        assert_eq!(object, json!({"metadata": {"finalizers": ["y"]}}));
    }
}
