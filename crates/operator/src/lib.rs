//! The operator: one `MeshObservability` turns on a mesh's access-log streaming, and its deletion takes everything back.
//!
//! A pass is gather → plan → report → apply. [`plan`] is pure and decides everything; the others read and write.

pub mod admin;
#[expect(
    unreachable_pub,
    reason = "KubeSchema's derive puts a copy of each type into a function"
)]
pub mod api;
pub mod apply;
pub mod clock;
pub mod drain;
pub mod gather;
pub mod lease;
pub mod plan;
pub mod rbac;
pub mod report;
pub mod run;
pub mod show;
pub mod state;
#[cfg(test)]
mod stub;
pub mod world;
