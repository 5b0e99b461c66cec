//! What the tests on the local cluster share: the cluster's commands, the operator and its collector, the mesh as it was
//! before, the counters to compare.
//!
//! The cluster is started by `make cluster`; its programs are found beside this crate, in `cluster/`.

pub mod baseline;
pub mod bookinfo;
pub mod cluster;
pub mod collector;
pub mod envoy;
pub mod exposition;
pub mod faults;
pub mod golden;
pub mod meshes;
pub mod operator;
pub mod process;
pub mod programs;
pub mod provider;
pub mod wired;
