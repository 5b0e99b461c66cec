//! The operator: one `MeshObservability` turns on a mesh's access-log streaming, and its deletion takes everything back.
//!
//! A pass is gather → plan → report → apply. `alscope-plan` is pure and decides everything; this crate reads and writes.

pub mod admin;
pub mod apply;
pub mod clock;
pub mod drain;
pub mod gather;
pub mod lease;
pub mod rbac;
pub mod report;
pub mod restart;
pub mod run;
pub mod state_file;
#[cfg(test)]
mod stub_api_server;
