//! Builds what runs from the configuration: the shards with their analyzers, the rules for kept entries and
//! redaction, and the directory's source.

pub mod directory_source;
pub mod persistence;
pub mod shards;
