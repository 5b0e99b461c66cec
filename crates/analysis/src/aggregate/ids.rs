//! The ids by which calls, series and evidence are counted: small numbers, so that vectors are indexed by them.

/// The id of a [`super::call::Call`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallId(pub(super) u32);

impl CallId {
    /// The id of [`super::call::Call::OVERFLOW`].
    pub const OVERFLOW: CallId = CallId(0);

    /// The id as a number.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// The id of a series within its family (HTTP or TCP).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SeriesId(pub(super) u32);

impl SeriesId {
    /// The id of the overflow series, which counts what no longer fits.
    pub const OVERFLOW: SeriesId = SeriesId(0);

    /// The id of the series in a slot; the overflow's if the number is too large.
    pub fn at(slot: usize) -> Self {
        SeriesId(u32::try_from(slot).unwrap_or(0))
    }

    /// The slot of the series in a vector.
    pub fn slot(self) -> usize {
        self.0 as usize
    }
}

/// The id of a piece of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EvidenceId(pub(super) u32);

impl EvidenceId {
    /// The id of all evidence that is not counted separately, because a bound was reached.
    pub const OVERFLOW: EvidenceId = EvidenceId(0);

    /// The id of the evidence in the slot.
    pub fn at(slot: usize) -> Self {
        EvidenceId(u32::try_from(slot).map_or(0, |slot| slot.saturating_add(1)))
    }

    /// The slot of the evidence; `None` for the overflow.
    pub fn slot(self) -> Option<usize> {
        (self.0 as usize).checked_sub(1)
    }
}
