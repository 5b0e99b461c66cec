//! The state of a watch.

use alscope_plan::world::ReadError;

/// The state of a watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::gather) enum WatchState {
    /// The watch has not listed yet.
    Pending,
    /// The watch has listed. After a later fault of the connection, the objects stay known for a while.
    Listed,
    /// The kind is not installed, so there is no object of it.
    Absent,
    /// The API server refused, or did not answer for too long.
    Failed(ReadError),
}
