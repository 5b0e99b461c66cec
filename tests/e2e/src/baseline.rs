//! What the mesh was before a test wired it, to compare with in the end.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::ensure;

use crate::cluster::{kubectl, until};
use crate::operator::{self, MANAGER, MESH, NAMESPACE};
use crate::programs::load_images;

/// Mesh config, and the cluster's objects.
#[derive(Clone, Debug)]
pub struct Baseline {
    /// The text of mesh config.
    pub mesh: String,
    /// Every object, as [`objects`] lists them.
    pub objects: BTreeSet<String>,
}

impl Baseline {
    /// As things are.
    pub fn now() -> anyhow::Result<Self> {
        Ok(Self {
            mesh: operator::mesh(MESH)?,
            objects: objects()?,
        })
    }

    /// Installs the operator anew in a mesh that is not wired, and whose gateway does not know the collector.
    pub fn installed() -> anyhow::Result<Self> {
        load_images()?;
        operator::remove()?;
        gateway_forgets()?;
        operator::install()?;
        Self::unwired()
    }

    /// As things are. Fails if the mesh is wired.
    pub fn unwired() -> anyhow::Result<Self> {
        let baseline = Self::now()?;
        ensure!(
            !baseline.mesh.contains("envoyAccessLogService"),
            "the mesh is wired before the test: {}",
            baseline.mesh
        );
        Ok(baseline)
    }

    /// Fails unless mesh config has the same bytes again.
    pub fn check_mesh(&self) -> anyhow::Result<()> {
        let mesh = operator::mesh(MESH)?;
        ensure!(
            mesh == self.mesh,
            "mesh config was\n{}\nand is\n{mesh}",
            self.mesh
        );
        Ok(())
    }

    /// Fails unless everything is as it was before.
    pub fn check(&self) -> anyhow::Result<()> {
        self.check_mesh()?;
        let managers = operator::managers(MESH)?;
        ensure!(
            !managers.iter().any(|manager| manager == MANAGER),
            "{managers:?} own parts of mesh config"
        );
        // The controllers' own objects of a Service follow it a moment later.
        until(
            "the objects from before, no more and no fewer",
            Duration::from_secs(20),
            || {
                let mut objects = objects()?;
                // An upgrade of istiod leaves helm's own history.
                objects.retain(|object| !object.contains("sh.helm.release.v1.istiod."));
                let more: Vec<&String> = objects.difference(&self.objects).collect();
                let mut fewer: Vec<&String> = self.objects.difference(&objects).collect();
                fewer.retain(|object| !object.contains("sh.helm.release.v1.istiod."));
                ensure!(
                    more.is_empty() && fewer.is_empty(),
                    "more: {more:?}, fewer: {fewer:?}"
                );
                Ok(Some(()))
            },
        )
    }
}

/// A gateway that an earlier test restarted in a wired mesh still knows the address.
fn gateway_forgets() -> anyhow::Result<()> {
    let gateway = ["--namespace", "istio-ingress"];
    let pods = kubectl(&[&["get", "pods", "--output=json"], &gateway[..]].concat())?;
    if pods.contains("envoyAccessLogService") {
        let name = "deployment/istio-ingressgateway";
        kubectl(&[&["rollout", "restart", name], &gateway[..]].concat())?;
        kubectl(&[&["rollout", "status", name, "--timeout=60s"], &gateway[..]].concat())?;
        until("the old gateway to end", Duration::from_mins(1), || {
            let pods = kubectl(&[&["get", "pods", "--output=json"], &gateway[..]].concat())?;
            Ok((!pods.contains("envoyAccessLogService")).then_some(()))
        })?;
    }
    Ok(())
}

/// Every object of every API resource, as `resource namespace name`, but for what changes by itself: Events, Leases, and
/// outside the operator's namespace pods and their replica sets. A pod goes by the name of what made it, which it keeps when it is
/// restarted.
pub fn objects() -> anyhow::Result<BTreeSet<String>> {
    let resources = kubectl(&["api-resources", "--verbs=list", "--output=name"])?;
    let names: Vec<&str> = resources
        .lines()
        .filter(|name| {
            !name.starts_with("events") && !name.starts_with("leases.") && !name.contains("metrics.k8s.io")
        })
        .collect();
    let mut found = BTreeSet::new();
    let columns = "--output=custom-columns=KIND:.kind,NAMESPACE:.metadata.namespace,NAME:.metadata.name";
    let listed = kubectl(&[
        "get",
        &names.join(","),
        "--all-namespaces",
        "--no-headers",
        "--ignore-not-found",
        columns,
    ])?;
    for line in listed.lines() {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        let elsewhere = words.get(1) != Some(&NAMESPACE);
        if elsewhere && matches!(words.first(), Some(&"Pod" | &"ReplicaSet")) {
            continue;
        }
        if let ["Pod", _, name] = words.as_mut_slice() {
            *name = name.rsplit_once('-').map_or(*name, |(maker, _)| maker);
        }
        found.insert(words.join(" "));
    }
    ensure!(found.len() > 100, "only {} objects were listed", found.len());
    Ok(found)
}
