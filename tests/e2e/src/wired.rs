//! A wired mesh while its operator can't be sure: what must stay, and what the operator says.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::cluster::{kubectl, relay, until};
use crate::exposition::{Exposition, get};
use crate::operator::{self, MESH, NAMESPACE, explain, resource};

/// Mesh config and the backups, as the API server has them, with their versions.
#[derive(Clone, Debug, PartialEq)]
pub struct Wired {
    mesh: Value,
    backups: Vec<Value>,
}

impl Wired {
    /// As things are. Fails unless there is a backup, and the mesh is wired to the operator in [`NAMESPACE`].
    pub fn now() -> anyhow::Result<Self> {
        let mesh = operator::config_map(MESH, "istio")?.context("there is no ConfigMap istio")?;
        let text = mesh["data"]["mesh"].as_str().unwrap_or_default();
        ensure!(text.contains(operator::ADDRESS), "the mesh is not wired: {text}");
        let backups = kubectl(&[
            "get",
            "configmaps",
            "--namespace",
            NAMESPACE,
            "--selector=app.kubernetes.io/component=backup",
            "--output=json",
        ])?;
        let backups: Value = serde_json::from_str(&backups)?;
        let backups = backups["items"].as_array().cloned().unwrap_or_default();
        ensure!(!backups.is_empty(), "there is no backup");
        Ok(Self { mesh, backups })
    }

    /// Fails unless both are as they were, to the byte and to their versions.
    pub fn check(&self) -> anyhow::Result<()> {
        let now = Self::now()?;
        ensure!(
            now == *self,
            "mesh config and backups were\n{self:#?}\nand are\n{now:#?}"
        );
        Ok(())
    }
}

/// Ends the operator's pod, and waits for the one that comes after it.
pub fn restart_operator() -> anyhow::Result<()> {
    let of = ["--namespace", NAMESPACE];
    let pods = "--selector=app.kubernetes.io/name=alscope-operator";
    kubectl(&[&["delete", "pods", pods, "--wait", "--timeout=60s"], &of[..]].concat())?;
    let wait = [
        "rollout",
        "status",
        "deployment/alscope-operator",
        "--timeout=60s",
    ];
    kubectl(&[&wait, &of[..]].concat()).map(drop)
}

/// Waits until the operator's log has a line with all of these words.
pub fn logs(words: &[&str], deadline: Duration) -> anyhow::Result<()> {
    let what = format!("the operator's log to say {words:?}");
    until(&what, deadline, || {
        let log = kubectl(&[
            "logs",
            "deployment/alscope-operator",
            "--namespace",
            NAMESPACE,
            "--tail=-1",
        ])?;
        let says = |line: &str| words.iter().all(|word| line.contains(word));
        Ok(log.lines().any(says).then_some(()))
    })
    .inspect_err(|_| explain())
}

/// Waits until an event of a resource says all of these words. One of an earlier resource of that name does not count.
pub fn event(name: &str, reason: &str, words: &[&str], deadline: Duration) -> anyhow::Result<()> {
    let uid = resource(name)?["metadata"]["uid"].clone();
    let uid = uid.as_str().context("the resource has no uid")?;
    let selector = format!("--field-selector=involvedObject.uid={uid},reason={reason}");
    until(
        &format!("{name}'s event {reason} to say {words:?}"),
        deadline,
        || {
            let events = kubectl(&["get", "events", "--all-namespaces", &selector, "--output=json"])?;
            let events: Value = serde_json::from_str(&events)?;
            let messages: Vec<&str> = events["items"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|event| event["message"].as_str())
                .collect();
            let says = |message: &&str| words.iter().all(|word| message.contains(word));
            ensure!(messages.iter().any(says), "its events say {messages:?}");
            Ok(Some(()))
        },
    )
    .inspect_err(|_| explain())
}

/// Waits until the operator's own metrics are as wanted.
pub fn operator_metrics(
    what: &str,
    deadline: Duration,
    wanted: impl Fn(&Exposition) -> bool,
) -> anyhow::Result<()> {
    let url = relay("operator", NAMESPACE, "alscope-operator", 9090)?;
    until(what, deadline, || {
        let metrics = Exposition::parse(&get(&format!("{url}/metrics"))?)?;
        Ok(wanted(&metrics).then_some(()))
    })
    .inspect_err(|_| explain())
}

/// Waits until the status of a resource tells of its newest spec, and that all is well.
pub fn ready_again(name: &str, deadline: Duration) -> anyhow::Result<()> {
    until(&format!("{name} to be ready again"), deadline, || {
        let resource = resource(name)?;
        let ready = operator::condition(&resource, "Ready");
        let (observed, wanted) = (
            &resource["status"]["observedGeneration"],
            &resource["metadata"]["generation"],
        );
        ensure!(
            observed == wanted && ready.status == "True",
            "of generation {wanted} it tells {observed}, {ready:?}"
        );
        Ok(Some(()))
    })
    .inspect_err(|_| explain())
}
