//! What a write does to an object: creates, updates and patches.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::admission::{drop_nulls, fits, guard, in_living_namespace, is_name, name, text};
use crate::api_error::ApiError;
use crate::delete;
use crate::kind::{Generation, ServedKind};
use crate::managers::{self, Writer};
use crate::request::ApiRequest;
use crate::store::{ObjectKey, Store};

/// The time of a write.
#[derive(Clone, Debug)]
pub(crate) struct WriteTime {
    /// The time since the server started.
    pub(crate) at: Duration,
    /// The wall-clock time, to the second.
    pub(crate) time: String,
}

/// Creates an object.
pub(crate) fn create(
    store: &mut Store,
    call: &ApiRequest,
    moment: &WriteTime,
) -> Result<Arc<Value>, ApiError> {
    let mut object = call.json()?;
    let kind = &call.kind;
    fits(call, &object, "")?;
    let name = name(store, &object);
    if !is_name(&name, kind) {
        let why = format!(
            "metadata.name: Invalid value: \"{name}\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character"
        );
        return Err(ApiError::invalid(kind, &name, &why));
    }
    if text(&object, "/metadata/resourceVersion").is_some_and(|version| !version.is_empty()) {
        return Err(ApiError::bad_request(
            "resourceVersion should not be set on objects to be created",
        ));
    }
    let key = ObjectKey::new(kind, &call.namespace, &name);
    in_living_namespace(store, &key)?;
    if store.get(&key).is_some() {
        return Err(ApiError::already_exists(kind, &name));
    }
    object["metadata"]["name"] = json!(name);
    made(store, call, &mut object, moment);
    managers::update(None, &mut object, &writer(call, moment));
    Ok(keep(store, call, &key, object, moment))
}

/// Replaces a whole object.
pub(crate) fn update(
    store: &mut Store,
    call: &ApiRequest,
    moment: &WriteTime,
) -> Result<Arc<Value>, ApiError> {
    let object = call.json()?;
    fits(call, &object, &call.name)?;
    let key = call.key();
    let before = store
        .get(&key)
        .ok_or_else(|| ApiError::not_found(&call.kind, &call.name))?;
    let has_version = text(&object, "/metadata/resourceVersion").is_some_and(|version| !version.is_empty());
    if !has_version && (call.kind.is_custom || call.kind.plural == "leases") {
        let why = "metadata.resourceVersion: Invalid value: 0: must be specified for an update";
        return Err(ApiError::invalid(&call.kind, &call.name, why));
    }
    replace(store, call, &before, object, moment)
}

/// Changes parts of an object.
pub(crate) fn patch(
    store: &mut Store,
    call: &ApiRequest,
    moment: &WriteTime,
) -> Result<Arc<Value>, ApiError> {
    let key = call.key();
    let before = store.get(&key);
    if call.content_type.starts_with("application/apply-patch") {
        return apply(store, call, before, moment);
    }
    let before = before.ok_or_else(|| ApiError::not_found(&call.kind, &call.name))?;
    let mut object = (*before).clone();
    match call.content_type.as_str() {
        "application/merge-patch+json" => json_patch::merge(&mut object, &call.json()?),
        "application/json-patch+json" => {
            let patch: json_patch::Patch = serde_json::from_slice(&call.body)
                .map_err(|error| ApiError::bad_request(&format!("error decoding patch: {error}")))?;
            if json_patch::patch(&mut object, &patch).is_err() {
                return Err(ApiError::unprocessable(
                    "the server rejected our request due to an error in our request",
                ));
            }
        }
        other => {
            return Err(ApiError::unsupported_media_type(&format!(
                "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml; it was {other}"
            )));
        }
    }
    fits(call, &object, &call.name)?;
    replace(store, call, &before, object, moment)
}

