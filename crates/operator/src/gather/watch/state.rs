//! How far a watch is.

use alscope_plan::world::ReadError;

/// How far a watch is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::gather) enum WatchState {
    /// It has not listed yet.
    Pending,
    /// It has listed; later faults of the connection leave what is known, for a while.
    Listed,
    /// The kind is not installed, so there is no object of it.
    Absent,
    /// It could not be read.
    Failed(ReadError),
}
