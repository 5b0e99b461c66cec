//! Brings batches from the workers to an exporter's output, with a bounded queue for each exporter and
//! a thread that empties it.

pub mod delivery_thread;
pub mod queue;
