//! When a drain takes place.

use crate::moment::Moment;

/// When a drain takes place.
#[derive(Clone, Copy, Debug)]
pub struct DrainMoments {
    /// When the drain before it began: what is new had counted nothing by then.
    pub before: Moment,
    /// When it brings what was counted.
    pub now: Moment,
}
