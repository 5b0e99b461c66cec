//! Istio's `WorkloadEntry`: the fields that the directory reads. It describes a workload outside of
//! Kubernetes, such as a virtual machine.

use std::borrow::Cow;
use std::collections::BTreeMap;

use alscope_analysis::directory::naming_rules::NamingRules;
use alscope_analysis::directory::records::{Controller, PodRecord, Record};
use alscope_naming::kubernetes_name as naming;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::Deserialize;

use super::objects::{Object, annotations, created};

/// The annotation with the `WorkloadGroup` by which a proxy registered the entry.
const GROUP: &str = "istio.io/autoRegistrationGroup";

/// `networking.istio.io` `WorkloadEntry`. Every Istio that has the kind serves the version `v1beta1`.
#[derive(Clone, Debug, Deserialize)]
pub struct WorkloadEntry {
    /// The metadata that every Kubernetes object has.
    pub metadata: ObjectMeta,
    /// The address, labels and network that the entry declares.
    #[serde(default)]
    pub spec: Spec,
}

/// The `spec` of a `WorkloadEntry`, as far as the directory reads it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Spec {
    address: String,
    ports: BTreeMap<String, i64>,
    labels: BTreeMap<String, String>,
    network: String,
}

impl Object for WorkloadEntry {
    /// Builds the record of a party, as for a pod. An address that is a name or a pipe is dropped, because
    /// no access log can hold it.
    fn record(&self, rules: &NamingRules) -> Record {
        let (metadata, spec) = (&self.metadata, &self.spec);
        let name = metadata.name.clone().unwrap_or_default();
        let namespace = metadata.namespace.clone().unwrap_or_default();
        let uid = metadata.uid.clone();
        let uid = uid.unwrap_or_else(|| format!("WorkloadEntry/{namespace}/{name}"));
        let mut labels = spec.labels.clone();
        labels.extend(metadata.labels.clone().unwrap_or_default());
        let group = metadata.annotations.iter().flatten();
        let group = group.filter(|(key, group)| *key == GROUP && !group.is_empty());
        let ports = spec.ports.iter();
        let ports = ports.filter_map(|(name, port)| Some((name.clone(), u16::try_from(*port).ok()?)));
        Record::WorkloadEntry(PodRecord {
            name,
            namespace,
            uid,
            labels,
            annotations: annotations(metadata, rules, naming::MetadataObject::Pod),
            is_workload_entry: true,
            network: spec.network.clone(),
            named_ports: ports.collect(),
            controller: group
                .map(|(_, group)| Controller {
                    kind: "WorkloadGroup".to_owned(),
                    name: group.clone(),
                })
                .next(),
            addresses: spec.address.parse().into_iter().collect(),
            started: Some(created(metadata)),
            ..PodRecord::default()
        })
    }
}

impl Resource for WorkloadEntry {
    type DynamicType = ();
    type Scope = k8s_openapi::NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "WorkloadEntry".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        "networking.istio.io".into()
    }

    fn version((): &()) -> Cow<'_, str> {
        "v1beta1".into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        "workloadentries".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
