//! The plan from end to end: a small cluster in memory does its steps, is interrupted at each of them, and is judged after each.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking; what is built here has the fields that are read"
)]

mod adopted;
mod attached;
mod backups;
mod claims;
mod cluster;
mod collector;
mod crashes;
mod edits;
mod gateways;
mod installations;
mod invariants;
mod mesh;
mod providers;
mod random;
mod reading;
mod refusals;
mod resets;
mod revisions;
mod seen;
mod shared;
mod shown;
mod steps;
mod telemetries;
mod told;
mod way_down;
mod way_up;
