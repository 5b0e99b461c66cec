//! Istio's Telemetry, as far as it shadows mesh config's access-log switch.

use kube::ResourceExt as _;
use kube::core::DynamicObject;
use serde_json::Value;

use super::ObjectName;

/// A Telemetry that says something about access logs: istiod then ignores `enableEnvoyAccessLogService` for the proxies that
/// it applies to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telemetry {
    /// Its name.
    pub name: ObjectName,
    /// Whether it is for some workloads of its namespace only.
    pub selects: bool,
}

impl Telemetry {
    /// Reads a Telemetry; `None` when it is silent about access logs.
    pub fn of(telemetry: &DynamicObject) -> Option<Self> {
        let spec = telemetry.data.get("spec")?;
        let filled = |key: &str| match spec.get(key) {
            None | Some(Value::Null) => false,
            Some(Value::Array(items)) => !items.is_empty(),
            Some(_) => true,
        };
        filled("accessLogging").then(|| Self {
            name: ObjectName::new(&telemetry.namespace().unwrap_or_default(), &telemetry.name_any()),
            selects: filled("selector") || filled("targetRefs") || filled("targetRef"),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn telemetry(spec: &Value) -> Option<Telemetry> {
        let value = json!({
            "apiVersion": "telemetry.istio.io/v1", "kind": "Telemetry",
            "metadata": {"namespace": "istio-system", "name": "mesh-default"},
            "spec": spec,
        });
        Telemetry::of(&serde_json::from_value(value).unwrap())
    }

    #[test]
    fn one_about_metrics_shadows_nothing() {
        assert_eq!(telemetry(&json!({"metrics": [{}]})), None);
        assert_eq!(telemetry(&json!({"accessLogging": []})), None);
    }

    #[test]
    fn one_that_disables_access_logs_shadows_as_well() {
        let found = telemetry(&json!({"accessLogging": [{"disabled": true}]})).unwrap();
        assert!(!found.selects);
    }

    #[test]
    fn a_selector_narrows_it() {
        let spec = json!({"accessLogging": [{}], "selector": {"matchLabels": {"app": "web"}}});
        assert!(telemetry(&spec).unwrap().selects);
    }
}
