//! Deletes objects, and what depends on them.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::api_error::ApiError;
use crate::request::ApiRequest;
use crate::store::{ObjectKey, Store};
use crate::write::WriteTime;

const FOREGROUND: &str = "foregroundDeletion";

/// Away with one object. Returns the answer: the object that is ending, or `Success`.
pub(crate) fn delete(
    store: &mut Store,
    call: &ApiRequest,
    moment: &WriteTime,
) -> Result<Arc<Value>, ApiError> {
    let options = if call.body.is_empty() {
        Value::Null
    } else {
        call.json()?
    };
    let key = call.key();
    let object = store
        .get(&key)
        .ok_or_else(|| ApiError::not_found(&call.kind, &call.name))?;
    for (precondition, field, told) in [
        ("uid", "uid", "UID in precondition"),
        (
            "resourceVersion",
            "resourceVersion",
            "ResourceVersion in precondition",
        ),
    ] {
        let wanted = options["preconditions"][precondition].as_str();
        let found = object["metadata"][field].as_str().unwrap_or_default();
        if let Some(wanted) = wanted.filter(|wanted| *wanted != found) {
            let why = format!("Precondition failed: {told}: {wanted}, in object meta: {found}");
            return Err(ApiError::conflict(&call.kind, &call.name, &why));
        }
    }
    if call.asks("dryRun").is_some() || options["dryRun"].is_array() {
        return Ok(object);
    }
    let policy = options["propagationPolicy"]
        .as_str()
        .or(call.asks("propagationPolicy"));
    let finalizer = (policy == Some("Foreground")).then_some(FOREGROUND);
    Ok(end(store, &key, finalizer, moment))
}

/// Deletes many objects.
pub(crate) fn delete_collection(store: &mut Store, call: &ApiRequest, moment: &WriteTime) -> Arc<Value> {
    let namespace = Some(call.namespace.as_str()).filter(|namespace| !namespace.is_empty());
    let all = store.list(&call.kind.resource(), namespace, store.version());
    for (key, _) in all.iter().filter(|(_, object)| call.selector.matches(object)) {
        end(store, key, None, moment);
    }
    Arc::new(json!({
        "kind": format!("{}List", call.kind.name), "apiVersion": call.kind.api_version(),
        "metadata": {"resourceVersion": store.version().to_string()},
        "items": all.iter().map(|(_, object)| (**object).clone()).collect::<Vec<Value>>(),
    }))
}

fn end(store: &mut Store, key: &ObjectKey, finalizer: Option<&str>, moment: &WriteTime) -> Arc<Value> {
    let Some(object) = store.get(key) else {
        return Arc::default();
    };
    let mut object = (*object).clone();
    let is_ending = object["metadata"].get("deletionTimestamp").is_some();
    let mut finalizers = finalizers(&object);
    if let Some(finalizer) = finalizer
        && !is_ending
        && !finalizers.iter().any(|one| one == finalizer)
    {
        finalizers.push(finalizer.to_owned());
    }
    // A pod on a node ends when its node says so, a namespace when it is empty.
    let is_scheduled = key.resource == "pods" && object.pointer("/spec/nodeName").is_some();
    let waits = !finalizers.is_empty() || is_scheduled || key.resource == "namespaces";
    if !waits {
        remove_object(store, key, moment);
        return Arc::new(json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
            "details": {"name": key.name, "kind": key.resource, "uid": object["metadata"]["uid"]},
        }));
    }
    if is_ending {
        return Arc::new(object);
    }
    object["metadata"]["deletionTimestamp"] = json!(moment.time);
    object["metadata"]["deletionGracePeriodSeconds"] = json!(if is_scheduled { 30 } else { 0 });
    if !finalizers.is_empty() {
        object["metadata"]["finalizers"] = json!(finalizers);
    }
    if let Some(generation) = object["metadata"]["generation"].as_i64() {
        object["metadata"]["generation"] = json!(generation + 1);
    }
    if key.resource == "namespaces" {
        object["status"] = json!({"phase": "Terminating"});
    }
    store.commit(key, Some(object), moment.at)
}

