//! Names the parties of the directory by `SkyWalking`'s rules.
//!
//! | party | rule | objects |
//! |---|---|---|
//! | a pod | `k8sServiceNameRule` | the pod, and the oldest Service that sends to it |
//! | a Service's own address, an endpoint without a pod | `k8sServiceNameRule` | the Service, and its pods as far as it tells of them |
//! | a host outside the mesh | `istioServiceNameRule` | the `ServiceEntry` |
//!
//! A pod has one name, whether it calls or is called and at whatever port, because in `SkyWalking` it is an instance of one
//! service. (`SkyWalking` takes any Service of it, and does not know a pod without one.)
//!
//! All that is certain of a Service's pods is their namespace. Where a rule reads their canonical name, the Service's name takes
//! its place.

use std::collections::BTreeMap;
use std::sync::Arc;

use alscope_naming::kubernetes_name::{
    KubernetesPath, MetadataObject, default_istio_service_name, default_k8s_service_name,
};
use alscope_naming::template::Template;

use super::records::{EndpointSliceRecord, PodRecord, ServiceEntryRecord, ServiceRecord};

/// The two naming rules of SkyWalking.
#[derive(Clone, Debug)]
pub struct NamingRules {
    /// `k8sServiceNameRule`.
    pub k8s: Template<KubernetesPath>,
    /// `istioServiceNameRule`.
    pub istio: Template<KubernetesPath>,
}

impl Default for NamingRules {
    fn default() -> Self {
        NamingRules {
            k8s: default_k8s_service_name(),
            istio: default_istio_service_name(),
        }
    }
}

/// The metadata of one object that a rule may read.
#[derive(Clone, Copy)]
struct Metadata<'a> {
    name: &'a str,
    namespace: &'a str,
    labels: &'a BTreeMap<String, String>,
    annotations: &'a BTreeMap<String, String>,
}

static NO_METADATA: BTreeMap<String, String> = BTreeMap::new();

impl NamingRules {
    /// Whether a rule reads the label `key` of such an object.
    pub fn read_label(&self, object: MetadataObject, key: &str) -> bool {
        self.read(|path| matches!(path, KubernetesPath::Label(of, own) if (*of, &**own) == (object, key)))
    }

    /// Whether a rule reads the annotation `key` of such an object.
    pub fn read_annotation(&self, object: MetadataObject, key: &str) -> bool {
        self.read(
            |path| matches!(path, KubernetesPath::Annotation(of, own) if (*of, &**own) == (object, key)),
        )
    }

    /// Whether a pod's name depends on its Service.
    pub fn read_services(&self) -> bool {
        self.read(|path| object(path) == Some(MetadataObject::Service))
    }

    fn read(&self, is: impl Fn(&KubernetesPath) -> bool) -> bool {
        self.k8s.paths().chain(self.istio.paths()).any(is)
    }

    /// The name of a pod with this canonical name, which `service` sends to.
    pub(super) fn pod(&self, pod: &PodRecord, canonical: &str, service: Option<&ServiceRecord>) -> Arc<str> {
        let objects = |object| match object {
            MetadataObject::Pod => Some(Metadata {
                name: &pod.name,
                namespace: &pod.namespace,
                labels: &pod.labels,
                annotations: &pod.annotations,
            }),
            MetadataObject::Service => service.map(Metadata::of_service),
            MetadataObject::ServiceEntry => None,
        };
        render(&self.k8s, objects, canonical)
    }

    /// The name of a Service's own address.
    pub(super) fn service(&self, service: &ServiceRecord) -> Arc<str> {
        self.service_alone(Metadata::of_service(service))
    }

    /// The name of an endpoint without a pod until its Service is listed.
    pub(super) fn endpoint(&self, slice: &EndpointSliceRecord) -> Arc<str> {
        self.service_alone(Metadata {
            name: &slice.service,
            namespace: &slice.namespace,
            labels: &NO_METADATA,
            annotations: &NO_METADATA,
        })
    }

    fn service_alone(&self, service: Metadata<'_>) -> Arc<str> {
        let objects = |object| match object {
            MetadataObject::Pod => Some(Metadata {
                name: "",
                namespace: service.namespace,
                labels: &NO_METADATA,
                annotations: &NO_METADATA,
            }),
            MetadataObject::Service => Some(service),
            MetadataObject::ServiceEntry => None,
        };
        render(&self.k8s, objects, service.name)
    }

    /// The name of the hosts of a `ServiceEntry`.
    pub(super) fn service_entry(&self, entry: &ServiceEntryRecord) -> Arc<str> {
        let entry = Metadata {
            name: &entry.name,
            namespace: &entry.namespace,
            labels: &entry.labels,
            annotations: &entry.annotations,
        };
        let objects = |object| (object == MetadataObject::ServiceEntry).then_some(entry);
        render(&self.istio, objects, "")
    }
}

impl<'a> Metadata<'a> {
    fn of_service(service: &'a ServiceRecord) -> Self {
        Metadata {
            name: &service.name,
            namespace: &service.namespace,
            labels: &service.labels,
            annotations: &service.annotations,
        }
    }
}

fn object(path: &KubernetesPath) -> Option<MetadataObject> {
    match path {
        KubernetesPath::Name(object)
        | KubernetesPath::Namespace(object)
        | KubernetesPath::Label(object, _)
        | KubernetesPath::Annotation(object, _) => Some(*object),
        KubernetesPath::CanonicalService => None,
    }
}

fn render<'a>(
    rule: &Template<KubernetesPath>,
    objects: impl Fn(MetadataObject) -> Option<Metadata<'a>>,
    canonical: &'a str,
) -> Arc<str> {
    let mut name = String::new();
    rule.render(&mut name, |path| match path {
        KubernetesPath::CanonicalService => Some(canonical),
        KubernetesPath::Name(object) => Some(objects(*object)?.name),
        KubernetesPath::Namespace(object) => Some(objects(*object)?.namespace),
        KubernetesPath::Label(object, key) => objects(*object)?.labels.get(&**key).map(String::as_str),
        KubernetesPath::Annotation(object, key) => {
            objects(*object)?.annotations.get(&**key).map(String::as_str)
        }
    });
    name.into()
}
