//! The operator in the cluster: its chart, resources and their conditions, and what it wrote by the API server's own record.

use std::time::Duration;

use anyhow::Context;
use parking_lot::Mutex;
use serde_json::Value;

use crate::cluster::{kubectl, run, show, until};
use crate::collector::{self, check_conservation};
use crate::programs::{load_images, root};

/// The operator's namespace.
pub const NAMESPACE: &str = "alscope-system";
/// The name of the resource that the tests apply.
pub const RESOURCE: &str = "alscope";
/// The address that its collector has.
pub const ADDRESS: &str = "alscope-collector.alscope-system.svc.cluster.local:11800";
/// The mesh's namespace.
pub const MESH: &str = "istio-system";
/// The ConfigMap of the default revision's mesh config.
const MESH_CONFIG: &str = "istio";
/// The field manager of what the operator writes.
pub const MANAGER: &str = "alscope-operator";

/// A condition of a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// In one word.
    pub reason: String,
    /// In a sentence.
    pub message: String,
}

/// Installs the chart with real helm, and waits until the operator is available. Proxies' time to let go of the collector is
/// short, because these tests do not wait for a minute.
pub fn install() -> anyhow::Result<()> {
    install_in(NAMESPACE, &[])
}

/// Installs the chart in a namespace, with more values than those that all tests have.
pub fn install_in(namespace: &str, more: &[&str]) -> anyhow::Result<()> {
    let chart = root().join("charts/alscope");
    let chart = chart.to_string_lossy();
    make_namespace(namespace, &chart)?;
    let values = [
        "image.repository=docker.io/alscope/operator",
        "image.tag=e2e",
        "collector.image.repository=docker.io/alscope/collector",
        "collector.image.tag=e2e",
        "drainTimeout=2s",
        "leaseDuration=3s",
    ];
    let mut arguments = vec!["upgrade", "--install", "alscope", &chart];
    arguments.extend(["--namespace", namespace, "--wait", "--timeout", "90s"]);
    for value in values {
        arguments.extend(["--set-string", value]);
    }
    for value in more {
        arguments.extend(["--set", value]);
    }
    run("helm", &arguments)?;
    // helm does not wait for the operator that was there before.
    until("one operator", Duration::from_mins(1), || {
        let ending = kubectl(&[
            "get",
            "pods",
            "--namespace",
            namespace,
            "--selector=app.kubernetes.io/name=alscope-operator",
            "--output=jsonpath={.items[*].metadata.deletionTimestamp}",
        ])?;
        Ok(ending.trim().is_empty().then_some(()))
    })
}

/// The namespace as the chart has it for those who apply what it renders: closed to pods that could do something to their node.
fn make_namespace(namespace: &str, chart: &str) -> anyhow::Result<()> {
    let rendered = run(
        "helm",
        &[
            "template",
            "alscope",
            chart,
            "--namespace",
            namespace,
            "--set=namespace.create=true",
            "--show-only=templates/namespace.yaml",
        ],
    )?;
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), rendered)?;
    kubectl(&["apply", "--filename", &file.path().to_string_lossy()]).map(drop)
}

/// Installs what this build made. An operator of an earlier one would stay, because its image has the same tag.
pub fn install_anew() -> anyhow::Result<()> {
    load_images()?;
    remove()?;
    install()
}

/// The chart, installed anew by the first test that asks, for tests that leave no trace of their resources. It may write the
/// shared mesh config `istio-user`, where an istiod names it.
pub fn installed() -> anyhow::Result<()> {
    static INSTALLED: Mutex<bool> = Mutex::new(false);
    let mut installed = INSTALLED.lock();
    if *installed {
        return delete_all();
    }
    load_images()?;
    remove()?;
    install_in(NAMESPACE, &["mesh.sharedConfigMap=istio-user"])?;
    *installed = true;
    Ok(())
}

/// Deletes every resource, removes the chart and its definition: the baseline.
pub fn remove() -> anyhow::Result<()> {
    if !is_defined()? {
        return Ok(());
    }
    delete_all()?;
    run(
        "helm",
        &[
            "uninstall",
            "alscope",
            "--namespace",
            NAMESPACE,
            "--wait",
            "--ignore-not-found",
        ],
    )?;
    kubectl(&[
        "delete",
        "crd",
        "meshobservabilities.alscope.dev",
        "--wait",
        "--timeout=30s",
    ])
    .map(drop)
}

fn is_defined() -> anyhow::Result<bool> {
    let found = kubectl(&[
        "get",
        "crd",
        "meshobservabilities.alscope.dev",
        "--ignore-not-found",
        "--output=name",
    ])?;
    Ok(!found.trim().is_empty())
}

/// Applies a resource with this spec, as JSON.
pub fn apply(name: &str, spec: &Value) -> anyhow::Result<()> {
    let resource = serde_json::json!({
        "apiVersion": "alscope.dev/v1alpha1",
        "kind": "MeshObservability",
        "metadata": {"name": name},
        "spec": spec,
    });
    apply_object(&resource)
}

/// Applies any object.
pub fn apply_object(object: &Value) -> anyhow::Result<()> {
    let mut file = tempfile::NamedTempFile::new()?;
    serde_json::to_writer(&mut file, object)?;
    kubectl(&["apply", "--filename", &file.path().to_string_lossy()]).map(drop)
}

/// Deletes every resource, and waits until they are gone. Whatever the collector received until then must be accounted for.
pub fn delete_all() -> anyhow::Result<()> {
    check_conservation()?;
    kubectl(&["delete", "meshobs", "--all", "--wait=false"])?;
    until("every resource to be gone", Duration::from_mins(2), || {
        // Without it, a collector waits for its last scrape as long as it may.
        for pod in collector::pods()? {
            drop(collector::received(&pod));
        }
        let left = kubectl(&["get", "meshobs", "--output=name"])?;
        Ok(left.trim().is_empty().then_some(()))
    })
}

