//! Gives the published snapshot to what scrapes it.

pub mod prometheus;
