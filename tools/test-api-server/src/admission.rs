//! What an object must be to be written.

use serde_json::Value;

use crate::api_error::ApiError;
use crate::kind::ServedKind;
use crate::request::{ApiRequest, Verb};
use crate::store::{ObjectKey, Store};

/// The object is the one, and at the version, that the writer thinks.
pub(crate) fn guard(call: &ApiRequest, before: &Value, object: &Value) -> Result<(), ApiError> {
    let (kind, name) = (&call.kind, call.name.as_str());
    let sent = |key: &str| {
        text(object, &format!("/metadata/{key}"))
            .unwrap_or_default()
            .to_owned()
    };
    let known = |key: &str| {
        text(before, &format!("/metadata/{key}"))
            .unwrap_or_default()
            .to_owned()
    };
    if !sent("uid").is_empty() && sent("uid") != known("uid") {
        let why = format!(
            "Precondition failed: UID in precondition: {}, UID in object meta: {}",
            sent("uid"),
            known("uid")
        );
        return Err(ApiError::conflict(kind, name, &why));
    }
    if !sent("resourceVersion").is_empty() && sent("resourceVersion") != known("resourceVersion") {
        return Err(ApiError::modified(kind, name));
    }
    Ok(())
}

/// The object is of the kind, the namespace and the name that the path says.
pub(crate) fn fits(call: &ApiRequest, object: &Value, name: &str) -> Result<(), ApiError> {
    let kind = &call.kind;
    let found = (
        text(object, "/apiVersion").unwrap_or_default(),
        text(object, "/kind").unwrap_or_default(),
    );
    if found.1.is_empty() {
        return Err(ApiError::bad_request("Object 'ServedKind' is missing"));
    }
    if found != (kind.api_version().as_str(), kind.name.as_str()) {
        return Err(ApiError::bad_request(&format!(
            "the API version in the data ({}, ServedKind={}) does not match the expected API version ({}, ServedKind={})",
            found.0,
            found.1,
            kind.api_version(),
            kind.name
        )));
    }
    let of_object = text(object, "/metadata/name").unwrap_or_default();
    if !name.is_empty() && !of_object.is_empty() && of_object != name {
        return Err(ApiError::bad_request(&format!(
            "the name of the object ({of_object}) does not match the name on the URL ({name})"
        )));
    }
    let namespace = text(object, "/metadata/namespace").unwrap_or_default();
    if !namespace.is_empty() && namespace != call.namespace {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    let is_create = call.verb == Verb::Create;
    if is_create && !object["metadata"].is_object() {
        return Err(ApiError::invalid(
            kind,
            "",
            "metadata.name: Required value: name or generateName is required",
        ));
    }
    Ok(())
}

pub(crate) fn in_living_namespace(store: &Store, key: &ObjectKey) -> Result<(), ApiError> {
    if key.namespace.is_empty() {
        return Ok(());
    }
    let Some(kind) = store.kinds.of("namespaces") else {
        return Ok(());
    };
    let Some(namespace) = store.get(&ObjectKey::new(&kind, "", &key.namespace)) else {
        return Err(ApiError::not_found(&kind, &key.namespace));
    };
    if namespace["metadata"].get("deletionTimestamp").is_some() {
        return Err(ApiError::forbidden(format!(
            "{} \"{}\" is forbidden: unable to create new content in namespace {} because it is being terminated",
            key.resource, key.name, key.namespace
        )));
    }
    Ok(())
}

/// The object's name, or one that begins as it asks.
pub(crate) fn name(store: &mut Store, object: &Value) -> String {
    let name = text(object, "/metadata/name").unwrap_or_default();
    match text(object, "/metadata/generateName") {
        Some(prefix) if name.is_empty() => {
            let uid = store.uid();
            format!("{prefix}{}", uid.get(31..).unwrap_or_default())
        }
        _ => name.to_owned(),
    }
}

/// RBAC's objects have names with colons.
pub(crate) fn is_name(name: &str, kind: &ServedKind) -> bool {
    let is_plain = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    let is_rbac = kind.group == "rbac.authorization.k8s.io";
    is_rbac && !name.is_empty()
        || name.starts_with(is_plain)
            && name.ends_with(is_plain)
            && name.chars().all(|one| is_plain(one) || one == '-' || one == '.')
}

/// Fields that are null are absent, but within what has no schema of its own.
pub(crate) fn drop_nulls(object: &mut Value) {
    match object {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    object.pointer(pointer).and_then(Value::as_str)
}
