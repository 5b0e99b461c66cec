//! The kinds that are served: those of Kubernetes that the operator meets, and those of custom resource definitions.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

/// What makes an object's generation go up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Generation {
    /// The kind has no generation.
    Absent,
    /// A change of `spec` does.
    Spec,
    /// A change of anything but metadata and status does.
    AllButStatus,
}

/// A kind, as its path and its behaviour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServedKind {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) plural: String,
    pub(crate) name: String,
    pub(crate) namespaced: bool,
    pub(crate) has_status: bool,
    pub(crate) generation: Generation,
    /// Whether a custom resource definition made the kind.
    pub(crate) is_custom: bool,
}

impl ServedKind {
    /// The plural with its group, as in messages: `deployments.apps`.
    pub(crate) fn resource(&self) -> String {
        if self.group.is_empty() {
            self.plural.clone()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }
}

/// Group, version, plural, kind, namespaced, status, generation.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    bool,
    bool,
    Generation,
);

const BUILT_IN: [Row; 27] = {
    use Generation::{Absent, Spec};
    const RBAC: &str = "rbac.authorization.k8s.io";
    [
        ("", "v1", "configmaps", "ConfigMap", true, false, Absent),
        ("", "v1", "endpoints", "Endpoints", true, false, Absent),
        ("", "v1", "events", "Event", true, false, Absent),
        ("", "v1", "namespaces", "Namespace", false, true, Absent),
        ("", "v1", "nodes", "Node", false, true, Absent),
        ("", "v1", "pods", "Pod", true, true, Absent),
        ("", "v1", "secrets", "Secret", true, false, Absent),
        ("", "v1", "serviceaccounts", "ServiceAccount", true, false, Absent),
        ("", "v1", "services", "Service", true, true, Absent),
        (
            "admissionregistration.k8s.io",
            "v1",
            "validatingadmissionpolicies",
            "ValidatingAdmissionPolicy",
            false,
            true,
            Spec,
        ),
        (
            "admissionregistration.k8s.io",
            "v1",
            "validatingadmissionpolicybindings",
            "ValidatingAdmissionPolicyBinding",
            false,
            false,
            Spec,
        ),
        (
            "apiextensions.k8s.io",
            "v1",
            "customresourcedefinitions",
            "CustomResourceDefinition",
            false,
            true,
            Spec,
        ),
        ("apps", "v1", "daemonsets", "DaemonSet", true, true, Spec),
        ("apps", "v1", "deployments", "Deployment", true, true, Spec),
        ("apps", "v1", "replicasets", "ReplicaSet", true, true, Spec),
        ("apps", "v1", "statefulsets", "StatefulSet", true, true, Spec),
        ("batch", "v1", "jobs", "Job", true, true, Spec),
        (
            "autoscaling",
            "v2",
            "horizontalpodautoscalers",
            "HorizontalPodAutoscaler",
            true,
            true,
            Absent,
        ),
        (
            "coordination.k8s.io",
            "v1",
            "leases",
            "Lease",
            true,
            false,
            Absent,
        ),
        (
            "discovery.k8s.io",
            "v1",
            "endpointslices",
            "EndpointSlice",
            true,
            false,
            Absent,
        ),
        ("events.k8s.io", "v1", "events", "Event", true, false, Absent),
        (
            "networking.k8s.io",
            "v1",
            "networkpolicies",
            "NetworkPolicy",
            true,
            false,
            Spec,
        ),
        (
            "policy",
            "v1",
            "poddisruptionbudgets",
            "PodDisruptionBudget",
            true,
            true,
            Spec,
        ),
        (
            RBAC,
            "v1",
            "clusterrolebindings",
            "ClusterRoleBinding",
            false,
            false,
            Absent,
        ),
        (RBAC, "v1", "clusterroles", "ClusterRole", false, false, Absent),
        (RBAC, "v1", "rolebindings", "RoleBinding", true, false, Absent),
        (RBAC, "v1", "roles", "Role", true, false, Absent),
    ]
};

/// All kinds that are served, by their resource.
#[derive(Clone, Debug)]
pub(crate) struct ServedKinds(BTreeMap<String, Arc<ServedKind>>);

impl ServedKinds {
    pub(crate) fn built_in() -> Self {
        let kinds = BUILT_IN.map(
            |(group, version, plural, name, namespaced, has_status, generation)| ServedKind {
                group: group.to_owned(),
                version: version.to_owned(),
                plural: plural.to_owned(),
                name: name.to_owned(),
                namespaced,
                has_status,
                generation,
                is_custom: false,
            },
        );
        Self(kinds.map(|kind| (kind.resource(), Arc::new(kind))).into())
    }

    pub(crate) fn at(&self, group: &str, version: &str, plural: &str) -> Option<Arc<ServedKind>> {
        let mut all = self.0.values();
        all.find(|kind| kind.group == group && kind.version == version && kind.plural == plural)
            .cloned()
    }

    pub(crate) fn of(&self, resource: &str) -> Option<Arc<ServedKind>> {
        self.0.get(resource).cloned()
    }

    pub(crate) fn of_object(&self, api_version: &str, name: &str) -> Option<Arc<ServedKind>> {
        let mut all = self.0.values();
        all.find(|kind| kind.api_version() == api_version && kind.name == name)
            .cloned()
    }

    /// Serves the first version of a definition.
    pub(crate) fn define(&mut self, definition: &Value) {
        let text = |pointer: &str| {
            let found = definition.pointer(pointer).and_then(Value::as_str);
            found.unwrap_or_default().to_owned()
        };
        let has_status = definition
            .pointer("/spec/versions/0/subresources/status")
            .is_some();
        let kind = ServedKind {
            group: text("/spec/group"),
            version: text("/spec/versions/0/name"),
            plural: text("/spec/names/plural"),
            name: text("/spec/names/kind"),
            namespaced: text("/spec/scope") == "Namespaced",
            has_status,
            generation: Generation::AllButStatus,
            is_custom: true,
        };
        self.0.insert(kind.resource(), Arc::new(kind));
    }

    /// Serves a definition's kind no longer. The definition's name is the kind's resource.
    pub(crate) fn undefine(&mut self, name: &str) {
        self.0.remove(name);
    }
}
