//! A `PodDisruptionBudget`: the pods that it guards, and whether one of them may be disrupted now.

use std::collections::BTreeMap;

use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::core::{Selector, SelectorExt as _};

use super::object_name::ObjectName;

/// A `PodDisruptionBudget`.
#[derive(Clone, Debug, PartialEq)]
pub struct DisruptionBudget {
    /// The namespace and the name.
    pub name: ObjectName,
    /// Whether a pod may be disrupted now. A budget whose controller has not seen the newest spec allows none.
    pub allows_disruption: bool,
    /// The pods by their labels; absent when the budget has no selector, which is no pod.
    selector: Option<BudgetSelector>,
}

/// Which pods a budget guards.
#[derive(Clone, Debug, PartialEq)]
enum BudgetSelector {
    /// Those with such labels.
    Labels(Selector),
    /// The selector has an operator that this version does not know: it may be any pod.
    Unknown,
}

impl DisruptionBudget {
    /// Reads a `PodDisruptionBudget`.
    pub fn of(budget: &PodDisruptionBudget) -> Self {
        let status = budget.status.as_ref();
        let observed = status.and_then(|status| status.observed_generation);
        let is_current = observed.unwrap_or(0) >= budget.metadata.generation.unwrap_or(0);
        let allowed = status.map_or(0, |status| status.disruptions_allowed);
        let selector = budget.spec.as_ref().and_then(|spec| spec.selector.clone());
        Self {
            name: ObjectName::of(budget),
            allows_disruption: is_current && allowed > 0,
            selector: selector.map(|selector| {
                Selector::try_from(selector).map_or(BudgetSelector::Unknown, BudgetSelector::Labels)
            }),
        }
    }

    /// Whether the budget guards the pods of this namespace with these labels.
    pub fn guards(&self, namespace: &str, labels: &BTreeMap<String, String>) -> bool {
        self.name.namespace == namespace
            && match &self.selector {
                Some(BudgetSelector::Labels(selector)) => selector.matches(labels),
                Some(BudgetSelector::Unknown) => true,
                None => false,
            }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn budget(spec: &Value, status: &Value) -> DisruptionBudget {
        let value = json!({
            "metadata": {"namespace": "shop", "name": "web", "generation": 2},
            "spec": spec, "status": status,
        });
        DisruptionBudget::of(&serde_json::from_value(value).unwrap())
    }

    fn status(allowed: i32, observed: i64) -> Value {
        json!({
            "disruptionsAllowed": allowed, "observedGeneration": observed,
            "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1,
        })
    }

    #[rstest]
    #[case::one(status(1, 2), true)]
    #[case::none(status(0, 2), false)]
    #[case::of_an_older_spec(status(1, 1), false)]
    #[case::not_judged_yet(Value::Null, false)]
    fn a_disruption_is_allowed_by_the_newest_status_alone(#[case] status: Value, #[case] allows: bool) {
        assert_eq!(budget(&json!({}), &status).allows_disruption, allows);
    }

    #[rstest]
    #[case::labels(json!({"selector": {"matchLabels": {"app": "web"}}}), true)]
    #[case::other_labels(json!({"selector": {"matchLabels": {"app": "db"}}}), false)]
    #[case::expression(json!({"selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}}), true)]
    #[case::other_expression(json!({"selector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}}), false)]
    #[case::unknown_operator(json!({"selector": {"matchExpressions": [{"key": "app", "operator": "Near", "values": ["db"]}]}}), true)]
    #[case::every_pod(json!({"selector": {}}), true)]
    #[case::no_selector(json!({}), false)]
    fn a_budget_guards_the_pods_that_its_selector_matches(#[case] spec: Value, #[case] guards: bool) {
        let labels = BTreeMap::from([("app".to_owned(), "web".to_owned())]);
        let budget = budget(&spec, &Value::Null);
        assert_eq!(budget.guards("shop", &labels), guards);
        assert!(!budget.guards("bank", &labels));
    }
}
