//! The plan from end to end: a small cluster in memory does its steps, is interrupted at each of them, and is judged after each.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking; what is built here has the fields that are read"
)]

mod adopted;
mod assignment;
mod attached;
mod backups;
mod cluster;
mod cluster_state;
mod collector;
mod crashes;
mod edits;
mod events;
mod gateways;
mod install;
mod invalid_spec;
mod invariants;
mod mesh;
mod mesh_ownership;
mod pods;
mod provider_silence;
mod provider_wiring;
mod providers;
mod random;
mod reading;
mod refusals;
mod replicas;
mod restart_rules;
mod restarts;
mod reverts;
mod revisions;
mod shared;
mod shown;
mod steps;
mod telemetries;
mod uninstall;
mod workloads;
