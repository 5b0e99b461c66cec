//! istiod: which revision it serves and where its mesh config lies.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Container, EnvVar};
use kube::ResourceExt as _;

use super::ObjectName;

/// The name of the revision of an istiod that names none.
pub const DEFAULT_REVISION: &str = "default";

/// One istiod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlPlane {
    /// Its Deployment.
    pub deployment: ObjectName,
    /// Its revision, from the environment variable `REVISION` of its container.
    pub revision: String,
    /// The name in its environment variable `SHARED_MESH_CONFIG`.
    pub shared_config_map: Option<String>,
    /// Its version as major and minor, where its image's tag tells.
    pub version: Option<(u32, u32)>,
}

impl ControlPlane {
    /// Reads istiod's Deployment; `None` for a Deployment that is no istiod.
    ///
    /// The charts label it `app: istiod` and call its container `discovery`.
    pub fn of(deployment: &Deployment) -> Option<Self> {
        if deployment.labels().get("app").map(String::as_str) != Some("istiod") {
            return None;
        }
        let container = discovery(deployment);
        let revision = variable(container, "REVISION")
            .or_else(|| deployment.labels().get("istio.io/rev").cloned())
            .unwrap_or_else(|| DEFAULT_REVISION.to_owned());
        Some(Self {
            deployment: ObjectName::of(deployment),
            revision,
            shared_config_map: variable(container, "SHARED_MESH_CONFIG"),
            version: version(container),
        })
    }

    /// The ConfigMap of this revision.
    pub fn config_map(&self) -> ObjectName {
        ObjectName::new(
            &self.deployment.namespace,
            &config_map_of_revision(&self.revision),
        )
    }

    /// The ConfigMap that is merged below it, if istiod names one.
    pub fn shared(&self) -> Option<ObjectName> {
        let name = self.shared_config_map.as_deref()?;
        Some(ObjectName::new(&self.deployment.namespace, name))
    }
}

/// The name of the ConfigMap that an istiod of this revision reads: `istio`, or `istio-<revision>`.
pub fn config_map_of_revision(revision: &str) -> String {
    match revision {
        DEFAULT_REVISION => "istio".to_owned(),
        revision => format!("istio-{revision}"),
    }
}

fn discovery(deployment: &Deployment) -> Option<&Container> {
    let containers = &deployment.spec.as_ref()?.template.spec.as_ref()?.containers;
    containers
        .iter()
        .find(|container| container.name == "discovery")
        .or_else(|| containers.first())
}

fn variable(container: Option<&Container>, name: &str) -> Option<String> {
    let variables: &[EnvVar] = container?.env.as_deref().unwrap_or_default();
    variables
        .iter()
        .find(|variable| variable.name == name)
        .and_then(|variable| variable.value.clone())
        .filter(|value| !value.is_empty())
}

/// By the image's tag; the charts' label of the version says the same for releases, and nothing for builds of one's own.
fn version(container: Option<&Container>) -> Option<(u32, u32)> {
    let (_, tag) = container?.image.as_deref()?.rsplit_once(':')?;
    major_and_minor(tag)
}

fn major_and_minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.trim_start_matches('v').splitn(3, ['.', '-']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn istiod(env: &serde_json::Value, image: &str) -> Deployment {
        serde_json::from_value(json!({
            "metadata": {"namespace": "mesh", "name": "istiod-x", "labels": {"app": "istiod", "istio.io/rev": "by-label"}},
            "spec": {"selector": {}, "template": {"spec": {"containers": [
                {"name": "other"},
                {"name": "discovery", "image": image, "env": env},
            ]}}},
        }))
        .unwrap()
    }

    #[test]
    fn the_revision_comes_from_the_container_not_from_a_name() {
        let env = json!([{"name": "REVISION", "value": "canary"}, {"name": "SHARED_MESH_CONFIG", "value": "istio-user"}]);
        let control_plane = ControlPlane::of(&istiod(&env, "docker.io/istio/pilot:1.30.3")).unwrap();
        assert_eq!(control_plane.revision, "canary");
        assert_eq!(
            control_plane.config_map(),
            ObjectName::new("mesh", "istio-canary")
        );
        assert_eq!(
            control_plane.shared(),
            Some(ObjectName::new("mesh", "istio-user"))
        );
        assert_eq!(control_plane.version, Some((1, 30)));
    }

    #[test]
    fn an_empty_variable_names_nothing() {
        let env = json!([{"name": "SHARED_MESH_CONFIG", "value": ""}]);
        let control_plane = ControlPlane::of(&istiod(&env, "istio/pilot:1")).unwrap();
        assert_eq!(control_plane.revision, "by-label");
        assert_eq!(control_plane.shared(), None);
        assert_eq!(control_plane.version, None);
    }

    #[test]
    fn the_default_revision_is_in_istio() {
        let env = json!([{"name": "REVISION", "value": "default"}]);
        let control_plane = ControlPlane::of(&istiod(&env, "istio/pilot")).unwrap();
        assert_eq!(control_plane.config_map(), ObjectName::new("mesh", "istio"));
    }

    #[test]
    fn another_deployment_is_no_control_plane() {
        let mut deployment = istiod(&json!([]), "");
        deployment.metadata.labels = Some([("app".to_owned(), "web".to_owned())].into());
        assert_eq!(ControlPlane::of(&deployment), None);
    }

    #[rstest]
    #[case("1.12.9", Some((1, 12)))]
    #[case("v1.31.0-alpha.1", Some((1, 31)))]
    #[case("1.29-distroless", Some((1, 29)))]
    #[case("1", None)]
    #[case("latest", None)]
    fn versions_are_read(#[case] text: &str, #[case] expected: Option<(u32, u32)>) {
        assert_eq!(major_and_minor(text), expected);
    }
}
