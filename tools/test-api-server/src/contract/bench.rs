//! What the cases have in common: a namespace, the APIs, and how answers are looked at.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use kube::api::{ApiResource, DeleteParams, DynamicObject, PostParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{GROUP, schema};

/// How long a controller may take.
const CONDITION_TIMEOUT: Duration = Duration::from_mins(1);
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Group, version, kind, plural, namespaced.
const KINDS: [(&str, &str, &str, &str, bool); 11] = [
    ("", "v1", "ConfigMap", "configmaps", true),
    ("", "v1", "Namespace", "namespaces", false),
    ("apps", "v1", "Deployment", "deployments", true),
    ("coordination.k8s.io", "v1", "Lease", "leases", true),
    ("events.k8s.io", "v1", "Event", "events", true),
    (
        "rbac.authorization.k8s.io",
        "v1",
        "ClusterRole",
        "clusterroles",
        false,
    ),
    ("rbac.authorization.k8s.io", "v1", "Role", "roles", true),
    (
        "rbac.authorization.k8s.io",
        "v1",
        "RoleBinding",
        "rolebindings",
        true,
    ),
    (GROUP, "v1", "Widget", "widgets", true),
    (GROUP, "v1", "Gadget", "gadgets", false),
    (GROUP, "v1", "Absentee", "absentees", true),
];

/// Where one case runs.
#[derive(Clone)]
pub(super) struct TestBench {
    pub(super) client: Client,
    pub(super) namespace: String,
}

/// What is not done, as the API server says it.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) code: u16,
    pub(super) reason: String,
    pub(super) message: String,
}

impl TestBench {
    pub(super) async fn new(client: Client, prefix: &str) -> anyhow::Result<Self> {
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": prefix}});
        let made = namespaces(&client)
            .create(&PostParams::default(), &serde_json::from_value(namespace)?)
            .await?;
        let namespace = made.metadata.name.context("a namespace without a name")?;
        Ok(Self { client, namespace })
    }

    /// The API of a kind, in the case's namespace or in the whole cluster.
    pub(super) fn api(&self, kind: &str) -> Api<DynamicObject> {
        let Some((_, namespaced)) = resource(kind) else {
            return self.api("Absentee");
        };
        if namespaced {
            api_in(&self.client, kind, &self.namespace)
        } else {
            everywhere(&self.client, kind)
        }
    }

    pub(super) fn config_maps(&self) -> Api<DynamicObject> {
        self.api("ConfigMap")
    }

    /// An object of a kind with these other fields.
    pub(super) fn object(&self, kind: &str, name: &str, rest: &Value) -> anyhow::Result<DynamicObject> {
        let (resource, namespaced) = resource(kind).context("a kind of the suite")?;
        let mut object =
            json!({"apiVersion": resource.api_version, "kind": kind, "metadata": {"name": name}});
        if namespaced {
            object["metadata"]["namespace"] = json!(self.namespace);
        }
        json_patch::merge(&mut object, rest);
        Ok(serde_json::from_value(object)?)
    }

    /// Creates an object of a kind.
    pub(super) async fn create(&self, kind: &str, name: &str, rest: &Value) -> anyhow::Result<DynamicObject> {
        let object = self.object(kind, name, rest)?;
        Ok(self.api(kind).create(&PostParams::default(), &object).await?)
    }

    /// Creates a ConfigMap with one key.
    pub(super) async fn config_map(&self, name: &str) -> anyhow::Result<DynamicObject> {
        self.create("ConfigMap", name, &json!({"data": {"a": "1"}})).await
    }

    /// The path of a kind's objects in the case's namespace.
    pub(super) fn path(&self, kind: &str) -> String {
        let Some((resource, namespaced)) = resource(kind) else {
            return self.path("Absentee");
        };
        let root = if resource.group.is_empty() {
            "/api/v1".to_owned()
        } else {
            format!("/apis/{}", resource.api_version)
        };
        if namespaced {
            format!("{root}/namespaces/{}/{}", self.namespace, resource.plural)
        } else {
            format!("{root}/{}", resource.plural)
        }
    }
}

fn resource(kind: &str) -> Option<(ApiResource, bool)> {
    let (group, version, name, plural, namespaced) = KINDS.iter().find(|(_, _, name, ..)| *name == kind)?;
    let kind = GroupVersionKind::gvk(group, version, name);
    Some((ApiResource::from_gvk_with_plural(&kind, plural), *namespaced))
}

/// The API of a kind in a namespace.
pub(super) fn api_in(client: &Client, kind: &str, namespace: &str) -> Api<DynamicObject> {
    match resource(kind) {
        Some((resource, _)) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => api_in(client, "Absentee", namespace),
    }
}

