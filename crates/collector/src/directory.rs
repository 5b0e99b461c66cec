//! Feeds the directory from its source and publishes new versions of it.

pub mod file;
pub mod kubernetes;
pub mod objects;
pub mod publisher;
pub mod service_entry;
