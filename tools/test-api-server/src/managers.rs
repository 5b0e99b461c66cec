//! Who owns which field: `metadata.managedFields`, after an update and by an apply.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::api_error::ApiError;
use crate::fields::{self, Fields, Path};
use crate::kind::ServedKind;

/// The field manager of a write, and its time.
#[derive(Clone, Debug)]
pub(crate) struct Writer<'a> {
    pub(crate) manager: &'a str,
    pub(crate) subresource: Option<&'a str>,
    pub(crate) kind: &'a ServedKind,
    pub(crate) time: &'a str,
}

/// One entry of `managedFields`.
#[derive(Clone, Debug)]
struct Entry {
    manager: String,
    operation: String,
    subresource: Option<String>,
    api_version: String,
    time: String,
    fields: Fields,
}

/// The entries of `managedFields` of an object.
#[derive(Clone, Debug, Default)]
struct Entries(Vec<Entry>);

const UPDATE: &str = "Update";
const APPLY: &str = "Apply";

/// The entries after an update, written into the new object.
///
/// Changed and added fields are the writer's, and no longer anybody else's; removed fields are nobody's.
pub(crate) fn update(before: Option<&Value>, after: &mut Value, writer: &Writer<'_>) {
    let mut entries = Entries::kept(before, after, writer.subresource.is_some());
    let old = before.map(fields::of_object).unwrap_or_default();
    let new = fields::of_object(after);
    let removed: Fields = old
        .keys()
        .filter(|path| !new.contains_key(*path))
        .cloned()
        .collect();
    let changed: Fields = new
        .iter()
        .filter(|(path, value)| old.get(*path) != Some(value))
        .map(|(path, _)| path.clone())
        .collect();
    for entry in &mut entries.0 {
        entry
            .fields
            .retain(|path| !changed.contains(path) && !removed.contains(path));
    }
    if !changed.is_empty() || !removed.is_empty() {
        let mine = entries.of(writer, UPDATE);
        mine.fields.extend(changed);
        writer.time.clone_into(&mut mine.time);
    }
    entries.write(after);
}

/// What an apply makes of an object.
pub(crate) fn apply(
    live: &Value,
    patch: &Value,
    writer: &Writer<'_>,
    force: bool,
) -> Result<Value, ApiError> {
    let mut entries = Entries::of_object(live);
    let wanted = fields::applied(patch);
    let mut conflicts: Vec<(usize, Path)> = Vec::new();
    for (place, entry) in entries.0.iter().enumerate() {
        if entry.is(writer, APPLY) {
            continue;
        }
        for (path, value) in &wanted {
            let differs = fields::get(live, path).is_some_and(|known| known != value);
            if entry.fields.contains(path) && differs {
                conflicts.push((place, path.clone()));
            }
        }
    }
    if !conflicts.is_empty() && !force {
        let told: Vec<(String, String)> = conflicts
            .iter()
            .filter_map(|(place, path)| Some((entries.0.get(*place)?.shown(), fields::shown(path))))
            .collect();
        return Err(ApiError::owned_by_others(&told));
    }
    for (place, path) in conflicts {
        if let Some(entry) = entries.0.get_mut(place) {
            entry.fields.remove(&path);
        }
    }
    let mut merged = live.clone();
    for (path, value) in &wanted {
        let holds_object = *value == json!({}) && fields::get(&merged, path).is_some_and(Value::is_object);
        if !holds_object {
            fields::set(&mut merged, path, value);
        }
    }
    let previous = entries.of(writer, APPLY).fields.clone();
    for path in previous.iter().filter(|path| !wanted.contains_key(*path)) {
        let others = entries.0.iter().filter(|entry| !entry.is(writer, APPLY));
        let has_other = others.into_iter().any(|entry| entry.fields.contains(path));
        let is_above = wanted.keys().any(|one| one.starts_with(path));
        if !has_other && !is_above {
            fields::remove(&mut merged, path);
        }
    }
    let mine = entries.of(writer, APPLY);
    mine.fields = wanted.into_keys().collect();
    let is_same = without_managers(&merged) == without_managers(live) && mine.fields == previous;
    if !is_same {
        writer.time.clone_into(&mut mine.time);
    }
    entries.write(&mut merged);
    Ok(merged)
}

