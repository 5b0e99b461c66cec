//! Converts Kubernetes objects into the directory's records, which hold the few fields that identity needs.

mod lifetime;

use std::collections::BTreeMap;
use std::net::IpAddr;

use alscope_analysis::directory::Port;
use alscope_analysis::directory::naming_rules::NamingRules;
use alscope_analysis::directory::records::{
    Controller, EndpointSliceRecord, NodeRecord, PodEndpoint, PodRecord, Record, SelectedPort, Selector,
    ServiceRecord,
};
use alscope_analysis::directory::scope::EXPORT_TO;
use alscope_analysis::moment::Moment;
use alscope_analysis::port_protocol::PortProtocol;
use alscope_naming::kubernetes_name as naming;
use k8s_openapi::api::core::v1::{Node, Pod, Service, ServiceSpec};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// A Kubernetes object that the directory uses.
pub trait Object {
    /// Builds the object's record, with the metadata that `rules` read.
    fn record(&self, rules: &NamingRules) -> Record;
}

impl Object for Pod {
    fn record(&self, rules: &NamingRules) -> Record {
        let spec = self.spec.clone().unwrap_or_default();
        let status = self.status.clone().unwrap_or_default();
        let host_network = spec.host_network.unwrap_or(false);
        // A native sidecar is an init container with `restartPolicy: Always`.
        let sidecars = spec.init_containers.iter().flatten();
        let sidecars = sidecars.filter(|container| container.restart_policy.as_deref() == Some("Always"));
        let containers = spec.containers.iter().chain(sidecars);
        let ports = containers.flat_map(|container| container.ports.iter().flatten());
        let ports = ports
            .filter(|port| host_network && matches!(port.protocol.as_deref(), None | Some("TCP")))
            .filter_map(|port| u16::try_from(port.container_port).ok())
            .collect();
        let name = self.metadata.name.clone().unwrap_or_default();
        let namespace = self.metadata.namespace.clone().unwrap_or_default();
        let uid = self
            .metadata
            .uid
            .clone()
            .unwrap_or_else(|| format!("{namespace}/{name}"));
        let ips = status
            .pod_ips
            .iter()
            .flatten()
            .map(|ip| Some(ip.ip.as_str()))
            .chain([status.pod_ip.as_deref()]);
        Record::Pod(PodRecord {
            name,
            namespace,
            uid,
            labels: self.metadata.labels.clone().unwrap_or_default(),
            annotations: annotations(&self.metadata, rules, naming::MetadataObject::Pod),
            controller: controller(&self.metadata),
            is_generated: self
                .metadata
                .generate_name
                .as_ref()
                .is_some_and(|prefix| !prefix.is_empty()),
            addresses: addresses(ips.flatten()),
            host_network,
            ports,
            started: status.start_time.as_ref().map(moment),
            addressed: lifetime::addressed(&status),
            leaves: self.metadata.deletion_timestamp.as_ref().map(moment),
            finished: lifetime::finished(&status, self.metadata.deletion_timestamp.is_some()),
            ..PodRecord::default()
        })
    }
}

impl Object for Service {
    fn record(&self, rules: &NamingRules) -> Record {
        let spec = self.spec.clone().unwrap_or_default();
        let ingress = self.status.iter().flat_map(|status| status.load_balancer.iter());
        let ingress = ingress
            .flat_map(|balancer| balancer.ingress.iter().flatten())
            .filter_map(|point| point.ip.as_deref());
        let own = spec
            .cluster_ips
            .iter()
            .flatten()
            .chain(spec.external_ips.iter().flatten())
            .map(String::as_str);
        // A headless Service has the cluster IP `None`. It is not an address, so it is dropped below.
        let addresses = addresses(own.chain(spec.cluster_ip.as_deref()).chain(ingress));
        Record::Service(ServiceRecord {
            name: self.metadata.name.clone().unwrap_or_default(),
            namespace: self.metadata.namespace.clone().unwrap_or_default(),
            labels: labels(&self.metadata, rules, naming::MetadataObject::Service),
            annotations: annotations(&self.metadata, rules, naming::MetadataObject::Service),
            selector: selector(&spec),
            addresses,
            ports: spec
                .ports
                .iter()
                .flatten()
                .filter_map(|port| declared(port.port, port.app_protocol.as_deref(), port.name.as_deref()))
                .collect(),
            created: created(&self.metadata),
        })
    }
}

