//! The moments between which the counts of a drain were made.

use crate::moment::Moment;

/// The moments of a drain.
#[derive(Clone, Copy, Debug)]
pub struct DrainMoments {
    /// When the previous drain began. What is new had counted nothing by then.
    pub before: Moment,
    /// When this drain takes place.
    pub now: Moment,
}
