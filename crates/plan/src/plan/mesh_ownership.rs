//! Which resource owns a mesh: the oldest one that names it.
//!
//! Kubernetes counts creation times in seconds. Of two resources of the same second, one that already has the finalizer owns
//! the mesh, else the one with the lower uid.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::error_boundary::InvalidObject;

use crate::api::{MeshObservability, has_finalizer};

use super::conditions::ConditionState;
use super::reconciliation::{Plan, Reconciliation};

impl Reconciliation<'_> {
    /// The plan that writes nothing, when another resource owns the mesh or may own it; `None` when the mesh is this resource's.
    pub(super) fn refuse_owned_mesh(&self) -> Option<Plan> {
        let unclear = |message| {
            let others =
                ConditionState::unknown("MeshCheckFailed", "it is not known which resource owns the mesh");
            self.not_accepted(ConditionState::unknown("MeshCheckFailed", message), &others)
        };
        let resources = match &self.world.resources {
            Ok(resources) => resources,
            Err(error) => return Some(unclear(error.to_string())),
        };
        if let Some(owner) = owner(resources, self.resource) {
            return Some(self.refuse_mesh_of(owner));
        }
        let owner = possible_owner(&self.world.undecodable_resources, self.resource)?;
        Some(unclear(may_own(owner)))
    }

    fn refuse_mesh_of(&self, owner: &MeshObservability) -> Plan {
        let message = format!(
            "the MeshObservability {}, which is older, owns the mesh in namespace {}; delete one of the two",
            owner.name(),
            self.resource.spec.mesh.namespace
        );
        let others = ConditionState::unknown("MeshAlreadyClaimed", "another resource owns the mesh");
        self.not_accepted(ConditionState::unmet("MeshAlreadyClaimed", message), &others)
    }
}

fn may_own(owner: &InvalidObject) -> String {
    format!(
        "this version of the operator can't read the MeshObservability {}, which is older and may own the mesh: {}; \
         upgrade the operator, or correct or delete that resource",
        owner.metadata.name.as_deref().unwrap_or_default(),
        owner.error
    )
}

/// The resource that owns the mesh of `resource`; `None` when that is `resource` itself.
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

/// The oldest resource that can't be decoded, if it is older than `resource`: it may own the same mesh.
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
