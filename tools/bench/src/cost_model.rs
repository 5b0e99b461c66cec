//! What a message costs and what an entry: `a + b · entries`, fitted over messages of different lengths.

/// Seconds of processor time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CostModel {
    /// Of a message without entries.
    pub(crate) message: f64,
    /// Of each entry.
    pub(crate) entry: f64,
}

impl CostModel {
    /// The line through points of entries a message and seconds a message whose relative errors are smallest: a microsecond is
    /// much for a message of one entry and nothing for one of 33. `None` unless two points differ in their entries.
    pub(crate) fn fitted(points: &[(f64, f64)]) -> Option<Self> {
        let (mut weights, mut entries, mut seconds, mut squares, mut products) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for (x, y) in points {
            let weight = 1.0 / (y * y);
            weights += weight;
            entries += weight * x;
            seconds += weight * y;
            squares += weight * x * x;
            products += weight * x * y;
        }
        let determinant = weights * squares - entries * entries;
        if !determinant.is_normal() || determinant <= 0.0 {
            return None;
        }
        let entry = (weights * products - entries * seconds) / determinant;
        Some(CostModel {
            message: (seconds - entry * entries) / weights,
            entry,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_on_a_line_give_the_line() {
        let points = [1.0, 5.0, 33.0].map(|entries| (entries, 20e-6 + 0.8e-6 * entries));
        let model = CostModel::fitted(&points).unwrap();
        assert!((model.message - 20e-6).abs() < 1e-12, "{model:?}");
        assert!((model.entry - 0.8e-6).abs() < 1e-12, "{model:?}");
    }

    #[test]
    fn errors_count_by_their_share() {
        // Two percent too much at one entry weighs as much as at 33, not as little as its microseconds.
        let line = |entries: f64| 20e-6 + 1e-6 * entries;
        let above = [(1.0, line(1.0) * 1.02), (5.0, line(5.0)), (33.0, line(33.0))];
        let model = CostModel::fitted(&above).unwrap();
        assert!(model.message > 20e-6 && model.entry < 1e-6, "{model:?}");
    }

    #[test]
    fn one_length_gives_no_line() {
        assert_eq!(CostModel::fitted(&[(5.0, 1e-6), (5.0, 2e-6)]), None);
        assert_eq!(CostModel::fitted(&[]), None);
    }
}
