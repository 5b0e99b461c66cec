use super::*;

#[test]
fn a_histogram_is_cumulative_with_sum_and_count() {
    let mut durations = Histogram::default();
    for value in [400, 2_500, 2_500, 4_000_000_000] {
        durations.add_microseconds(value);
    }
    let mut text = String::new();
    let series = SeriesName {
        metric: "d",
        labels: "a=\"b\"",
    };
    write_lines(
        &mut text,
        Format::Text,
        series,
        SampleValue::Durations(&durations),
    );
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 22);
    assert_eq!(lines[0], "d_bucket{a=\"b\",le=\"0.5\"} 1");
    assert_eq!(lines[1], "d_bucket{a=\"b\",le=\"1\"} 1");
    assert_eq!(lines[2], "d_bucket{a=\"b\",le=\"5\"} 3");
    assert_eq!(lines[18], "d_bucket{a=\"b\",le=\"3600000\"} 3");
    assert_eq!(lines[19], "d_bucket{a=\"b\",le=\"+Inf\"} 4");
    assert_eq!(lines[20], "d_sum{a=\"b\"} 4000005.400");
    assert_eq!(lines[21], "d_count{a=\"b\"} 4");
}

fn pieces_of(texts: &[usize]) -> Vec<usize> {
    let pieces = pieces(texts.iter().map(|bytes| "x".repeat(*bytes)));
    pieces.map(|piece| piece.len()).collect()
}

#[test]
fn a_piece_ends_with_the_text_that_makes_it_long_enough() {
    assert_eq!(
        pieces_of(&[PIECE_BYTES - 1, 2, PIECE_BYTES, 1, 1]),
        [PIECE_BYTES + 1, PIECE_BYTES, 2]
    );
    assert_eq!(pieces_of(&[]).len(), 0);
}

#[test]
fn the_bounds_are_the_same_in_both_formats() {
    for (bound, canonical) in BUCKET_BOUNDS.iter().zip(CANONICAL_BOUNDS) {
        assert_eq!(Format::OpenMetrics.bound(bound), canonical);
    }
}
