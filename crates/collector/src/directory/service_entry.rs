//! Istio's `ServiceEntry`: the fields that the directory reads.

use std::borrow::Cow;
use std::collections::BTreeMap;

use alscope_analysis::directory::cidr_block::CidrBlock;
use alscope_analysis::directory::naming_rules::NamingRules;
use alscope_analysis::directory::records::{Record, SelectedPort, Selector, ServiceEntryRecord};
use alscope_analysis::port_protocol::PortProtocol;
use alscope_naming::kubernetes_name as naming;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::Deserialize;

use super::objects::{Object, annotations, created, declared, labels};

/// `networking.istio.io` `ServiceEntry`. Every Istio since 1.6 serves the version `v1beta1`.
#[derive(Clone, Debug, Deserialize)]
pub struct ServiceEntry {
    /// The metadata that every Kubernetes object has.
    pub metadata: ObjectMeta,
    /// The hosts, addresses, ports and endpoints that the entry declares.
    #[serde(default)]
    pub spec: Spec,
}

/// The `spec` of a `ServiceEntry`, as far as the directory reads it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Spec {
    hosts: Vec<String>,
    addresses: Vec<String>,
    endpoints: Vec<Endpoint>,
    ports: Vec<Port>,
    resolution: Option<String>,
    export_to: Vec<String>,
    workload_selector: Option<WorkloadSelector>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct WorkloadSelector {
    labels: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Endpoint {
    address: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Port {
    number: i32,
    #[serde(rename = "targetPort")]
    target: i64,
    protocol: Option<String>,
    name: Option<String>,
}

impl Object for ServiceEntry {
    fn record(&self, rules: &NamingRules) -> Record {
        let spec = &self.spec;
        let listed = spec.addresses.iter();
        let listed = listed.chain(spec.endpoints.iter().map(|endpoint| &endpoint.address));
        // With a DNS resolution, the addresses only serve clients inside the mesh, and the endpoints are
        // names.
        let asks_dns = spec
            .resolution
            .as_deref()
            .is_some_and(|resolution| resolution.starts_with("DNS"));
        let mut addresses: Vec<CidrBlock> = listed
            .filter(|_| !asks_dns)
            .filter_map(|text| text.parse().ok())
            .collect();
        addresses.sort();
        addresses.dedup();
        let ports = spec.ports.iter();
        let ports = ports
            .filter_map(|port| declared(port.number, port.protocol.as_deref(), port.name.as_deref()))
            .collect();
        Record::ServiceEntry(ServiceEntryRecord {
            name: self.metadata.name.clone().unwrap_or_default(),
            namespace: self.metadata.namespace.clone().unwrap_or_default(),
            labels: labels(&self.metadata, rules, naming::MetadataObject::ServiceEntry),
            annotations: annotations(&self.metadata, rules, naming::MetadataObject::ServiceEntry),
            selector: spec.selector(),
            hosts: spec.hosts.clone(),
            addresses,
            export_to: spec.export_to.clone(),
            ports,
            created: created(&self.metadata),
        })
    }
}

impl Spec {
    /// Returns the rule by which the entry selects workloads. A workload may name the port itself; else it
    /// listens at the target port, else at the port's own number (istio `serviceentry` conversion).
    fn selector(&self) -> Option<Selector> {
        let labels = &self.workload_selector.as_ref()?.labels;
        let ports = self.ports.iter().map(|port| {
            let number = match port.target {
                0 => port.number.into(),
                target => target,
            };
            SelectedPort {
                name: port.name.clone().unwrap_or_default(),
                target: number.try_into().ok(),
                protocol: PortProtocol::declared(port.protocol.as_deref(), port.name.as_deref()),
            }
        });
        let selector = Selector {
            labels: labels.clone(),
            ports: ports.collect(),
        };
        (!labels.is_empty()).then_some(selector)
    }
}

impl Resource for ServiceEntry {
    type DynamicType = ();
    type Scope = k8s_openapi::NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "ServiceEntry".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        "networking.istio.io".into()
    }

    fn version((): &()) -> Cow<'_, str> {
        "v1beta1".into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        "serviceentries".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
