//! Loads are made once and sent in every round.

use std::collections::HashMap;
use std::sync::Arc;

use alscope_load::mesh::{Size, Workload, mesh, rolling};
use alscope_load::objects;
use alscope_load::streams::{BEFORE_REPEATING, Load, Stream, streams};
use serde_json::Value;

/// What was made so far.
#[derive(Debug, Default)]
pub(crate) struct Loads {
    meshes: HashMap<Size, Arc<Vec<Workload>>>,
    streams: HashMap<Load, Arc<Vec<Arc<Stream>>>>,
}

impl Loads {
    /// The mesh that a load is of.
    pub(crate) fn mesh(&mut self, load: Load) -> Arc<Vec<Workload>> {
        let size = load.traffic.size;
        let mesh = self.meshes.entry(size).or_insert_with(|| Arc::new(mesh(size)));
        mesh.clone()
    }

    /// The streams of all its proxies.
    pub(crate) fn streams(&mut self, load: Load) -> anyhow::Result<Arc<Vec<Arc<Stream>>>> {
        if let Some(known) = self.streams.get(&load) {
            return Ok(known.clone());
        }
        let made = streams(&self.mesh(load), load, BEFORE_REPEATING)?;
        let made = Arc::new(made.into_iter().map(Arc::new).collect::<Vec<_>>());
        self.streams.insert(load, made.clone());
        Ok(made)
    }

    /// The Kubernetes objects of its mesh, and those pods among them that are replaced meanwhile: no call is of them.
    pub(crate) fn objects(&mut self, load: Load) -> (Vec<Value>, Vec<Value>) {
        let mut all = objects::objects(&self.mesh(load));
        let rolling = objects::objects(&[rolling(load.traffic.size)]);
        all.extend_from_slice(&rolling);
        let pods = rolling.into_iter().filter(|object| object["kind"] == "Pod");
        (all, pods.collect())
    }
}