/// Takes an object out, and with a definition its objects and its kind.
pub(crate) fn remove_object(store: &mut Store, key: &ObjectKey, moment: &WriteTime) {
    store.commit(key, None, moment.at);
    if key.resource == "customresourcedefinitions.apiextensions.k8s.io" {
        for (key, _) in store.list(&key.name, None, store.version()) {
            store.commit(&key, None, moment.at);
        }
        store.kinds.undefine(&key.name);
    }
}

pub(crate) fn finalizers(object: &Value) -> Vec<String> {
    let all = object.pointer("/metadata/finalizers").and_then(Value::as_array);
    all.into_iter()
        .flatten()
        .filter_map(|one| one.as_str().map(str::to_owned))
        .collect()
}

/// What Kubernetes' controllers take away: dependents of what is gone or ends in the foreground, and what is in a namespace
/// that ends. Returns whether anything was left to do.
pub(crate) fn collect(store: &mut Store, moment: &WriteTime) -> bool {
    let before = store.version();
    let objects: Vec<(ObjectKey, Arc<Value>)> = store
        .all()
        .map(|(key, object)| (key.clone(), object.clone()))
        .collect();
    let uid = |object: &Value| object["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    let uids: BTreeSet<String> = objects.iter().map(|(_, object)| uid(object)).collect();
    let is_ending = |object: &Value| object["metadata"].get("deletionTimestamp").is_some();
    let ends_first =
        |object: &Value| is_ending(object) && finalizers(object).iter().any(|one| one == FOREGROUND);
    let going: BTreeSet<String> = objects
        .iter()
        .filter(|(_, object)| ends_first(object))
        .map(|(_, object)| uid(object))
        .collect();
    let ending: BTreeSet<&str> = objects
        .iter()
        .filter(|(key, object)| key.resource == "namespaces" && is_ending(object))
        .map(|(key, _)| key.name.as_str())
        .collect();
    let mut blocked = BTreeSet::new();
    for (key, object) in &objects {
        let owners = owners(object);
        let is_orphan = !owners.is_empty() && owners.iter().all(|(owner, _)| !uids.contains(owner));
        let is_dependent = owners.iter().any(|(owner, _)| going.contains(owner));
        let blocking = owners
            .iter()
            .filter(|(owner, blocks)| *blocks && going.contains(owner));
        blocked.extend(blocking.map(|(owner, _)| owner.clone()));
        if (is_orphan || is_dependent || ending.contains(key.namespace.as_str())) && !is_ending(object) {
            end(store, key, is_dependent.then_some(FOREGROUND), moment);
        }
    }
    for (key, object) in &objects {
        if ends_first(object) && !blocked.contains(&uid(object)) {
            let_go(store, key, FOREGROUND, moment);
        }
        let is_empty = !objects.iter().any(|(other, _)| other.namespace == key.name);
        if key.resource == "namespaces" && is_ending(object) && is_empty {
            remove_object(store, key, moment);
        }
    }
    store.version() != before
}

/// Owners' uids, and whether each waits for the object.
fn owners(object: &Value) -> Vec<(String, bool)> {
    let all = object
        .pointer("/metadata/ownerReferences")
        .and_then(Value::as_array);
    all.into_iter()
        .flatten()
        .map(|owner| {
            (
                owner["uid"].as_str().unwrap_or_default().to_owned(),
                owner["blockOwnerDeletion"] == json!(true),
            )
        })
        .collect()
}

fn let_go(store: &mut Store, key: &ObjectKey, finalizer: &str, moment: &WriteTime) {
    let Some(object) = store.get(key) else {
        return;
    };
    let mut object = (*object).clone();
    let mut left = finalizers(&object);
    left.retain(|one| one != finalizer);
    if left.is_empty() {
        remove_object(store, key, moment);
        return;
    }
    object["metadata"]["finalizers"] = json!(left);
    store.commit(key, Some(object), moment.at);
}
