//! Tools that would revert a change of a ConfigMap, because they compare it with a source. Their labels, annotations and field
//! managers tell.
//!
//! The label `app.kubernetes.io/instance` does not count: Argo CD can track by it, but Istio's own charts set it, too. Where Argo CD
//! applies the text, its field manager tells.

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::ResourceExt as _;

/// A tool that manages the whole object and would revert a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManagingTool {
    /// The Sail operator, which installs Istio.
    Sail,
    /// Argo CD, by its tracking label or annotation, or as a field manager.
    ArgoCd,
    /// A Kustomization of Flux.
    Flux,
    /// Fleet, which is part of Rancher.
    Fleet,
    /// Config Sync, which Google offers with its clusters.
    ConfigSync,
    /// kapp of Carvel, or its controller.
    Kapp,
}

impl ManagingTool {
    /// The name of the tool, in a sentence.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sail => "the Sail operator",
            Self::ArgoCd => "Argo CD",
            Self::Flux => "Flux",
            Self::Fleet => "Rancher Fleet",
            Self::ConfigSync => "Config Sync",
            Self::Kapp => "kapp",
        }
    }

    /// The tool that manages a ConfigMap; `None` if no mark of one is found.
    pub fn of(config_map: &ConfigMap) -> Option<Self> {
        let is_of_sail = config_map
            .owner_references()
            .iter()
            .any(|owner| owner.kind == "IstioRevision");
        if is_of_sail {
            return Some(Self::Sail);
        }
        let found = SIGNS.iter().find(|signs| {
            let has_mark = signs
                .marks
                .iter()
                .any(|(key, value)| has_mark(config_map, key, *value));
            has_mark
                || signs
                    .managers
                    .iter()
                    .any(|manager| is_manager(config_map, manager))
        });
        found.map(|signs| signs.managing_tool)
    }
}

/// The marks by which a tool is known.
struct Signs {
    managing_tool: ManagingTool,
    /// Labels or annotations: with this value, or with any value.
    marks: &'static [(&'static str, Option<&'static str>)],
    /// Field managers that own some of the data.
    managers: &'static [&'static str],
}

/// In this order, because what one tool deploys for another has the marks of both.
const SIGNS: [Signs; 6] = [
    Signs {
        managing_tool: ManagingTool::Sail,
        marks: &[("managed-by", Some("sail-operator"))],
        managers: &[],
    },
    Signs {
        managing_tool: ManagingTool::ArgoCd,
        marks: &[
            ("argocd.argoproj.io/tracking-id", None),
            ("argocd.argoproj.io/installation-id", None),
            ("argocd.argoproj.io/instance", None),
        ],
        // By server-side apply, and by the name of the program in older versions.
        managers: &["argocd-controller", "argocd-application-controller"],
    },
    Signs {
        managing_tool: ManagingTool::Flux,
        marks: &[
            ("kustomize.toolkit.fluxcd.io/name", None),
            ("kustomize.toolkit.fluxcd.io/namespace", None),
            ("kustomize.toolkit.fluxcd.io/checksum", None),
        ],
        managers: &["kustomize-controller"],
    },
    Signs {
        managing_tool: ManagingTool::Fleet,
        marks: &[
            ("objectset.rio.cattle.io/id", None),
            ("objectset.rio.cattle.io/hash", None),
        ],
        managers: &["fleetagent"],
    },
    Signs {
        managing_tool: ManagingTool::ConfigSync,
        marks: &[
            ("configmanagement.gke.io/managed", Some("enabled")),
            ("app.kubernetes.io/managed-by", Some("configmanagement.gke.io")),
            ("configsync.gke.io/declared-version", None),
        ],
        managers: &[],
    },
    Signs {
        managing_tool: ManagingTool::Kapp,
        marks: &[("kapp.k14s.io/app", None), ("kapp.k14s.io/identity", None)],
        managers: &["kapp-server-side-apply"],
    },
];

/// The Flux HelmRelease that renders a ConfigMap. It writes at each upgrade, and otherwise only if its drift detection is on.
pub(super) fn helm_release(config_map: &ConfigMap) -> Option<String> {
    let label = |name: &str| config_map.labels().get(&format!("helm.toolkit.fluxcd.io/{name}"));
    match (label("namespace"), label("name")) {
        (Some(namespace), Some(name)) => Some(format!("the Flux HelmRelease {namespace}/{name}")),
        (None, Some(name)) => Some(format!("the Flux HelmRelease {name}")),
        (_, None) => is_manager(config_map, "helm-controller").then(|| "a Flux HelmRelease".to_owned()),
    }
}

fn has_mark(config_map: &ConfigMap, key: &str, value: Option<&str>) -> bool {
    let is_it = |found: &String| value.is_none_or(|value| found == value);
    config_map.labels().get(key).is_some_and(is_it) || config_map.annotations().get(key).is_some_and(is_it)
}

