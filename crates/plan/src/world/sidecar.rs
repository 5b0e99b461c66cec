//! Istio's Sidecar resources, as far as they decide which services a proxy knows.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::ResourceExt as _;
use kube::core::DynamicObject;
use serde::Deserialize;

use super::object_name::ObjectName;
use super::read_error::{ReadError, ReadResult};

/// A Sidecar resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sidecar {
    /// The name of the Sidecar.
    pub name: ObjectName,
    /// When the Sidecar was created.
    pub created: Option<Timestamp>,
    /// The labels of the pods that it applies to; absent means all pods.
    pub labels: Option<BTreeMap<String, String>>,
    /// The listeners for outgoing calls, each with what it lets through; empty means everything.
    pub egress: Vec<Egress>,
}

/// One of `spec.egress`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Egress {
    /// The services that it lets through, as `namespace/host`.
    pub hosts: Vec<String>,
    /// The only port of these services that it lets through; absent means all ports.
    pub port: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    workload_selector: Option<Selector>,
    egress: Option<Vec<Listener>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Selector {
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Listener {
    hosts: Option<Vec<String>>,
    port: Option<Port>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Port {
    number: u32,
    protocol: Option<String>,
}

impl Sidecar {
    /// Reads a Sidecar. One that can't be decoded is an error, because nobody knows which proxies it keeps from the collector.
    pub fn of(sidecar: &DynamicObject) -> ReadResult<Self> {
        let name = ObjectName::new(&sidecar.namespace().unwrap_or_default(), &sidecar.name_any());
        let spec = sidecar.data.get("spec").filter(|spec| !spec.is_null()).cloned();
        let spec = spec.map_or_else(|| Ok(Spec::default()), serde_json::from_value::<Spec>);
        let spec = spec.map_err(|error| ReadError::Undecodable {
            resource: "sidecars.networking.istio.io".to_owned(),
            name: name.clone(),
            message: error.to_string(),
        })?;
        Ok(Self {
            name,
            created: sidecar.creation_timestamp().map(|time| time.0),
            labels: spec
                .workload_selector
                .map(|selector| selector.labels.unwrap_or_default()),
            egress: spec.egress.into_iter().flatten().map(Egress::of).collect(),
        })
    }
}

impl Egress {
    /// A port narrows the services, but for one of a proxy for any host (istio/istio, `needsPortMatch`).
    fn of(listener: Listener) -> Self {
        let narrows = |port: &Port| {
            let protocol = port.protocol.as_deref().unwrap_or_default();
            port.number != 0 && !protocol.eq_ignore_ascii_case("HTTP_PROXY")
        };
        Self {
            hosts: listener.hosts.unwrap_or_default(),
            port: listener.port.filter(narrows).map(|port| port.number),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn sidecar(spec: &Value) -> ReadResult<Sidecar> {
        let value = json!({
            "apiVersion": "networking.istio.io/v1", "kind": "Sidecar",
            "metadata": {"namespace": "shop", "name": "default", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": spec,
        });
        Sidecar::of(&serde_json::from_value(value).unwrap())
    }

    #[test]
    fn what_it_lets_through_is_read() {
        let found = sidecar(&json!({
            "workloadSelector": {"labels": {"app": "web"}},
            "egress": [
                {"hosts": ["./*"]},
                {"hosts": ["a/b"], "port": {"number": 80, "protocol": "HTTP"}},
                {"port": {"number": 81, "protocol": "http_proxy"}, "hosts": null},
            ],
        }))
        .unwrap();
        assert_eq!(found.name, ObjectName::new("shop", "default"));
        assert!(found.created.is_some());
        assert_eq!(
            found.labels,
            Some(BTreeMap::from([("app".to_owned(), "web".to_owned())]))
        );
        let egress = |hosts: &[&str], port| Egress {
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            port,
        };
        assert_eq!(
            found.egress,
            [
                egress(&["./*"], None),
                egress(&["a/b"], Some(80)),
                egress(&[], None)
            ]
        );
    }

    #[test]
    fn one_that_says_nothing_applies_to_all_and_lets_everything_through() {
        for spec in [json!({}), json!(null), json!({"egress": null, "ingress": [{}]})] {
            let found = sidecar(&spec).unwrap();
            assert_eq!((found.labels, found.egress), (None, vec![]));
        }
        assert_eq!(
            sidecar(&json!({"workloadSelector": {}})).unwrap().labels,
            Some(BTreeMap::new())
        );
    }

    #[test]
    fn one_that_is_not_understood_is_an_error() {
        let error = sidecar(&json!({"egress": "everything"})).unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("sidecars.networking.istio.io shop/default can't be read by this version"),
            "{text}"
        );
    }
}
