//! Whether a user may do what it asks, by the roles and bindings that are stored.

use serde_json::Value;

use crate::call::Call;
use crate::refusal::Refusal;
use crate::store::{Key, Store};

/// Who may do everything.
pub(crate) const ADMIN: &str = "admin";

const GROUP: &str = "rbac.authorization.k8s.io";

/// Refuses in Kubernetes' own words. `verb` is the call's, or another that it implies.
pub(crate) fn authorize(store: &Store, call: &Call, verb: &str) -> Result<(), Refusal> {
    if call.user == ADMIN || call.groups.iter().any(|group| group == "system:masters") {
        return Ok(());
    }
    let name = match call.name.as_str() {
        "" => call.selector.only_name().unwrap_or_default(),
        name => name,
    };
    let may = rules(store, call).iter().any(|rule| {
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
    Err(Refusal::forbidden(format!(
        "{named} is forbidden: User \"{}\" cannot {verb} resource \"{}\" in API group \"{}\" {scope}",
        call.user,
        call.right(),
        call.kind.group
    )))
}

/// Every rule that is the user's where it asks.
fn rules(store: &Store, call: &Call) -> Vec<Value> {
    let mut rules = Vec::new();
    for (key, binding) in store.all() {
        let applies = match key.resource.strip_suffix(".rbac.authorization.k8s.io") {
            Some("clusterrolebindings") => true,
            Some("rolebindings") => key.namespace == call.namespace && !call.namespace.is_empty(),
            _ => false,
        };
        let subjects = binding["subjects"].as_array();
        if !applies
            || !subjects
                .into_iter()
                .flatten()
                .any(|subject| is_user(subject, call))
        {
            continue;
        }
        let (plural, namespace) = match binding["roleRef"]["kind"].as_str() {
            Some("ClusterRole") => ("clusterroles", ""),
            _ => ("roles", key.namespace.as_str()),
        };
        let role = store.get(&Key {
            resource: format!("{plural}.{GROUP}"),
            namespace: namespace.to_owned(),
            name: binding["roleRef"]["name"].as_str().unwrap_or_default().to_owned(),
        });
        let of_role = role.as_ref().and_then(|role| role["rules"].as_array());
        rules.extend(of_role.into_iter().flatten().cloned());
    }
    rules
}

fn is_user(subject: &Value, call: &Call) -> bool {
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