/// An object without its `managedFields`, to compare what else it says.
pub(crate) fn without_managers(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    object
}

impl Entry {
    fn is(&self, writer: &Writer<'_>, operation: &str) -> bool {
        self.manager == writer.manager
            && self.operation == operation
            && self.subresource.as_deref() == writer.subresource
    }

    /// The entry as the message of a conflict names it.
    fn shown(&self) -> String {
        if self.operation == APPLY {
            format!("\"{}\"", self.manager)
        } else {
            format!("\"{}\" using {}", self.manager, self.api_version)
        }
    }
}

impl Entries {
    fn of_object(object: &Value) -> Self {
        let text = |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
        let all = object
            .pointer("/metadata/managedFields")
            .and_then(Value::as_array);
        let entries = all.into_iter().flatten().map(|entry| Entry {
            manager: text(entry, "manager").unwrap_or_default(),
            operation: text(entry, "operation").unwrap_or_default(),
            subresource: text(entry, "subresource").filter(|name| !name.is_empty()),
            api_version: text(entry, "apiVersion").unwrap_or_default(),
            time: text(entry, "time").unwrap_or_default(),
            fields: entry.get("fieldsV1").map(fields::decode).unwrap_or_default(),
        });
        Self(entries.filter(|entry| !entry.operation.is_empty()).collect())
    }

    /// What a writer sends may change the entries; that it sends none does not take them out, only one empty entry does.
    fn kept(before: Option<&Value>, after: &Value, is_subresource: bool) -> Self {
        let of_before = || before.map(Self::of_object).unwrap_or_default();
        if is_subresource {
            return of_before();
        }
        let sent = after.pointer("/metadata/managedFields");
        if sent.is_some_and(|sent| *sent == json!([{}])) {
            return Self::default();
        }
        let sent = Self::of_object(after);
        if sent.0.is_empty() { of_before() } else { sent }
    }

    fn of(&mut self, writer: &Writer<'_>, operation: &str) -> &mut Entry {
        let place = self.0.iter().position(|entry| entry.is(writer, operation));
        let place = place.unwrap_or_else(|| {
            self.0.push(Entry {
                manager: writer.manager.to_owned(),
                operation: operation.to_owned(),
                subresource: writer.subresource.map(str::to_owned),
                api_version: writer.kind.api_version(),
                time: writer.time.to_owned(),
                fields: Fields::new(),
            });
            self.0.len() - 1
        });
        &mut self.0[place]
    }

    fn write(mut self, object: &mut Value) {
        self.0.retain(|entry| !entry.fields.is_empty());
        self.0.sort_by(|one, other| {
            let key = |entry: &Entry| {
                (
                    entry.operation.clone(),
                    entry.time.clone(),
                    entry.manager.clone(),
                    entry.subresource.clone(),
                )
            };
            key(one).cmp(&key(other))
        });
        let entries: Vec<Value> = self.0.iter().map(encode).collect();
        let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
            return;
        };
        if entries.is_empty() {
            metadata.remove("managedFields");
        } else {
            metadata.insert("managedFields".to_owned(), Value::Array(entries));
        }
    }
}

fn encode(entry: &Entry) -> Value {
    let mut value = BTreeMap::from([
        ("manager", json!(entry.manager)),
        ("operation", json!(entry.operation)),
        ("apiVersion", json!(entry.api_version)),
        ("time", json!(entry.time)),
        ("fieldsType", json!("FieldsV1")),
        ("fieldsV1", fields::encode(&entry.fields)),
    ]);
    if let Some(subresource) = &entry.subresource {
        value.insert("subresource", json!(subresource));
    }
    json!(value)
}
