//! Decides what the operator writes, from a `MeshObservability` and the state of the cluster. Pure.
//!
//! Nothing here reads a clock, a file or a socket: [`plan::plan`] takes the state of the cluster ([`world::World`]) and the time.

#[expect(
    unreachable_pub,
    reason = "KubeSchema's derive puts a copy of each type into a function"
)]
pub mod api;

pub mod world;

pub mod plan;

pub mod show;
