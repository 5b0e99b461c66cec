//! The operator's rules, pure: what a `MeshObservability` says, what is so in the cluster, and what is written next.
//!
//! Nothing here reads a clock, a file or a socket: [`plan::plan`] takes a [`world::World`] and the time.

#[expect(
    unreachable_pub,
    reason = "KubeSchema's derive puts a copy of each type into a function"
)]
pub mod api;

pub mod world;

pub mod plan;

pub mod show;
