//! The errors of the API server: `metav1.Status`, in the words of Kubernetes.

use serde_json::{Value, json};

use crate::kind::ServedKind;

/// The error of a request that is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    /// The HTTP status code.
    pub(crate) code: u16,
    reason: &'static str,
    pub(crate) message: String,
    details: Value,
}

impl ApiError {
    fn new(code: u16, reason: &'static str, message: String) -> Self {
        Self {
            code,
            reason,
            message,
            details: Value::Null,
        }
    }

    fn about(mut self, kind: &ServedKind, name: &str) -> Self {
        self.details = json!({"name": name, "group": kind.group, "kind": kind.plural});
        self
    }

    /// The path leads nowhere: the kind is not installed. Kubernetes answers with plain text.
    pub(crate) fn no_such_path() -> Self {
        Self::new(404, "", "404 page not found\n".to_owned())
    }

    pub(crate) fn not_found(kind: &ServedKind, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", kind.resource());
        Self::new(404, "NotFound", message).about(kind, name)
    }

    pub(crate) fn already_exists(kind: &ServedKind, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", kind.resource());
        Self::new(409, "AlreadyExists", message).about(kind, name)
    }

    pub(crate) fn conflict(kind: &ServedKind, name: &str, why: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": {why}",
            kind.resource()
        );
        Self::new(409, "Conflict", message).about(kind, name)
    }

    /// The object is at another version than the writer thinks.
    pub(crate) fn modified(kind: &ServedKind, name: &str) -> Self {
        Self::conflict(
            kind,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    /// Fields that an apply would take from other managers: each with its manager, as `manager` and `.path`.
    pub(crate) fn owned_by_others(conflicts: &[(String, String)]) -> Self {
        let many = if conflicts.len() == 1 { "" } else { "s" };
        let lines: Vec<String> = conflicts
            .iter()
            .map(|(manager, field)| format!("conflict with {manager}: {field}"))
            .collect();
        let message = format!(
            "Apply failed with {} conflict{many}: {}",
            conflicts.len(),
            lines.join("\n")
        );
        let causes: Vec<Value> = conflicts
            .iter()
            .map(|(manager, field)| {
                json!({"reason": "FieldManagerConflict", "message": format!("conflict with {manager}"), "field": field})
            })
            .collect();
        let mut refusal = Self::new(409, "Conflict", message);
        refusal.details = json!({ "causes": causes });
        refusal
    }

    pub(crate) fn invalid(kind: &ServedKind, name: &str, why: &str) -> Self {
        let named = if kind.group.is_empty() {
            kind.name.clone()
        } else {
            format!("{}.{}", kind.name, kind.group)
        };
        let message = format!("{named} \"{name}\" is invalid: {why}");
        Self::new(422, "Invalid", message).about(kind, name)
    }

    /// A JSON patch that does not fit.
    pub(crate) fn unprocessable(message: &str) -> Self {
        Self::new(422, "Invalid", message.to_owned())
    }

    pub(crate) fn bad_request(message: &str) -> Self {
        Self::new(400, "BadRequest", message.to_owned())
    }

    pub(crate) fn unsupported_media_type(message: &str) -> Self {
        Self::new(415, "UnsupportedMediaType", message.to_owned())
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource".to_owned(),
        )
    }

    pub(crate) fn forbidden(message: String) -> Self {
        Self::new(403, "Forbidden", message)
    }

    /// A version that is no longer known.
    pub(crate) fn expired(message: String) -> Self {
        Self::new(410, "Expired", message)
    }

    /// A version that is not known yet.
    pub(crate) fn too_large_version(wanted: u64, current: u64) -> Self {
        Self::new(
            504,
            "Timeout",
            format!("Too large resource version: {wanted}, current: {current}"),
        )
    }

    /// What a fault makes the server say.
    pub(crate) fn injected(code: u16) -> Self {
        let (reason, message) = match code {
            400 => ("BadRequest", "the request is malformed"),
            403 => ("Forbidden", "is forbidden: User \"injected\" cannot do this"),
            404 => ("NotFound", "the server could not find the requested resource"),
            409 => (
                "Conflict",
                "Operation cannot be fulfilled: the object has been modified; please apply your changes to the latest version and try again",
            ),
            410 => (
                "Expired",
                "The resourceVersion for the provided watch is too old.",
            ),
            429 => ("TooManyRequests", "the server has received too many requests"),
            503 => (
                "ServiceUnavailable",
                "the server is currently unable to handle the request",
            ),
            504 => (
                "Timeout",
                "the server was unable to return a response in the time allotted",
            ),
            _ => (
                "InternalError",
                "an error on the server has prevented the request from succeeding",
            ),
        };
        Self::new(code, reason, message.to_owned())
    }

    /// The body of the response.
    pub(crate) fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {},
            "status": "Failure", "message": self.message, "reason": self.reason, "code": self.code,
        });
        if !self.details.is_null() {
            status["details"] = self.details.clone();
        }
        status
    }

    /// Whether the body is the message alone.
    pub(crate) fn is_plain(&self) -> bool {
        self.reason.is_empty()
    }
}
