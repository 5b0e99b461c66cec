//! One resource holds a mesh: the oldest, by uid where two are as old. Times are in seconds, so one that was acted on already
//! goes before one that is as old.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::error_boundary::InvalidObject;

use crate::api::MeshObservability;

use super::has_finalizer;

/// The resource that holds the mesh of `resource`, when that is another one.
pub fn owner<'a>(
    resources: &'a [MeshObservability],
    resource: &MeshObservability,
) -> Option<&'a MeshObservability> {
    let first = resources
        .iter()
        .filter(|other| other.spec.mesh.namespace == resource.spec.mesh.namespace)
        .min_by_key(|other| age(&other.metadata))?;
    (first.metadata.uid != resource.metadata.uid).then_some(first)
}

/// The resource that can't be read and may hold the mesh of `resource`: it is older, and what it is for is not known.
pub fn possible_owner<'a>(
    undecodable_resources: &'a [InvalidObject],
    resource: &MeshObservability,
) -> Option<&'a InvalidObject> {
    let oldest = undecodable_resources
        .iter()
        .min_by_key(|other| age(&other.metadata))?;
    (age(&oldest.metadata) < age(&resource.metadata)).then_some(oldest)
}

fn age(metadata: &ObjectMeta) -> (Option<jiff::Timestamp>, bool, Option<&str>) {
    let created = metadata.creation_timestamp.as_ref().map(|time| time.0);
    (created, !has_finalizer(metadata), metadata.uid.as_deref())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use crate::api::MeshObservabilitySpec;

    use super::*;

    fn resource(uid: &str, mesh: &str, created: i64) -> MeshObservability {
        let mut resource = MeshObservability::new(uid, MeshObservabilitySpec::default());
        resource.spec.mesh.namespace = mesh.to_owned();
        resource.metadata.uid = Some(uid.to_owned());
        resource.metadata.creation_timestamp = Some(Time(jiff::Timestamp::new(created, 0).unwrap()));
        resource
    }

    fn owner_of<'a>(resources: &'a [MeshObservability], uid: &str) -> Option<&'a str> {
        let resource = resources
            .iter()
            .find(|resource| resource.metadata.uid.as_deref() == Some(uid))
            .unwrap();
        owner(resources, resource).and_then(|owner| owner.metadata.uid.as_deref())
    }

    #[test]
    fn the_oldest_holds_the_mesh() {
        let resources = [resource("b", "istio-system", 2), resource("z", "istio-system", 1)];
        assert_eq!(owner_of(&resources, "b"), Some("z"));
        assert_eq!(owner_of(&resources, "z"), None);
    }

    #[test]
    fn of_two_as_old_the_first_uid_holds() {
        let resources = [resource("b", "istio-system", 1), resource("a", "istio-system", 1)];
        assert_eq!(owner_of(&resources, "b"), Some("a"));
    }

    #[test]
    fn each_mesh_has_its_holder() {
        let resources = [resource("a", "istio-system", 1), resource("b", "other", 2)];
        assert_eq!(owner_of(&resources, "b"), None);
    }
}