fn apply(
    store: &mut Store,
    call: &ApiRequest,
    before: Option<Arc<Value>>,
    moment: &WriteTime,
) -> Result<Arc<Value>, ApiError> {
    let mut patch = call.json()?;
    fits(call, &patch, &call.name)?;
    if call.asks("fieldManager").is_none() {
        let why = "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch";
        return Err(ApiError::unprocessable(why));
    }
    if patch
        .pointer("/metadata/managedFields")
        .is_some_and(|fields| !fields.is_null())
    {
        return Err(ApiError::bad_request("metadata.managedFields must be nil"));
    }
    patch["metadata"]["name"] = json!(call.name);
    strip_others_part(call, &mut patch);
    let writer = writer(call, moment);
    let Some(before) = before else {
        if call.is_status() {
            return Err(ApiError::not_found(&call.kind, &call.name));
        }
        let key = call.key();
        in_living_namespace(store, &key)?;
        made(store, call, &mut patch, moment);
        let empty = json!({"metadata": {}});
        let fields = managers::apply(&empty, &patch, &writer, true)?;
        patch["metadata"]["managedFields"] = fields["metadata"]["managedFields"].clone();
        return Ok(keep(store, call, &key, patch, moment));
    };
    let sent = text(&patch, "/metadata/resourceVersion").map(str::to_owned);
    let mut merged = managers::apply(&before, &patch, &writer, call.is_asked("force"))?;
    if let Some(sent) = sent {
        merged["metadata"]["resourceVersion"] = json!(sent);
    }
    finish(store, call, &before, merged, moment)
}

/// A status write changes the status only, and another write all but that.
fn strip_others_part(call: &ApiRequest, object: &mut Value) {
    let Some(map) = object.as_object_mut() else {
        return;
    };
    if call.is_status() {
        map.retain(|key, _| matches!(key.as_str(), "apiVersion" | "kind" | "metadata" | "status"));
        if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata
                .retain(|key, _| matches!(key.as_str(), "name" | "namespace" | "resourceVersion" | "uid"));
        }
    } else if call.kind.has_status {
        map.remove("status");
    }
}

fn replace(
    store: &mut Store,
    call: &ApiRequest,
    before: &Arc<Value>,
    mut object: Value,
    moment: &WriteTime,
) -> Result<Arc<Value>, ApiError> {
    if call.is_status() {
        let mut next = (**before).clone();
        next["status"] = object.get("status").cloned().unwrap_or(Value::Null);
        for pointer in ["resourceVersion", "uid"] {
            next["metadata"][pointer] = object["metadata"][pointer].clone();
        }
        object = next;
    } else if call.kind.has_status {
        put(&mut object, "status", before.get("status"));
    }
    drop_nulls(&mut object);
    // Of the fields, a writer changes only those of its part.
    let without = |object: &Value| {
        let mut part = object.clone();
        if let (Some(map), true) = (part.as_object_mut(), call.kind.has_status) {
            if call.is_status() {
                map.retain(|key, _| matches!(key.as_str(), "metadata" | "status"));
            } else {
                map.remove("status");
            }
        }
        part
    };
    let mut part = without(&object);
    managers::update(Some(&without(before)), &mut part, &writer(call, moment));
    let fields = part.pointer("/metadata/managedFields");
    put(&mut object["metadata"], "managedFields", fields);
    finish(store, call, before, object, moment)
}

/// Guards, what the server sets itself, and the write.
fn finish(
    store: &mut Store,
    call: &ApiRequest,
    before: &Arc<Value>,
    mut object: Value,
    moment: &WriteTime,
) -> Result<Arc<Value>, ApiError> {
    guard(call, before, &object)?;
    keep_servers_own(before, &mut object);
    let (kind, name) = (&call.kind, call.name.as_str());
    let is_ending = before["metadata"].get("deletionTimestamp").is_some();
    let finalizers = delete::finalizers(&object);
    if is_ending
        && let Some(new) = finalizers
            .iter()
            .find(|one| !delete::finalizers(before).contains(one))
    {
        let why = format!(
            "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{{\"{new}\"}}"
        );
        return Err(ApiError::invalid(kind, name, &why));
    }
    if changes_generation(kind, before, &object) {
        let generation = before["metadata"]["generation"].as_i64().unwrap_or(0);
        object["metadata"]["generation"] = json!(generation + 1);
    }
    if object == **before {
        return Ok(before.clone());
    }
    if call.asks("dryRun").is_some() {
        return Ok(Arc::new(object));
    }
    let key = call.key();
    let waits_for_node = object["metadata"]["deletionGracePeriodSeconds"].as_i64() > Some(0);
    if is_ending && finalizers.is_empty() && !waits_for_node {
        delete::remove_object(store, &key, moment);
        return Ok(Arc::new(object));
    }
    Ok(keep(store, call, &key, object, moment))
}

