//! One resource holds a mesh: the oldest, by uid where two are as old. Times are in seconds, so one that was acted on already
//! goes before one that is as old.

use crate::api::MeshObservability;

use super::has_finalizer;

/// The resource that holds the mesh of `resource`, when that is another one.
pub fn holder<'a>(
    resources: &'a [MeshObservability],
    resource: &MeshObservability,
) -> Option<&'a MeshObservability> {
    let first = resources
        .iter()
        .filter(|other| other.spec.mesh.namespace == resource.spec.mesh.namespace)
        .min_by_key(|other| age(other))?;
    (first.metadata.uid != resource.metadata.uid).then_some(first)
}

fn age(resource: &MeshObservability) -> (Option<jiff::Timestamp>, bool, Option<&str>) {
    let created = resource.metadata.creation_timestamp.as_ref().map(|time| time.0);
    (
        created,
        !has_finalizer(resource),
        resource.metadata.uid.as_deref(),
    )
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

    fn holder_of<'a>(resources: &'a [MeshObservability], uid: &str) -> Option<&'a str> {
        let resource = resources
            .iter()
            .find(|resource| resource.metadata.uid.as_deref() == Some(uid))
            .unwrap();
        holder(resources, resource).and_then(|holder| holder.metadata.uid.as_deref())
    }

    #[test]
    fn the_oldest_holds_the_mesh() {
        let resources = [resource("b", "istio-system", 2), resource("z", "istio-system", 1)];
        assert_eq!(holder_of(&resources, "b"), Some("z"));
        assert_eq!(holder_of(&resources, "z"), None);
    }

    #[test]
    fn of_two_as_old_the_first_uid_holds() {
        let resources = [resource("b", "istio-system", 1), resource("a", "istio-system", 1)];
        assert_eq!(holder_of(&resources, "b"), Some("a"));
    }

    #[test]
    fn each_mesh_has_its_holder() {
        let resources = [resource("a", "istio-system", 1), resource("b", "other", 2)];
        assert_eq!(holder_of(&resources, "b"), None);
    }
}
