//! Reads: one object, or a list in pages.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::api_error::ApiError;
use crate::request::{ApiRequest, Verb};
use crate::store::{ObjectKey, Store};

/// An object, or a list, as of a version. `make_undecodable` makes the first object one that nobody can decode.
pub(crate) fn read(
    store: &Store,
    call: &ApiRequest,
    version: u64,
    make_undecodable: Option<fn(&mut Value)>,
) -> Result<Arc<Value>, ApiError> {
    if call.verb == Verb::Get {
        return get(store, call, version, make_undecodable);
    }
    let mut version = wanted_version(store, call)?.unwrap_or(version);
    let mut after = None;
    if let Some(token) = call.asks("continue") {
        let (from, last) = token
            .split_once('|')
            .ok_or_else(|| ApiError::bad_request("continue key is not valid: invalid continue token"))?;
        version = from
            .parse()
            .map_err(|_| ApiError::bad_request("continue key is not valid: invalid continue token"))?;
        after = last.split_once('/');
    }
    if version < store.compacted() {
        return Err(ApiError::expired(
            "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.".to_owned(),
        ));
    }
    let namespace = Some(call.namespace.as_str()).filter(|namespace| !namespace.is_empty());
    let all = store.list(&call.kind.resource(), namespace, version);
    let rest = all.into_iter().filter(|(key, object)| {
        after.is_none_or(|after| (key.namespace.as_str(), key.name.as_str()) > after)
            && call.selector.matches(object)
    });
    let mut rest: Vec<(ObjectKey, Arc<Value>)> = rest.collect();
    let mut metadata = json!({"resourceVersion": version.to_string()});
    let limit = call
        .asks("limit")
        .and_then(|limit| limit.parse().ok())
        .unwrap_or(0);
    if limit > 0 && rest.len() > limit {
        if call.selector.selects_all() {
            metadata["remainingItemCount"] = json!(rest.len() - limit);
        }
        rest.truncate(limit);
        if let Some((key, _)) = rest.last() {
            metadata["continue"] = json!(format!("{version}|{}/{}", key.namespace, key.name));
        }
    }
    let mut items: Vec<Value> = rest.into_iter().map(|(_, object)| (*object).clone()).collect();
    if let (Some(make_undecodable), Some(first)) = (make_undecodable, items.first_mut()) {
        make_undecodable(first);
    }
    if !call.kind.is_custom {
        // A list of a built-in kind names it once.
        for map in items.iter_mut().filter_map(Value::as_object_mut) {
            map.remove("apiVersion");
            map.remove("kind");
        }
    }
    Ok(Arc::new(json!({
        "kind": format!("{}List", call.kind.name), "apiVersion": call.kind.api_version(),
        "metadata": metadata, "items": items,
    })))
}

/// The version that a list must be of, if it says one.
fn wanted_version(store: &Store, call: &ApiRequest) -> Result<Option<u64>, ApiError> {
    let Some(asked) = call.asks("resourceVersion").filter(|version| *version != "0") else {
        return Ok(None);
    };
    let asked: u64 = asked
        .parse()
        .map_err(|_| ApiError::bad_request(&format!("Invalid resource version: {asked}")))?;
    if asked > store.version() {
        return Err(ApiError::too_large_version(asked, store.version()));
    }
    if call.asks("resourceVersionMatch") != Some("Exact") {
        return Ok(None);
    }
    if asked < store.compacted() {
        return Err(ApiError::expired(format!(
            "The resourceVersion for the provided list is too old: {asked}"
        )));
    }
    Ok(Some(asked))
}

fn get(
    store: &Store,
    call: &ApiRequest,
    version: u64,
    make_undecodable: Option<fn(&mut Value)>,
) -> Result<Arc<Value>, ApiError> {
    let key = call.key();
    let object = if version == store.version() {
        store.get(&key)
    } else {
        let all = store.list(&key.resource, Some(&key.namespace), version);
        all.into_iter()
            .find(|(one, _)| *one == key)
            .map(|(_, object)| object)
    };
    let mut object = object.ok_or_else(|| ApiError::not_found(&call.kind, &call.name))?;
    if let Some(make_undecodable) = make_undecodable {
        make_undecodable(Arc::make_mut(&mut object));
    }
    Ok(object)
}
