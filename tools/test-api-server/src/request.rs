//! A request to the API server, parsed.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use http::request::Parts;
use serde_json::Value;

use crate::api_error::ApiError;
use crate::kind::{ServedKind, ServedKinds};
use crate::selector::Selector;
use crate::store::ObjectKey;

/// The verb of a request, as RBAC has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Reads one object.
    Get,
    /// Reads many objects.
    List,
    /// Reads the changes of objects, from a version on.
    Watch,
    /// Creates an object.
    Create,
    /// Replaces a whole object.
    Update,
    /// Changes parts of an object.
    Patch,
    /// Deletes one object.
    Delete,
    /// Deletes many objects.
    DeleteCollection,
}

impl Verb {
    /// The spelling of RBAC.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }

    /// Whether the verb changes nothing.
    pub const fn reads(self) -> bool {
        matches!(self, Self::Get | Self::List | Self::Watch)
    }
}

/// A parsed request.
#[derive(Clone, Debug)]
pub(crate) struct ApiRequest {
    pub(crate) verb: Verb,
    pub(crate) kind: Arc<ServedKind>,
    /// The namespace; empty for the whole cluster.
    pub(crate) namespace: String,
    /// The name of the object; empty for many objects.
    pub(crate) name: String,
    pub(crate) subresource: Option<String>,
    pub(crate) selector: Selector,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) user: String,
    pub(crate) groups: Vec<String>,
    pub(crate) agent: String,
    pub(crate) content_type: String,
    pub(crate) body: Bytes,
}

impl ApiRequest {
    /// Parses a request of a user, which may impersonate another.
    pub(crate) fn parse(
        kinds: &ServedKinds,
        user: &str,
        parts: &Parts,
        body: Bytes,
    ) -> Result<Self, ApiError> {
        let segments: Vec<&str> = parts
            .uri
            .path()
            .split('/')
            .filter(|one| !one.is_empty())
            .collect();
        let (group, version, rest) = match segments.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return Err(ApiError::no_such_path()),
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !matches!(rest, [] | ["status" | "finalize"]) => {
                (*namespace, rest)
            }
            rest => ("", rest),
        };
        let (plural, name, subresource) = match rest {
            [plural] => (*plural, "", None),
            [plural, name] => (*plural, *name, None),
            [plural, name, subresource] => (*plural, *name, Some((*subresource).to_owned())),
            _ => return Err(ApiError::no_such_path()),
        };
        let kind = kinds
            .at(group, version, plural)
            .ok_or_else(ApiError::no_such_path)?;
        let is_known_subresource = match subresource.as_deref() {
            None => true,
            Some(subresource) => subresource == "status" && kind.has_status,
        };
        if !is_known_subresource || (!namespace.is_empty() && !kind.namespaced) {
            return Err(ApiError::no_such_path());
        }
        let query: BTreeMap<String, String> =
            form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
                .into_owned()
                .collect();
        let selected = |name: &str| query.get(name).map_or("", String::as_str);
        let selector = Selector::parse(&kind, selected("labelSelector"), selected("fieldSelector"))?;
        let (user, groups) = identity(user, parts);
        Ok(Self {
            verb: verb(&parts.method, !name.is_empty(), is_true(&query, "watch"))?,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            subresource,
            selector,
            user,
            groups,
            agent: header(parts, "user-agent").to_owned(),
            content_type: header(parts, "content-type").to_owned(),
            query,
            kind,
            body,
        })
    }

    pub(crate) fn key(&self) -> ObjectKey {
        ObjectKey::new(&self.kind, &self.namespace, &self.name)
    }

    pub(crate) fn asks(&self, name: &str) -> Option<&str> {
        self.query
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    pub(crate) fn is_asked(&self, name: &str) -> bool {
        is_true(&self.query, name)
    }

    pub(crate) fn is_status(&self) -> bool {
        self.subresource.is_some()
    }

    /// The field manager: the one that is named, or the program by its `User-Agent`.
    pub(crate) fn manager(&self) -> &str {
        let agent = self.agent.split(['/', ' ']).next().unwrap_or_default();
        let agent = if agent.is_empty() { "unknown" } else { agent };
        self.asks("fieldManager").unwrap_or(agent)
    }

    /// Decodes the body as JSON.
    pub(crate) fn json(&self) -> Result<Value, ApiError> {
        serde_json::from_slice(&self.body)
            .map_err(|error| ApiError::bad_request(&format!("error decoding the body: {error}")))
    }

    /// The resource with its subresource, as rights name it.
    pub(crate) fn right(&self) -> String {
        match &self.subresource {
            Some(subresource) => format!("{}/{subresource}", self.kind.plural),
            None => self.kind.plural.clone(),
        }
    }

    /// The request for the trace, as in `patch configmaps istio-system/istio`.
    pub(crate) fn shown(&self) -> String {
        let name = match (self.namespace.as_str(), self.name.as_str()) {
            ("", "") => "*".to_owned(),
            ("", name) => name.to_owned(),
            (namespace, "") => format!("{namespace}/*"),
            (namespace, name) => format!("{namespace}/{name}"),
        };
        format!("{} {} {name}", self.verb.as_str(), self.right())
    }
}

fn is_true(query: &BTreeMap<String, String>, name: &str) -> bool {
    query
        .get(name)
        .is_some_and(|value| value == "true" || value == "1")
}

fn header<'a>(parts: &'a Parts, name: &str) -> &'a str {
    parts
        .headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

fn identity(user: &str, parts: &Parts) -> (String, Vec<String>) {
    let impersonated = header(parts, "impersonate-user");
    let name = if impersonated.is_empty() {
        user
    } else {
        impersonated
    };
    let mut groups = vec!["system:authenticated".to_owned()];
    if let Some(account) = name.strip_prefix("system:serviceaccount:") {
        let namespace = account.split(':').next().unwrap_or_default();
        groups.push("system:serviceaccounts".to_owned());
        groups.push(format!("system:serviceaccounts:{namespace}"));
    }
    let more = parts.headers.get_all("impersonate-group");
    groups.extend(
        more.iter()
            .filter_map(|value| value.to_str().ok())
            .map(str::to_owned),
    );
    (name.to_owned(), groups)
}

fn verb(method: &Method, is_named: bool, watches: bool) -> Result<Verb, ApiError> {
    Ok(match (method.as_str(), is_named) {
        ("GET", false) if watches => Verb::Watch,
        ("GET", true) => Verb::Get,
        ("GET", false) => Verb::List,
        ("POST", false) => Verb::Create,
        ("PUT", true) => Verb::Update,
        ("PATCH", true) => Verb::Patch,
        ("DELETE", true) => Verb::Delete,
        ("DELETE", false) => Verb::DeleteCollection,
        _ => return Err(ApiError::method_not_allowed()),
    })
}
