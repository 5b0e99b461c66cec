//! istiod: which revision it serves and where its mesh config lies.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Container, EnvVar};
use kube::ResourceExt as _;

use super::object_name::ObjectName;

/// The revision of an istiod that names none.
pub const DEFAULT_REVISION: &str = "default";

/// One revision of istiod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlPlane {
    /// The Deployment of istiod.
    pub deployment: ObjectName,
    /// The revision, from the environment variable `REVISION` of the container.
    pub revision: String,
    /// The name in the environment variable `SHARED_MESH_CONFIG`.
    pub shared_config_map: Option<String>,
    /// The version, if the tag of the image or the label of the chart has it.
    pub version: Option<Version>,
}

/// A version of Istio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// The major version, as 1 in 1.30.3.
    pub major: u32,
    /// The minor version, as 30 in 1.30.3.
    pub minor: u32,
    /// The patch, as 3 in 1.30.3; absent in a version such as `1.30`.
    pub patch: Option<u32>,
}

impl Version {
    /// Whether this is the minor version `major.minor` or a newer one.
    pub fn is_at_least(self, major: u32, minor: u32) -> bool {
        (self.major, self.minor) >= (major, minor)
    }

    /// Whether istiod renders its managed gateways again when mesh config changes, which rolls their pods; `None` if the
    /// version does not tell. istiod does so since 1.28, and in later patches of 1.26 and 1.27
    /// (istio/istio, `pilot/pkg/config/kube/gateway/deploymentcontroller.go`).
    pub fn rolls_gateways(self) -> Option<bool> {
        let first_patch = match (self.major, self.minor) {
            (1, 26) => 5,
            (1, 27) => 2,
            _ => return Some(self.is_at_least(1, 28)),
        };
        Some(self.patch? >= first_patch)
    }
}

impl ControlPlane {
    /// Reads the Deployment of istiod; `None` for any other Deployment.
    ///
    /// Istio's charts label it `app: istiod` and call its container `discovery`.
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
            version: version(deployment, container),
        })
    }

    /// The ConfigMap with the mesh config of this revision.
    pub fn config_map(&self) -> ObjectName {
        ObjectName::new(
            &self.deployment.namespace,
            &config_map_of_revision(&self.revision),
        )
    }

    /// The ConfigMap of the shared mesh config, which istiod merges below that of the revision.
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

/// The version by the tag of the image, else by the label of the chart. A chart that was never released says 1.0.0 there, which is
/// older than istiod.
fn version(deployment: &Deployment, container: Option<&Container>) -> Option<Version> {
    let image = container.and_then(|container| container.image.as_deref());
    let of_image = || {
        let (image, _) = image?.split_once('@').unwrap_or((image?, ""));
        parsed(image.rsplit_once(':')?.1)
    };
    let of_chart = || parsed(deployment.labels().get("app.kubernetes.io/version")?);
    of_image().or_else(|| of_chart().filter(|version| version.is_at_least(1, 5)))
}

fn parsed(version: &str) -> Option<Version> {
    let mut parts = version.trim_start_matches('v').splitn(3, ['.', '-']);
    let (major, minor) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let patch = parts.next().and_then(|rest| {
        let digits = rest.find(|character: char| !character.is_ascii_digit());
        rest.get(..digits.unwrap_or(rest.len()))?.parse().ok()
    });
    Some(Version { major, minor, patch })
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
        assert_eq!(control_plane.version, Some(version(1, 30, Some(3))));
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

    fn version(major: u32, minor: u32, patch: Option<u32>) -> Version {
        Version { major, minor, patch }
    }

    #[rstest]
    #[case("istio/pilot:1.12.9", "", Some(version(1, 12, Some(9))))]
    #[case("istio/pilot:v1.31.0-alpha.1", "", Some(version(1, 31, Some(0))))]
    #[case("istio/pilot:1.27.10-distroless", "", Some(version(1, 27, Some(10))))]
    #[case("istio/pilot:1.29-distroless", "", Some(version(1, 29, None)))]
    #[case("istio/pilot:1.28.3@sha256:0b1f", "", Some(version(1, 28, Some(3))))]
    #[case("istio/pilot@sha256:0b1f", "1.28.4", Some(version(1, 28, Some(4))))]
    #[case("registry:5000/pilot:1", "1.0.0", None)]
    #[case("istio/pilot:latest", "", None)]
    #[case("istio/pilot:1.26.1", "1.30.0", Some(version(1, 26, Some(1))))]
    fn versions_are_read(#[case] image: &str, #[case] label: &str, #[case] expected: Option<Version>) {
        let mut istiod = istiod(&json!([]), image);
        let labels = istiod.metadata.labels.get_or_insert_default();
        labels.insert("app.kubernetes.io/version".to_owned(), label.to_owned());
        assert_eq!(ControlPlane::of(&istiod).unwrap().version, expected);
    }

    #[rstest]
    #[case(version(1, 25, Some(5)), Some(false))]
    #[case(version(1, 26, Some(4)), Some(false))]
    #[case(version(1, 26, Some(5)), Some(true))]
    #[case(version(1, 26, None), None)]
    #[case(version(1, 27, Some(1)), Some(false))]
    #[case(version(1, 27, Some(2)), Some(true))]
    #[case(version(1, 28, Some(0)), Some(true))]
    #[case(version(1, 30, None), Some(true))]
    #[case(version(2, 0, None), Some(true))]
    fn which_istiods_roll_gateways(#[case] version: Version, #[case] expected: Option<bool>) {
        assert_eq!(version.rolls_gateways(), expected);
    }
}
