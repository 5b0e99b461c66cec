//! The rules of Alscope: what an Envoy access-log entry says about who called whom.
//!
//! This crate is pure: bytes, the [`directory::Directory`] and time come in as arguments, counted series go out. It knows no
//! socket, no Kubernetes client and no clock, so that every rule can be tested, fuzzed and measured alone.
//!
//! [`shard::Shard`] walks a message through the modules. For each entry [`analyze`] decides what the entry is and which addresses and
//! peers matter, [`directory`] and [`peer`] say who they are, [`aggregate`] counts, [`identify`] remembers what was looked up, and
//! [`persistence`] keeps single entries.
//!
//! The modules below stand in the order of the flow, from low to high: a module imports only modules that stand before it.

pub mod interner;
pub mod moment;
pub mod names;
pub mod pod_labels;
pub mod port_protocol;
pub mod reporter;
pub mod role;

pub mod accounting;
pub mod chain;

pub mod peer;
pub mod rule;

pub mod directory;
pub mod node;

pub mod analyze;

pub mod aggregate;

pub mod identify;

pub mod persistence;

pub mod shard;