/// What only the server sets stays as it is.
fn keep_servers_own(before: &Value, object: &mut Value) {
    for key in [
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
    ] {
        put(&mut object["metadata"], key, before["metadata"].get(key));
    }
}

/// Gives a field this value, or takes it out where there is none.
fn put(object: &mut Value, key: &str, value: Option<&Value>) {
    if let Some(value) = value {
        object[key] = value.clone();
    } else if let Some(map) = object.as_object_mut() {
        map.remove(key);
    }
}

fn changes_generation(kind: &ServedKind, before: &Value, after: &Value) -> bool {
    match kind.generation {
        Generation::Absent => false,
        Generation::Spec => before.get("spec") != after.get("spec"),
        Generation::AllButStatus => {
            let rest = |object: &Value| {
                let mut object = object.clone();
                if let Some(map) = object.as_object_mut() {
                    map.remove("metadata");
                    if kind.has_status {
                        map.remove("status");
                    }
                }
                object
            };
            rest(before) != rest(after)
        }
    }
}

/// What the server adds to a new object.
fn made(store: &mut Store, call: &ApiRequest, object: &mut Value, moment: &WriteTime) {
    let kind = &call.kind;
    if kind.has_status
        && let Some(map) = object.as_object_mut()
    {
        map.remove("status");
    }
    drop_nulls(object);
    object["apiVersion"] = json!(kind.api_version());
    object["kind"] = json!(kind.name);
    let uid = store.uid();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for key in [
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "resourceVersion",
            "selfLink",
            "generation",
        ] {
            metadata.remove(key);
        }
        metadata.insert("uid".to_owned(), json!(uid));
        metadata.insert("creationTimestamp".to_owned(), json!(moment.time));
        if kind.namespaced {
            metadata.insert("namespace".to_owned(), json!(call.namespace));
        }
        if kind.generation != Generation::Absent {
            metadata.insert("generation".to_owned(), json!(1));
        }
    }
    let name = object["metadata"]["name"].clone();
    match kind.plural.as_str() {
        "namespaces" => {
            object["metadata"]["labels"]["kubernetes.io/metadata.name"] = name;
            object["status"] = json!({"phase": "Active"});
        }
        "pods" => object["status"] = json!({"phase": "Pending"}),
        "customresourcedefinitions" => {
            object["status"] = json!({"conditions": [
                {"type": "NamesAccepted", "status": "True", "reason": "NoConflicts", "lastTransitionTime": moment.time},
                {"type": "Established", "status": "True", "reason": "InitialNamesAccepted", "lastTransitionTime": moment.time},
            ]});
        }
        _ => {}
    }
}

fn keep(
    store: &mut Store,
    call: &ApiRequest,
    key: &ObjectKey,
    object: Value,
    moment: &WriteTime,
) -> Arc<Value> {
    if call.asks("dryRun").is_some() {
        return Arc::new(object);
    }
    if call.kind.plural == "customresourcedefinitions" {
        store.kinds.define(&object);
    }
    store.commit(key, Some(object), moment.at)
}

fn writer<'a>(call: &'a ApiRequest, moment: &'a WriteTime) -> Writer<'a> {
    Writer {
        manager: call.manager(),
        subresource: call.subresource.as_deref(),
        kind: &call.kind,
        time: &moment.time,
    }
}
