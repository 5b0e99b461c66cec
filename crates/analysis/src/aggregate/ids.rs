//! The small numbers by which calls, series and evidence are counted.

/// The id of a [`super::call::Call`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallId(pub(super) u32);

impl CallId {
    /// [`super::call::Call::OVERFLOW`].
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
    /// The series that takes what no longer fits.
    pub const OVERFLOW: SeriesId = SeriesId(0);

    /// The id of the series at a place; that of the overflow where there can be no place.
    pub fn at(place: usize) -> Self {
        SeriesId(u32::try_from(place).unwrap_or(0))
    }

    /// The place in a dense vector.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The number of a piece of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EvidenceId(pub(super) u32);

impl EvidenceId {
    /// Stands for all that is not kept apart, because a bound was reached.
    pub const OVERFLOW: EvidenceId = EvidenceId(0);

    /// The id of the evidence at `place`.
    pub fn at(place: usize) -> Self {
        EvidenceId(u32::try_from(place).map_or(0, |place| place.saturating_add(1)))
    }

    /// The place among the evidence that is kept apart.
    pub fn place(self) -> Option<usize> {
        (self.0 as usize).checked_sub(1)
    }
}