/// Whether a field manager owns some of the data. A manager that only labels the object does not revert its text.
fn is_manager(config_map: &ConfigMap, manager: &str) -> bool {
    let has_data = |entry: &ManagedFieldsEntry| {
        let fields = entry.fields_v1.as_ref();
        fields.is_some_and(|fields| fields.0.get("f:data").is_some())
    };
    let mut entries = config_map.managed_fields().iter();
    entries.any(|entry| entry.manager.as_deref() == Some(manager) && has_data(entry))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn config_map(metadata: &Value) -> ConfigMap {
        serde_json::from_value(json!({"metadata": metadata, "data": {"mesh": "a: b"}})).unwrap()
    }

    fn managed(manager: &str, fields: &Value) -> ConfigMap {
        config_map(&json!({"managedFields": [
            {"manager": "helm", "fieldsV1": {"f:data": {"f:mesh": {}}}},
            {"manager": manager, "fieldsV1": fields},
        ]}))
    }

    #[rstest]
    #[case::helm(json!({"labels": {"app.kubernetes.io/instance": "istiod", "app.kubernetes.io/managed-by": "Helm"}}), None)]
    #[case::argo_by_annotation(json!({"annotations": {"argocd.argoproj.io/tracking-id": "istio:/ConfigMap:istio-system/istio"}}), Some(ManagingTool::ArgoCd))]
    #[case::argo_by_installation(json!({"annotations": {"argocd.argoproj.io/installation-id": "a"}}), Some(ManagingTool::ArgoCd))]
    #[case::argo_by_instance(json!({"annotations": {"argocd.argoproj.io/instance": "istio"}}), Some(ManagingTool::ArgoCd))]
    #[case::argo_by_label(json!({"labels": {"argocd.argoproj.io/instance": "istio"}}), Some(ManagingTool::ArgoCd))]
    #[case::flux(json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "mesh"}}), Some(ManagingTool::Flux))]
    #[case::flux_namespace(json!({"labels": {"kustomize.toolkit.fluxcd.io/namespace": "flux-system"}}), Some(ManagingTool::Flux))]
    #[case::old_flux(json!({"annotations": {"kustomize.toolkit.fluxcd.io/checksum": "1"}}), Some(ManagingTool::Flux))]
    #[case::fleet(json!({"annotations": {"objectset.rio.cattle.io/id": "default-mesh"}}), Some(ManagingTool::Fleet))]
    #[case::fleet_by_hash(json!({"labels": {"objectset.rio.cattle.io/hash": "1"}}), Some(ManagingTool::Fleet))]
    #[case::config_sync(json!({"annotations": {"configmanagement.gke.io/managed": "enabled"}}), Some(ManagingTool::ConfigSync))]
    #[case::config_sync_let_go(json!({"annotations": {"configmanagement.gke.io/managed": "disabled"}}), None)]
    #[case::config_sync_by_label(json!({"labels": {"app.kubernetes.io/managed-by": "configmanagement.gke.io"}}), Some(ManagingTool::ConfigSync))]
    #[case::config_sync_by_version(json!({"labels": {"configsync.gke.io/declared-version": "v1"}}), Some(ManagingTool::ConfigSync))]
    #[case::kapp(json!({"labels": {"kapp.k14s.io/app": "1"}}), Some(ManagingTool::Kapp))]
    #[case::kapp_identity(json!({"annotations": {"kapp.k14s.io/identity": "v1"}}), Some(ManagingTool::Kapp))]
    #[case::sail(json!({"ownerReferences": [{"apiVersion": "sailoperator.io/v1", "kind": "IstioRevision", "name": "default", "uid": "1"}]}), Some(ManagingTool::Sail))]
    #[case::sail_by_label(json!({"labels": {"managed-by": "sail-operator"}}), Some(ManagingTool::Sail))]
    #[case::sail_below_argo(json!({
        "ownerReferences": [{"apiVersion": "sailoperator.io/v1", "kind": "IstioRevision", "name": "default", "uid": "1"}],
        "annotations": {"argocd.argoproj.io/tracking-id": "x"},
    }), Some(ManagingTool::Sail))]
    #[case::helm_release(json!({"labels": {"helm.toolkit.fluxcd.io/name": "istiod"}}), None)]
    fn trackers_are_known_by_their_marks(#[case] metadata: Value, #[case] expected: Option<ManagingTool>) {
        assert_eq!(ManagingTool::of(&config_map(&metadata)), expected);
    }

    #[rstest]
    #[case("argocd-controller", Some(ManagingTool::ArgoCd))]
    #[case("argocd-application-controller", Some(ManagingTool::ArgoCd))]
    #[case("kustomize-controller", Some(ManagingTool::Flux))]
    #[case("fleetagent", Some(ManagingTool::Fleet))]
    #[case("kapp-server-side-apply", Some(ManagingTool::Kapp))]
    #[case("helm-controller", None)]
    #[case("kubectl-edit", None)]
    fn trackers_are_known_as_managers_of_the_data(
        #[case] manager: &str,
        #[case] expected: Option<ManagingTool>,
    ) {
        let data = json!({"f:data": {"f:meshNetworks": {}}});
        assert_eq!(ManagingTool::of(&managed(manager, &data)), expected);
        let labels = json!({"f:metadata": {"f:labels": {"f:team": {}}}});
        assert_eq!(ManagingTool::of(&managed(manager, &labels)), None);
    }

    #[test]
    fn a_helm_release_is_known_by_its_labels_and_as_a_manager() {
        let labels = json!({"labels": {"helm.toolkit.fluxcd.io/name": "istiod", "helm.toolkit.fluxcd.io/namespace": "flux"}});
        assert_eq!(
            helm_release(&config_map(&labels)).as_deref(),
            Some("the Flux HelmRelease flux/istiod")
        );
        let manager = managed("helm-controller", &json!({"f:data": {"f:mesh": {}}}));
        assert_eq!(helm_release(&manager).as_deref(), Some("a Flux HelmRelease"));
        assert_eq!(helm_release(&managed("other", &json!({"f:data": {}}))), None);
    }
}
