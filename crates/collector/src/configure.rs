//! From the configuration to what runs with it: the shards with their analyzers, what is kept and hidden, and the directory's source.

pub mod directory_source;
pub mod persistence;
pub mod shards;