/// The whole resource.
pub fn resource(name: &str) -> anyhow::Result<Value> {
    Ok(serde_json::from_str(&kubectl(&[
        "get",
        "meshobs",
        name,
        "--output=json",
    ])?)?)
}

/// A condition of a resource; empty when there is none.
pub fn condition(resource: &Value, type_: &str) -> Condition {
    let conditions = resource["status"]["conditions"].as_array();
    let found = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == type_);
    let text = |key: &str| {
        found
            .and_then(|condition| condition[key].as_str())
            .unwrap_or_default()
            .to_owned()
    };
    Condition {
        status: text("status"),
        reason: text("reason"),
        message: text("message"),
    }
}

/// Waits until a condition of a resource has a status and a reason; tells what it was instead.
pub fn reaches(
    name: &str,
    type_: &str,
    (status, reason): (&str, &str),
    deadline: Duration,
) -> anyhow::Result<Condition> {
    let mut last = Condition::default();
    let what = format!("{name}: {type_}={status}/{reason}");
    let waited = until(&what, deadline, || {
        last = condition(&resource(name)?, type_);
        Ok((last.status == status && last.reason == reason).then(|| last.clone()))
    });
    waited
        .with_context(|| format!("it is {last:?}"))
        .inspect_err(|_| explain())
}

/// Prints what a reader needs to see why a test failed.
pub fn explain() {
    show(&["get", "meshobs", "--output=yaml"]);
    show(&["get", "pods", "--namespace", NAMESPACE, "--output=wide"]);
    show(&[
        "logs",
        "deployment/alscope-operator",
        "--namespace",
        NAMESPACE,
        "--tail=60",
    ]);
    show(&[
        "get",
        "configmap",
        "istio",
        "--namespace",
        MESH,
        "--output=yaml",
        "--show-managed-fields",
    ]);
}

/// The text of mesh config in a mesh's namespace.
pub fn mesh(namespace: &str) -> anyhow::Result<String> {
    text(namespace, MESH_CONFIG)?.context("there is no ConfigMap istio")
}

/// The text of a ConfigMap of mesh config; `None` where there is no ConfigMap.
pub fn text(namespace: &str, name: &str) -> anyhow::Result<Option<String>> {
    let Some(object) = config_map(namespace, name)? else {
        return Ok(None);
    };
    let text = object["data"]["mesh"].as_str();
    let text = text.context("the ConfigMap has no key mesh")?;
    Ok(Some(text.to_owned()))
}

/// The field managers that have an entry in the `managedFields` of mesh config.
pub fn managers(namespace: &str) -> anyhow::Result<Vec<String>> {
    let object = config_map(namespace, MESH_CONFIG)?.context("there is no ConfigMap istio")?;
    let entries = object["metadata"]["managedFields"].as_array();
    let names = entries
        .into_iter()
        .flatten()
        .filter_map(|entry| entry["manager"].as_str());
    Ok(names.map(str::to_owned).collect())
}

/// A whole ConfigMap; `None` where there is none.
pub fn config_map(namespace: &str, name: &str) -> anyhow::Result<Option<Value>> {
    let object = kubectl(&[
        "get",
        "configmap",
        name,
        "--namespace",
        namespace,
        "--ignore-not-found",
        "--show-managed-fields",
        "--output=json",
    ])?;
    if object.trim().is_empty() {
        return Ok(None);
    }
    Ok(Some(serde_json::from_str(&object)?))
}

/// Waits until the operator owns no part of mesh config any more.
pub fn until_disowned(deadline: Duration) -> anyhow::Result<()> {
    until("the operator's mark to go from managedFields", deadline, || {
        let managers = managers(MESH)?;
        Ok((!managers.iter().any(|manager| manager == MANAGER)).then_some(()))
    })
}

/// A write in the API server's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// `create`, `update`, `patch` or `delete`.
    pub verb: String,
    /// The plural, with `/` and the subresource if there is one.
    pub resource: String,
    /// The namespace, empty for none.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The status code of the answer.
    pub code: u64,
}

/// The operator's own writes since a place in the record, without the renewals of its Lease.
pub fn writes_since(place: usize) -> anyhow::Result<Vec<Write>> {
    writes_of(NAMESPACE, place)
}

/// The same of the operator in a namespace.
pub fn writes_of(namespace: &str, place: usize) -> anyhow::Result<Vec<Write>> {
    let user = format!("system:serviceaccount:{namespace}:alscope-operator");
    let record = record()?;
    let lines = record.get(place..).unwrap_or_default().lines();
    let events = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    Ok(events
        .filter(|event| {
            event["user"]["username"] == user.as_str() && event["objectRef"]["resource"] != "leases"
        })
        .map(|event| {
            let text = |key: &str| event["objectRef"][key].as_str().unwrap_or_default().to_owned();
            let subresource = text("subresource");
            Write {
                verb: event["verb"].as_str().unwrap_or_default().to_owned(),
                resource: if subresource.is_empty() {
                    text("resource")
                } else {
                    format!("{}/{subresource}", text("resource"))
                },
                namespace: text("namespace"),
                name: text("name"),
                code: event["responseStatus"]["code"].as_u64().unwrap_or_default(),
            }
        })
        .collect())
}

/// The place in the record that the next write is at.
pub fn place() -> anyhow::Result<usize> {
    Ok(record()?.len())
}

fn record() -> anyhow::Result<String> {
    run("enter", &["cat", "/var/log/audit.log"])
}