impl Object for EndpointSlice {
    fn record(&self, _: &NamingRules) -> Record {
        let service = self
            .metadata
            .labels
            .iter()
            .flatten()
            .find(|(key, _)| *key == "kubernetes.io/service-name");
        let pod = |endpoint: &Endpoint| {
            let target = endpoint.target_ref.clone()?;
            (target.kind.as_deref() == Some("Pod")).then_some(target)
        };
        let namespace = self.metadata.namespace.clone().unwrap_or_default();
        let name = |name: &Option<String>| format!("{namespace}/{}", name.as_deref().unwrap_or_default());
        let pods = self
            .endpoints
            .iter()
            .filter_map(|endpoint| Some((endpoint, pod(endpoint)?)));
        let pods = pods
            .flat_map(|(endpoint, pod)| {
                let target = pod.uid.clone().unwrap_or_else(|| name(&pod.name));
                let at = |address| PodEndpoint {
                    target: target.clone(),
                    address,
                };
                let listed = addresses(endpoint.addresses.iter().map(String::as_str));
                if listed.is_empty() {
                    vec![at(None)]
                } else {
                    listed.into_iter().map(|address| at(Some(address))).collect()
                }
            })
            .collect();
        let outside = self.endpoints.iter().filter(|endpoint| pod(endpoint).is_none());
        let outside = outside
            .flat_map(|endpoint| &endpoint.addresses)
            .map(String::as_str);
        let ports = self.ports.iter().flatten();
        let ports = ports
            .filter_map(|port| declared(port.port?, port.app_protocol.as_deref(), port.name.as_deref()))
            .collect();
        Record::EndpointSlice(EndpointSliceRecord {
            name: self.metadata.name.clone().unwrap_or_default(),
            service: service.map(|(_, name)| name.clone()).unwrap_or_default(),
            ports,
            pods,
            addresses: addresses(outside),
            created: created(&self.metadata),
            namespace,
        })
    }
}

impl Object for Node {
    fn record(&self, _: &NamingRules) -> Record {
        let listed = self
            .status
            .iter()
            .flat_map(|status| status.addresses.iter().flatten());
        Record::Node(NodeRecord {
            name: self.metadata.name.clone().unwrap_or_default(),
            addresses: addresses(listed.map(|address| address.address.as_str())),
        })
    }
}

/// Returns the rule by which a Service selects workloads. A named target port must be a port that the
/// workload names; it may name any other port, too (istio `findServiceTargetPort`).
fn selector(spec: &ServiceSpec) -> Option<Selector> {
    let labels = spec.selector.clone().filter(|labels| !labels.is_empty())?;
    let ports = spec.ports.iter().flatten().map(|port| {
        let (name, target) = match &port.target_port {
            Some(IntOrString::String(name)) => (Some(name), None),
            Some(IntOrString::Int(number)) if *number > 0 => (port.name.as_ref(), Some(*number)),
            Some(IntOrString::Int(_)) | None => (port.name.as_ref(), Some(port.port)),
        };
        SelectedPort {
            name: name.cloned().unwrap_or_default(),
            target: target.and_then(|number| number.try_into().ok()),
            protocol: PortProtocol::declared(port.app_protocol.as_deref(), port.name.as_deref()),
        }
    });
    Some(Selector {
        labels,
        ports: ports.collect(),
    })
}

/// Builds a port with the protocol that it declares. Returns `None` if the number is not a port.
pub(super) fn declared(number: i32, app_protocol: Option<&str>, name: Option<&str>) -> Option<Port> {
    Some(Port {
        number: u16::try_from(number).ok()?,
        protocol: PortProtocol::declared(app_protocol, name),
    })
}

/// Returns `metadata.creationTimestamp`, or the earliest moment if it is missing.
pub(super) fn created(metadata: &ObjectMeta) -> Moment {
    metadata.creation_timestamp.as_ref().map_or(Moment::MIN, moment)
}

/// Returns the labels of such an object that the rules read.
pub(super) fn labels(
    metadata: &ObjectMeta,
    rules: &NamingRules,
    object: naming::MetadataObject,
) -> BTreeMap<String, String> {
    kept(metadata.labels.as_ref(), |key| rules.read_label(object, key))
}

/// Returns the annotations of such an object that the rules read, and the one that says where
/// a Service is exported to.
pub(super) fn annotations(
    metadata: &ObjectMeta,
    rules: &NamingRules,
    object: naming::MetadataObject,
) -> BTreeMap<String, String> {
    kept(metadata.annotations.as_ref(), |key| {
        object == naming::MetadataObject::Service && key == EXPORT_TO || rules.read_annotation(object, key)
    })
}

fn kept(all: Option<&BTreeMap<String, String>>, is_kept: impl Fn(&str) -> bool) -> BTreeMap<String, String> {
    let kept = all.into_iter().flatten().filter(|(key, _)| is_kept(key));
    kept.map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn controller(metadata: &ObjectMeta) -> Option<Controller> {
    let owners = metadata.owner_references.as_deref().unwrap_or_default();
    let controller: Option<&OwnerReference> = owners.iter().find(|owner| owner.controller == Some(true));
    controller.map(|owner| Controller {
        kind: owner.kind.clone(),
        name: owner.name.clone(),
    })
}

/// Returns the IP addresses among `texts`, each once.
fn addresses<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<IpAddr> {
    let mut addresses: Vec<IpAddr> = texts.filter_map(|text| text.parse().ok()).collect();
    addresses.sort();
    addresses.dedup();
    addresses
}

fn moment(time: &Time) -> Moment {
    Moment::from_unix(time.0.as_second(), i64::from(time.0.subsec_nanosecond()))
}
