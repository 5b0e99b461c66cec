//! A Kubernetes API server for the bench: lists and watches of what the collector's directory reads, while pods are replaced.
//!
//! Plain HTTP on loopback. Like a cluster without Istio's definitions it answers 404 about `ServiceEntries` and `WorkloadEntries`.

mod answers;
mod objects;
mod replacement;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::Router;
use axum::serve::ListenerExt as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use objects::{Key, Objects};

/// An API server that runs. Dropped, it stops: watches end, connections are closed.
#[derive(Debug)]
pub(crate) struct ApiServer {
    address: SocketAddr,
    objects: watch::Receiver<Objects>,
    /// Until pods change; then theirs. The server lives as long as it.
    writer: Option<watch::Sender<Objects>>,
    tasks: JoinSet<()>,
}

impl ApiServer {
    /// Serves these objects: Pods, Services, `EndpointSlices` and Nodes, each with `apiVersion`, `kind` and `metadata`.
    pub(crate) async fn start(objects: Vec<Value>) -> anyhow::Result<Self> {
        let (writer, objects) = watch::channel(Objects::new(objects)?);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("no port of 127.0.0.1 is free")?;
        let address = listener.local_addr()?;
        // An event must not wait until the last one is acknowledged. Without the option it comes later, and still comes.
        let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
        let router = Router::new()
            .fallback(answers::answer)
            .with_state(objects.clone());
        let mut writing = objects.clone();
        let stopped = async move { drop(writing.wait_for(|_| false).await) };
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let served = axum::serve(listener, router).with_graceful_shutdown(stopped);
            // It ends without an error, always.
            drop(served.await);
        });
        Ok(ApiServer {
            address,
            objects,
            writer: Some(writer),
            tasks,
        })
    }

    /// The text of a kubeconfig for it.
    pub(crate) fn kubeconfig(&self) -> String {
        // JSON is YAML.
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "bench", "cluster": { "server": format!("http://{}", self.address) } }],
            "contexts": [{ "name": "bench", "context": { "cluster": "bench", "user": "bench" } }],
            "users": [{ "name": "bench", "user": {} }],
            "current-context": "bench",
        })
        .to_string()
    }

    /// From now on so many of these pods a second, in turn, are deleted, and another of the same workload comes for each, with a
    /// name, a uid and an address of its own, which is one of 100.64.0.0/10. Their `EndpointSlices` follow. Can be said once.
    pub(crate) fn change(&mut self, changing: &[Value], per_second: u32) -> anyhow::Result<()> {
        ensure!(
            !changing.is_empty(),
            "no pods to replace; name pods that are served"
        );
        let period = Duration::from_secs(1).checked_div(per_second);
        let period = period.context("0 pods a second are no change; replace at least one a second")?;
        let served = self.objects.borrow();
        let mut keys = BTreeSet::new();
        let mut pods = Vec::new();
        for pod in changing {
            let key = Key::of(pod)?;
            let served = served.pod(&key);
            let served = served.with_context(|| format!("{key} is no pod that is served; serve it first"))?;
            ensure!(
                keys.insert(key.clone()),
                "{key} is to be replaced twice; name it once"
            );
            pods.push((key, served.clone()));
        }
        drop(served);
        let writer = self
            .writer
            .take()
            .context("pods are replaced already; say all of them at once")?;
        self.tasks.spawn(replacement::replace(writer, pods, period));
        Ok(())
    }

    /// How many pods have been replaced so far.
    pub(crate) fn changes(&self) -> u64 {
        self.objects.borrow().changes
    }
}

#[cfg(test)]
mod tests;
