//! The rules of Alscope: what an Envoy access-log entry says about who called whom.
//!
//! This crate is pure: bytes, the [`directory::Directory`] and time come in as arguments, counted series go out. It knows no
//! socket, no Kubernetes client and no clock, so that every rule can be tested, fuzzed and measured alone.
//!
//! The flow of one entry, each step a room: [`analyze`] decides what the entry is and which addresses and peers matter,
//! [`identify`] turns them into parties by the directory or by what [`peer`]s say, [`aggregate`] counts, [`persistence`] keeps single
//! entries. [`shard::Shard`] walks a message through them.

pub mod accounting;
pub mod aggregate;
pub mod analyze;
pub mod directory;
pub mod identify;
pub mod interner;
pub mod moment;
pub mod names;
pub mod node;
pub mod party;
pub mod peer;
pub mod persistence;
pub mod shard;
