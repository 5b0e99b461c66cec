//! The series of one family in the table of totals.

use std::sync::Arc;

use crate::aggregate::drain_moments::DrainMoments;
use crate::aggregate::ids::SeriesId;
use crate::aggregate::labels::SeriesLabels;
use crate::aggregate::window::{EdgeId, SeriesEdge, Window};
use crate::moment::Moment;

/// A family of series, HTTP or TCP: labels and counters by series id.
#[derive(Clone, Debug)]
pub struct SeriesFamily<C> {
    series: Vec<Option<Series>>,
    counts: Vec<C>,
}

/// A series without its counters.
#[derive(Clone, Debug)]
pub struct Series {
    /// The labels of the series.
    pub labels: Arc<SeriesLabels>,
    /// Since when it counts: by then it had counted nothing.
    pub created: Moment,
    /// When a drain last brought counts.
    changed: Moment,
    edge: SeriesEdge,
}

impl<C> Default for SeriesFamily<C> {
    fn default() -> Self {
        SeriesFamily {
            series: Vec::new(),
            counts: Vec::new(),
        }
    }
}

impl<C: Clone + Default> SeriesFamily<C> {
    /// Every series in the order of the ids, with the slot of its id.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Arc<SeriesLabels>, &C)> {
        let all = self.series.iter().zip(&self.counts).enumerate();
        all.filter_map(|(id, (series, counts))| Some((id, &series.as_ref()?.labels, counts)))
    }

    /// The series in a slot.
    pub fn series(&self, id: usize) -> Option<&Series> {
        self.series.get(id)?.as_ref()
    }

    /// The counters by slot; a slot without a series has empty ones.
    pub fn counts(&self) -> &[C] {
        &self.counts
    }

    /// How many slots there are.
    pub fn slots(&self) -> usize {
        self.series.len()
    }

    /// The edge and the counters of a series for which a drain brings counts. `labels` makes the labels of a new one.
    pub(super) fn get_or_create(
        &mut self,
        id: SeriesId,
        drain: DrainMoments,
        window: &mut Window,
        labels: impl FnOnce(SeriesId) -> Option<SeriesLabels>,
    ) -> Option<(SeriesEdge, &mut C)> {
        if self.series.len() <= id.slot() {
            self.series.resize(id.slot() + 1, None);
            self.counts.resize(id.slot() + 1, C::default());
        }
        let series = self.series.get_mut(id.slot())?;
        if series.is_none() {
            let labels = labels(id)?;
            *series = Some(Series {
                created: drain.before,
                changed: drain.now,
                edge: SeriesEdge {
                    edge: window.edge(&labels.edge),
                    verdict: labels.verdict,
                },
                labels: Arc::new(labels),
            });
        }
        let series = series.as_mut()?;
        series.changed = drain.now;
        Some((series.edge, self.counts.get_mut(id.slot())?))
    }

    /// Drops the series that have not changed since `oldest` and that `free` frees. Returns what they had counted.
    pub(super) fn expire(
        &mut self,
        oldest: Moment,
        free: impl FnOnce(&[SeriesId]) -> Vec<SeriesId>,
    ) -> impl Iterator<Item = C> {
        let is_idle = |series: &Option<Series>| series.as_ref().is_some_and(|series| series.changed < oldest);
        let all = self.series.iter().enumerate();
        let idle: Vec<SeriesId> = all
            .filter(|(_, series)| is_idle(series))
            .map(|(place, _)| SeriesId::at(place))
            .collect();
        free(&idle).into_iter().filter_map(|id| {
            *self.series.get_mut(id.slot())? = None;
            Some(std::mem::take(self.counts.get_mut(id.slot())?))
        })
    }

    /// The edges of the series.
    pub(super) fn edges(&self) -> impl Iterator<Item = EdgeId> {
        self.series.iter().flatten().map(|series| series.edge.edge)
    }

    /// Assigns edges of their own to series that had none, if there is room now.
    pub(super) fn assign_edges(&mut self, window: &mut Window) {
        for series in self.series.iter_mut().flatten() {
            if series.edge.edge == EdgeId::OTHER {
                series.edge.edge = window.edge(&series.labels.edge);
            }
        }
    }
}
