//! Whether a user may do what it asks, by the roles and bindings that are stored.

use serde_json::Value;

use crate::api_error::ApiError;
use crate::request::ApiRequest;
use crate::store::{ObjectKey, Store};

/// The user that may do everything.
pub(crate) const ADMIN: &str = "admin";

const CLUSTER_ROLES: &str = "clusterroles.rbac.authorization.k8s.io";
const CLUSTER_ROLE_BINDINGS: &str = "clusterrolebindings.rbac.authorization.k8s.io";
const ROLES: &str = "roles.rbac.authorization.k8s.io";
const ROLE_BINDINGS: &str = "rolebindings.rbac.authorization.k8s.io";

/// Refuses in Kubernetes' own words. `verb` is the call's, or another that it implies.
pub(crate) fn authorize(store: &Store, call: &ApiRequest, verb: &str) -> Result<(), ApiError> {
    if call.user == ADMIN || call.groups.iter().any(|group| group == "system:masters") {
        return Ok(());
    }
    let name = match call.name.as_str() {
        "" => call.selector.only_name().unwrap_or_default(),
        name => name,
    };
    let may = any_rule(store, call, |rule| {
        holds(rule, "verbs", verb)
            && holds(rule, "apiGroups", &call.kind.group)
            && holds(rule, "resources", &call.right())
            && (rule["resourceNames"].as_array().is_none_or(Vec::is_empty)
                || holds(rule, "resourceNames", name))
    });
    if may {
        return Ok(());
    }
    let named = if call.name.is_empty() {
        call.kind.resource()
    } else {
        format!("{} \"{}\"", call.kind.resource(), call.name)
    };
    let scope = if call.namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace \"{}\"", call.namespace)
    };
    Err(ApiError::forbidden(format!(
        "{named} is forbidden: User \"{}\" cannot {verb} resource \"{}\" in API group \"{}\" {scope}",
        call.user,
        call.right(),
        call.kind.group
    )))
}

/// Whether a rule that is the user's where it asks says so.
fn any_rule(store: &Store, call: &ApiRequest, says: impl Fn(&Value) -> bool) -> bool {
    let everywhere = store.of(CLUSTER_ROLE_BINDINGS);
    let here = store
        .of(ROLE_BINDINGS)
        .filter(|(key, _)| key.namespace == call.namespace && !call.namespace.is_empty());
    everywhere.chain(here).any(|(key, binding)| {
        let subjects = binding["subjects"].as_array();
        if !subjects
            .into_iter()
            .flatten()
            .any(|subject| is_user(subject, call))
        {
            return false;
        }
        let (resource, namespace) = match binding["roleRef"]["kind"].as_str() {
            Some("ClusterRole") => (CLUSTER_ROLES, ""),
            _ => (ROLES, key.namespace.as_str()),
        };
        let role = store.get(&ObjectKey {
            resource: resource.to_owned(),
            namespace: namespace.to_owned(),
            name: binding["roleRef"]["name"].as_str().unwrap_or_default().to_owned(),
        });
        let rules = role.as_ref().and_then(|role| role["rules"].as_array());
        rules.into_iter().flatten().any(&says)
    })
}

fn is_user(subject: &Value, call: &ApiRequest) -> bool {
    let name = subject["name"].as_str().unwrap_or_default();
    match subject["kind"].as_str() {
        Some("User") => call.user == name,
        Some("Group") => call.groups.iter().any(|group| group == name),
        Some("ServiceAccount") => {
            let namespace = subject["namespace"].as_str().unwrap_or_default();
            call.user == format!("system:serviceaccount:{namespace}:{name}")
        }
        _ => false,
    }
}

fn holds(rule: &Value, key: &str, wanted: &str) -> bool {
    let all = rule[key].as_array();
    all.into_iter().flatten().any(|one| one == wanted || one == "*")
}
