//! What the operator relies on of an API server: one suite of cases, which the server of this crate and the real one pass.
//!
//! Each case has a namespace of its own, and names what is of the whole cluster after it. Cases wait for conditions with a
//! deadline, because controllers act in their own time.

mod apply;
mod bench;
mod create;
mod delete;
mod kinds;
mod patch;
mod read;
mod rights;
mod update;
mod watch;

use anyhow::Context as _;
use futures::future::LocalBoxFuture;
use kube::Client;
use serde_json::json;

use bench::TestBench;

/// One case of the contract.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What the API server has to do, as the name of a function.
    pub name: &'static str,
    run: fn(TestBench) -> LocalBoxFuture<'static, anyhow::Result<()>>,
}

/// Cases from the names of their functions.
macro_rules! listed {
    ($($name:ident),* $(,)?) => {
        [$(crate::contract::Case {
            name: stringify!($name),
            run: |bench| Box::pin($name(bench)),
        }),*]
    };
}
use listed;

/// All cases of the contract.
pub fn cases() -> Vec<Case> {
    [
        &create::CASES[..],
        &read::CASES,
        &update::CASES,
        &patch::CASES,
        &apply::CASES,
        &delete::CASES,
        &watch::CASES,
        &rights::CASES,
        &kinds::CASES,
    ]
    .concat()
}

/// Installs the kinds that the cases use.
pub async fn prepare(client: &Client) -> anyhow::Result<()> {
    for (plural, kind, scope) in [
        ("widgets", "Widget", "Namespaced"),
        ("gadgets", "Gadget", "Cluster"),
    ] {
        bench::define(client, plural, kind, scope).await?;
    }
    Ok(())
}

/// Removes the kinds of [`prepare`].
pub async fn clean_up(client: &Client) -> anyhow::Result<()> {
    for plural in ["widgets", "gadgets"] {
        bench::undefine(client, plural).await?;
    }
    Ok(())
}

impl Case {
    /// Runs the case in a namespace that begins so. The namespace is deleted when the case has passed.
    pub async fn run(&self, client: &Client, prefix: &str) -> anyhow::Result<()> {
        let bench = TestBench::new(client.clone(), prefix)
            .await
            .context("its namespace")?;
        let namespace = bench.namespace.clone();
        (self.run)(bench).await?;
        bench::remove(&bench::namespaces(client), &namespace).await
    }
}

/// A configuration of the suite's own group.
const GROUP: &str = "contract.alscope.dev";

/// A schema that accepts every object.
fn schema() -> serde_json::Value {
    json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {
        "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
    }}})
}
