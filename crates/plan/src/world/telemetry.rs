//! Istio's Telemetry resources, as far as they decide about access logs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::ResourceExt as _;
use kube::core::DynamicObject;
use serde::Deserialize;

use super::object_name::ObjectName;
use super::read_error::{ReadError, ReadResult};

/// A Telemetry. One that says nothing about access logs counts, too: as the oldest of its namespace it hides a younger one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telemetry {
    /// The name of the Telemetry.
    pub name: ObjectName,
    /// When the Telemetry was created.
    pub created: Option<Timestamp>,
    /// The labels of the pods that it applies to; empty means all pods.
    pub labels: BTreeMap<String, String>,
    /// The gateways and services that it applies to; empty means all.
    pub targets: Vec<TargetRef>,
    /// The entries of `spec.accessLogging`, in their order.
    pub access_logging: Vec<AccessLogging>,
}

/// An object that a Telemetry is attached to (`PolicyTargetReference`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TargetRef {
    /// The API group of the object.
    pub group: String,
    /// The kind of the object.
    pub kind: String,
    /// The name of the object.
    pub name: String,
    /// The namespace of the object; empty means that of the Telemetry.
    pub namespace: String,
}

/// One entry of `spec.accessLogging`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessLogging {
    /// The names of its providers.
    pub providers: Vec<String>,
    /// The calls that it applies to; absent means all calls.
    pub calls: Option<CallDirection>,
    /// Whether it ends the logging to its providers.
    pub disabled: bool,
}

/// The direction of calls, as a proxy sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallDirection {
    /// Calls that its workload makes, and all calls of a gateway (`CLIENT`).
    Outgoing,
    /// Calls that its workload receives, and all calls of a waypoint (`SERVER`).
    Incoming,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    selector: Option<Selector>,
    target_ref: Option<TargetRef>,
    target_refs: Vec<TargetRef>,
    access_logging: Vec<Entry>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Selector {
    match_labels: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    providers: Vec<Provider>,
    #[serde(rename = "match")]
    selects: Option<Match>,
    disabled: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Provider {
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Match {
    mode: String,
}

impl Telemetry {
    /// Reads a Telemetry. One that can't be decoded is an error, because nobody knows which proxies it silences.
    pub fn of(telemetry: &DynamicObject) -> ReadResult<Self> {
        let name = ObjectName::new(&telemetry.namespace().unwrap_or_default(), &telemetry.name_any());
        let spec = telemetry.data.get("spec").cloned().unwrap_or_default();
        let spec: Spec =
            serde_json::from_value(without_nulls(spec)).map_err(|error| ReadError::Undecodable {
                resource: "telemetries.telemetry.istio.io".to_owned(),
                name: name.clone(),
                message: error.to_string(),
            })?;
        let targets = match spec.target_refs {
            targets if targets.is_empty() => spec.target_ref.into_iter().collect(),
            targets => targets,
        };
        Ok(Self {
            name,
            created: telemetry.creation_timestamp().map(|time| time.0),
            labels: spec.selector.unwrap_or_default().match_labels,
            targets,
            access_logging: spec.access_logging.into_iter().map(AccessLogging::of).collect(),
        })
    }

    /// Whether it applies to its whole namespace.
    pub fn is_for_all(&self) -> bool {
        self.labels.is_empty() && self.targets.is_empty()
    }
}

impl AccessLogging {
    fn of(entry: Entry) -> Self {
        Self {
            providers: entry
                .providers
                .into_iter()
                .map(|provider| provider.name)
                .collect(),
            calls: match entry.selects.map(|selects| selects.mode).as_deref() {
                Some("CLIENT") => Some(CallDirection::Outgoing),
                Some("SERVER") => Some(CallDirection::Incoming),
                _ => None,
            },
            disabled: entry.disabled,
        }
    }
}

/// Removes keys with null, which are as good as absent.
fn without_nulls(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Null => serde_json::json!({}),
        serde_json::Value::Object(fields) => {
            let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
            fields.map(|(key, value)| (key, without_nulls(value))).collect()
        }
        serde_json::Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn telemetry(spec: &Value) -> ReadResult<Telemetry> {
        let value = json!({
            "apiVersion": "telemetry.istio.io/v1alpha1", "kind": "Telemetry",
            "metadata": {"namespace": "istio-system", "name": "mesh-default", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": spec,
        });
        Telemetry::of(&serde_json::from_value(value).unwrap())
    }

    #[test]
    fn one_about_metrics_is_read_and_says_nothing_about_access_logs() {
        for spec in [
            json!({"metrics": [{}]}),
            json!({"accessLogging": null, "selector": null}),
            json!(null),
        ] {
            let found = telemetry(&spec).unwrap();
            assert_eq!(found.access_logging, []);
            assert!(found.is_for_all());
            assert!(found.created.is_some());
        }
    }

    #[test]
    fn one_that_is_not_understood_is_an_error() {
        let error = telemetry(&json!({"accessLogging": "everything"})).unwrap_err();
        assert!(
            error.to_string().starts_with(
                "telemetries.telemetry.istio.io istio-system/mesh-default can't be read by this version"
            ),
            "{error}"
        );
    }

    #[test]
    fn entries_have_providers_and_a_side() {
        let spec = json!({"accessLogging": [
            {"providers": [{"name": "envoy"}, {"name": "otel"}], "match": {"mode": "CLIENT"}},
            {"disabled": true, "match": {"mode": "SERVER"}, "filter": {"expression": "true"}},
            {"match": {"mode": "CLIENT_AND_SERVER"}},
            {},
        ]});
        let entry = |providers: &[&str], calls, disabled| AccessLogging {
            providers: providers.iter().map(|name| (*name).to_owned()).collect(),
            calls,
            disabled,
        };
        assert_eq!(
            telemetry(&spec).unwrap().access_logging,
            [
                entry(&["envoy", "otel"], Some(CallDirection::Outgoing), false),
                entry(&[], Some(CallDirection::Incoming), true),
                entry(&[], None, false),
                entry(&[], None, false),
            ]
        );
    }

    #[test]
    fn a_selector_and_targets_narrow_it() {
        let labels = telemetry(&json!({"selector": {"matchLabels": {"app": "web"}}})).unwrap();
        assert_eq!(labels.labels, [("app".to_owned(), "web".to_owned())].into());
        assert!(!labels.is_for_all());
        assert!(
            telemetry(&json!({"selector": {"matchLabels": {}}}))
                .unwrap()
                .is_for_all()
        );
        let target = json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "web"});
        for spec in [json!({"targetRef": target}), json!({"targetRefs": [target]})] {
            let found = telemetry(&spec).unwrap();
            assert_eq!(found.targets[0].name, "web");
            assert!(!found.is_for_all());
        }
    }
}
