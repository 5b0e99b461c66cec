//! The series of one family in the total table.

use std::sync::Arc;

use crate::aggregate::drain_moments::DrainMoments;
use crate::aggregate::ids::SeriesId;
use crate::aggregate::labels::SeriesLabels;
use crate::aggregate::window::{EdgeId, SeriesEdge, Window};
use crate::moment::Moment;

/// One family of series: labels and counters by series id.
#[derive(Clone, Debug)]
pub struct SeriesFamily<C> {
    series: Vec<Option<Series>>,
    counts: Vec<C>,
}

/// What is known of a series besides its counters.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its labels.
    pub labels: Arc<SeriesLabels>,
    /// Since when it counts: a moment at which it had counted nothing.
    pub created: Moment,
    /// When a drain last brought something.
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
    /// Every series by ascending id, with the place of its id.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Arc<SeriesLabels>, &C)> {
        let all = self.series.iter().zip(&self.counts).enumerate();
        all.filter_map(|(id, (series, counts))| Some((id, &series.as_ref()?.labels, counts)))
    }

    /// The series of an id.
    pub fn series(&self, id: usize) -> Option<&Series> {
        self.series.get(id)?.as_ref()
    }

    /// The counters of every id; those of an id without a series are empty.
    pub fn counts(&self) -> &[C] {
        &self.counts
    }

    /// For how many ids there is a place.
    pub fn slots(&self) -> usize {
        self.series.len()
    }

    /// The edge and the counters of a series of which a drain brings something. `labels` makes the labels of one that is new.
    pub(super) fn get_or_create(
        &mut self,
        id: SeriesId,
        drain: DrainMoments,
        window: &mut Window,
        labels: impl FnOnce(SeriesId) -> Option<SeriesLabels>,
    ) -> Option<(SeriesEdge, &mut C)> {
        if self.series.len() <= id.index() {
            self.series.resize(id.index() + 1, None);
            self.counts.resize(id.index() + 1, C::default());
        }
        let series = self.series.get_mut(id.index())?;
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
        Some((series.edge, self.counts.get_mut(id.index())?))
    }

    /// Lets go the series that have not changed since `oldest`, of those that `free` frees. Answers what they had counted.
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
            *self.series.get_mut(id.index())? = None;
            Some(std::mem::take(self.counts.get_mut(id.index())?))
        })
    }

    /// The edges of the series.
    pub(super) fn edges(&self) -> impl Iterator<Item = EdgeId> {
        self.series.iter().flatten().map(|series| series.edge.edge)
    }

    /// Gives the series whose edge was not kept apart an edge of their own, where there is room now.
    pub(super) fn assign_edges(&mut self, window: &mut Window) {
        for series in self.series.iter_mut().flatten() {
            if series.edge.edge == EdgeId::OTHER {
                series.edge.edge = window.edge(&series.labels.edge);
            }
        }
    }
}
