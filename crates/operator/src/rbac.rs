//! The rights of the operator and the collector: one table, each right with its reason.
//!
//! The roles, bindings and service accounts of an [`Installation`] follow from it. `deploy/rbac` and the files from which the chart
//! takes its rules are generated, so nothing else in this project grants anything. The operator may write objects without naming them
//! only in its own namespace: elsewhere, a right to write any `ConfigMap` would be a right
//! to rewrite Istio's injector.

mod rights;

use alscope_plan::world::{DEFAULT_REVISION, config_map_of_revision};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;

use crate::lease;

use rights::{MESH, OPERATOR, OTHERS, ObjectNames, RESTARTS, Right};

pub use rights::Scope;

const API_GROUP: &str = "rbac.authorization.k8s.io";

/// One installation of Alscope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// The operator's namespace, in which the collector runs, too.
    pub namespace: String,
    /// The name of the operator's service account and roles.
    pub operator: String,
    /// The name of the collector's service account and role.
    pub collector: String,
    /// The namespace of istiod.
    pub mesh_namespace: String,
    /// The revisions of Istio whose mesh config may be written.
    pub revisions: Vec<String>,
    /// The ConfigMap of the shared mesh config that may be written.
    pub shared_config_map: Option<String>,
    /// Whether the operator may restart workloads.
    pub restart_workloads: bool,
}

impl Default for Installation {
    fn default() -> Self {
        Self {
            namespace: "alscope-system".to_owned(),
            operator: "alscope-operator".to_owned(),
            collector: "alscope-collector".to_owned(),
            mesh_namespace: "istio-system".to_owned(),
            revisions: vec![DEFAULT_REVISION.to_owned()],
            shared_config_map: None,
            restart_workloads: false,
        }
    }
}

/// An object that grants rights.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum RbacObject {
    /// The account that has rights.
    ServiceAccount(ServiceAccount),
    /// Rights in the whole cluster.
    ClusterRole(ClusterRole),
    /// Grants the rights to an account.
    ClusterRoleBinding(ClusterRoleBinding),
    /// Rights in one namespace.
    Role(Role),
    /// Grants the rights to an account.
    RoleBinding(RoleBinding),
}

impl Installation {
    /// The rules of a scope, each with its reason. A right to named objects is left out when none is named: without names, it would be a
    /// right to all objects.
    pub fn rules(&self, scope: Scope) -> Vec<(&'static str, PolicyRule)> {
        OPERATOR
            .iter()
            .chain(&RESTARTS)
            .chain(&MESH)
            .chain(&OTHERS)
            .filter(|right| right.scope == scope)
            .filter_map(|right| Some((right.why, self.rule(right)?)))
            .collect()
    }

    fn rule(&self, right: &Right) -> Option<PolicyRule> {
        let named = match right.names {
            ObjectNames::Any => None,
            ObjectNames::Lease => Some(vec![lease::LEASE_NAME.to_owned()]),
            ObjectNames::Revisions => Some(
                self.revisions
                    .iter()
                    .map(|revision| config_map_of_revision(revision))
                    .collect(),
            ),
            ObjectNames::Shared => Some(self.shared_config_map.iter().cloned().collect::<Vec<_>>()),
        };
        if named.as_ref().is_some_and(Vec::is_empty) {
            return None;
        }
        Some(PolicyRule {
            api_groups: Some(vec![right.group.to_owned()]),
            non_resource_urls: None,
            resource_names: named,
            resources: Some(owned(right.resources)),
            verbs: owned(right.verbs),
        })
    }

    /// The account of the operator, and its rights outside the namespace of the mesh.
    pub fn operator(&self) -> Vec<RbacObject> {
        let name = &self.operator;
        let mut of_cluster = self.policy(Scope::Cluster);
        if self.restart_workloads {
            of_cluster.extend(self.policy(Scope::Restarts));
        }
        vec![
            self.service_account(name),
            cluster_role(&self.of_cluster(name), of_cluster),
            self.cluster_role_binding(name),
            role(name, &self.namespace, self.policy(Scope::OwnNamespace)),
            self.role_binding(name, &self.namespace),
        ]
    }

    /// The rights of the operator in the namespace of the mesh.
    pub fn mesh(&self) -> Vec<RbacObject> {
        let name = format!("{}-mesh", self.of_cluster(&self.operator));
        let mut rules = self.policy(Scope::Mesh);
        if self.shared_config_map.is_some() {
            rules.extend(self.policy(Scope::SharedMesh));
        }
        vec![
            role(&name, &self.mesh_namespace, rules),
            self.role_binding(&name, &self.mesh_namespace),
        ]
    }

    /// The account of the collector, and its rights.
    pub fn collector(&self) -> Vec<RbacObject> {
        let name = &self.collector;
        vec![
            self.service_account(name),
            cluster_role(&self.of_cluster(name), self.policy(Scope::Collector)),
            self.cluster_role_binding(name),
        ]
    }

    fn policy(&self, scope: Scope) -> Vec<PolicyRule> {
        self.rules(scope).into_iter().map(|(_, rule)| rule).collect()
    }

    fn service_account(&self, name: &str) -> RbacObject {
        RbacObject::ServiceAccount(ServiceAccount {
            metadata: metadata(name, Some(&self.namespace)),
            ..ServiceAccount::default()
        })
    }

    /// The name of an object outside the installation's namespace, which no other installation uses.
    fn of_cluster(&self, name: &str) -> String {
        format!("{name}-{}", self.namespace)
    }

    fn cluster_role_binding(&self, account: &str) -> RbacObject {
        let name = self.of_cluster(account);
        RbacObject::ClusterRoleBinding(ClusterRoleBinding {
            metadata: metadata(&name, None),
            role_ref: role_ref("ClusterRole", &name),
            subjects: Some(vec![self.subject(account)]),
        })
    }

    /// Grants a Role to the operator.
    fn role_binding(&self, name: &str, namespace: &str) -> RbacObject {
        RbacObject::RoleBinding(RoleBinding {
            metadata: metadata(name, Some(namespace)),
            role_ref: role_ref("Role", name),
            subjects: Some(vec![self.subject(&self.operator)]),
        })
    }

    fn subject(&self, service_account: &str) -> Subject {
        Subject {
            kind: "ServiceAccount".to_owned(),
            name: service_account.to_owned(),
            namespace: Some(self.namespace.clone()),
            ..Subject::default()
        }
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn metadata(name: &str, namespace: Option<&str>) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: namespace.map(str::to_owned),
        ..ObjectMeta::default()
    }
}

fn role_ref(kind: &str, name: &str) -> RoleRef {
    RoleRef {
        api_group: API_GROUP.to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
    }
}

fn cluster_role(name: &str, rules: Vec<PolicyRule>) -> RbacObject {
    RbacObject::ClusterRole(ClusterRole {
        metadata: metadata(name, None),
        rules: Some(rules),
        ..ClusterRole::default()
    })
}

fn role(name: &str, namespace: &str, rules: Vec<PolicyRule>) -> RbacObject {
    RbacObject::Role(Role {
        metadata: metadata(name, Some(namespace)),
        rules: Some(rules),
    })
}
