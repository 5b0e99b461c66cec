//! The default resource requests of the collector's container.

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// The default requests. A tenth of a core is enough for 100 proxies with 1 000 requests a second (`docs/performance.md`). The memory is
/// more than what 250 proxies can make the collector hold, an eighth of the load in `docs/memory.md`; a test adds it up.
pub const DEFAULT_REQUESTS: [(&str, &str); 2] = [("cpu", "100m"), ("memory", "256Mi")];

/// The requests and limits of a resource, with a default request where there is neither. Kubernetes takes a limit for the request, and
/// refuses a request above its limit.
pub fn with_default_requests(asked: &ResourceRequirements) -> ResourceRequirements {
    let mut resources = asked.clone();
    let limits = resources.limits.clone().unwrap_or_default();
    let requests = resources.requests.get_or_insert_default();
    for (name, quantity) in DEFAULT_REQUESTS {
        if !limits.contains_key(name) {
            requests
                .entry(name.to_owned())
                .or_insert_with(|| Quantity(quantity.to_owned()));
        }
    }
    resources
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    #[rstest]
    #[case::nothing(json!({}), json!({"requests": {"cpu": "100m", "memory": "256Mi"}}))]
    #[case::another_memory(json!({"requests": {"memory": "1Gi"}}), json!({"requests": {"cpu": "100m", "memory": "1Gi"}}))]
    #[case::nothing_at_all(json!({"requests": {"cpu": "0", "memory": "0"}}), json!({"requests": {"cpu": "0", "memory": "0"}}))]
    #[case::a_limit_below_the_request(json!({"limits": {"memory": "128Mi"}}), json!({"requests": {"cpu": "100m"}, "limits": {"memory": "128Mi"}}))]
    #[case::both_limits(json!({"limits": {"cpu": "1", "memory": "1Gi"}}), json!({"requests": {}, "limits": {"cpu": "1", "memory": "1Gi"}}))]
    #[case::another_resource(json!({"requests": {"ephemeral-storage": "1Gi"}}), json!({"requests": {"cpu": "100m", "memory": "256Mi", "ephemeral-storage": "1Gi"}}))]
    fn what_is_not_said_is_asked_for_by_default(#[case] asked: Value, #[case] expected: Value) {
        let asked: ResourceRequirements = serde_json::from_value(asked).unwrap();
        assert_eq!(json!(with_default_requests(&asked)), expected);
    }
}
