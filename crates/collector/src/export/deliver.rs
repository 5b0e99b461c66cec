//! From the workers to where an exporter sends: a queue with bounds of its own, and a thread that empties it.

pub mod delivery_thread;
pub mod queue;