/// The API of a kind in the whole cluster.
pub(super) fn everywhere(client: &Client, kind: &str) -> Api<DynamicObject> {
    match resource(kind) {
        Some((resource, _)) => Api::all_with(client.clone(), &resource),
        None => everywhere(client, "Absentee"),
    }
}

pub(super) fn namespaces(client: &Client) -> Api<DynamicObject> {
    everywhere(client, "Namespace")
}

fn definitions(client: &Client) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    Api::all_with(client.clone(), &ApiResource::from_gvk(&kind))
}

/// Installs a kind of the suite's group, if it is not there, and waits until it is served.
pub(super) async fn define(client: &Client, plural: &str, kind: &str, scope: &str) -> anyhow::Result<()> {
    let name = format!("{plural}.{GROUP}");
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": name},
        "spec": {
            "group": GROUP, "scope": scope,
            "names": {"plural": plural, "singular": kind.to_lowercase(), "kind": kind, "listKind": format!("{kind}List")},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema(), "subresources": {"status": {}}}],
        },
    });
    let created = definitions(client)
        .create(&PostParams::default(), &serde_json::from_value(definition)?)
        .await;
    match created {
        Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => {}
        other => drop(other?),
    }
    until(&format!("{name} is established"), async || {
        let found = definitions(client).get(&name).await?;
        let conditions = found.data["status"]["conditions"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        Ok(conditions
            .iter()
            .any(|one| one["type"] == "Established" && one["status"] == "True"))
    })
    .await?;
    let served = GroupVersionKind::gvk(GROUP, "v1", kind);
    let api: Api<DynamicObject> = Api::all_with(
        client.clone(),
        &ApiResource::from_gvk_with_plural(&served, plural),
    );
    until(&format!("{name} is served"), async || {
        Ok(api.list(&<_>::default()).await.is_ok())
    })
    .await
}

/// Takes a kind of the suite's group away.
pub(super) async fn undefine(client: &Client, plural: &str) -> anyhow::Result<()> {
    remove(&definitions(client), &format!("{plural}.{GROUP}")).await
}

/// Deletes an object that may be gone.
pub(super) async fn remove(api: &Api<DynamicObject>, name: &str) -> anyhow::Result<()> {
    match api.delete(name, &DeleteParams::default()).await {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        other => {
            drop(other?);
            Ok(())
        }
    }
}

/// Waits until something holds.
pub(super) async fn until(what: &str, holds: impl AsyncFn() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let deadline = Instant::now() + CONDITION_TIMEOUT;
    loop {
        if holds().await.with_context(|| what.to_owned())? {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("not within {CONDITION_TIMEOUT:?}: {what}");
        }
        sleep(POLL_INTERVAL).await;
    }
}

/// What the API server says to a request that it does not do.
pub(super) fn refused<T: std::fmt::Debug>(result: Result<T, kube::Error>) -> anyhow::Result<Refused> {
    match result {
        Ok(done) => bail!("it was done: {done:?}"),
        Err(kube::Error::Api(status)) => Ok(Refused {
            code: status.code,
            reason: status.reason.clone(),
            message: status.message.clone(),
        }),
        Err(error) => Err(error.into()),
    }
}

/// A request is refused with this code and reason.
pub(super) fn ensure_refused<T: std::fmt::Debug>(
    result: Result<T, kube::Error>,
    code: u16,
    reason: &str,
) -> anyhow::Result<String> {
    let refused = refused(result)?;
    ensure!(
        (refused.code, refused.reason.as_str()) == (code, reason),
        "it is refused with {refused:?}, and not with {code} {reason}"
    );
    Ok(refused.message)
}

/// Two values are the same.
#[expect(clippy::needless_pass_by_value, reason = "what is compared is made for it")]
pub(super) fn ensure_eq<T: PartialEq + std::fmt::Debug>(
    found: T,
    wanted: T,
    what: &str,
) -> anyhow::Result<()> {
    ensure!(found == wanted, "{what} is {found:?}, and not {wanted:?}");
    Ok(())
}

/// An object's version.
pub(super) fn version(object: &DynamicObject) -> String {
    object.metadata.resource_version.clone().unwrap_or_default()
}

/// Names of objects.
pub(super) fn names<'a>(objects: impl IntoIterator<Item = &'a DynamicObject>) -> Vec<String> {
    objects
        .into_iter()
        .map(|object| object.metadata.name.clone().unwrap_or_default())
        .collect()
}

/// An entry of `managedFields`: its fields, if the manager has one.
pub(super) fn owned(object: &DynamicObject, manager: &str, operation: &str) -> Option<Value> {
    let entries = object.metadata.managed_fields.iter().flatten();
    let mut found = entries.filter(|entry| {
        entry.manager.as_deref() == Some(manager) && entry.operation.as_deref() == Some(operation)
    });
    found.next()?.fields_v1.as_ref().map(|fields| fields.0.clone())
}
