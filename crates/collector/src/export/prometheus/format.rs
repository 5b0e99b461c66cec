//! The two formats of the exposition, and which of them a scraper asks for.
//!
//! `OpenMetrics` 1.0 is the text format with the time at which each counter and histogram began (`_created`), without which a series that
//! went and came back can't be told from one that was reset; other words for types, bounds of buckets in one spelling, and an end.

use alscope_analysis::moment::Moment;

const OPEN_METRICS: &str = "application/openmetrics-text";

/// A format of the exposition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// The Prometheus text format, version 0.0.4.
    #[default]
    Text,
    /// `OpenMetrics` 1.0.
    OpenMetrics,
}

impl Format {
    /// The format that the values of a request's `Accept` ask for: `OpenMetrics` if it is named and nothing else is preferred.
    pub fn accepted<'a>(accept: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut open_metrics, mut others) = (0.0_f32, 0.0_f32);
        for range in accept.into_iter().flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let is_open_metrics = parts
                .next()
                .is_some_and(|name| name.eq_ignore_ascii_case(OPEN_METRICS));
            let (mut quality, mut is_known) = (1.0, true);
            for (name, value) in parts.filter_map(|part| part.split_once('=')) {
                match name.trim() {
                    "q" => quality = value.trim().parse().unwrap_or(0.0),
                    "version" => is_known = ["0.0.1", "1.0.0"].contains(&value.trim()),
                    _ => (),
                }
            }
            if is_open_metrics && is_known {
                open_metrics = open_metrics.max(quality);
            } else if !is_open_metrics {
                others = others.max(quality);
            }
        }
        if open_metrics > 0.0 && open_metrics >= others {
            Format::OpenMetrics
        } else {
            Format::Text
        }
    }

    /// The content type.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// What ends the exposition.
    pub(super) fn end(self) -> Option<String> {
        (self == Format::OpenMetrics).then(|| "# EOF\n".to_owned())
    }

    /// The name of a family whose counters have this name.
    pub(super) fn family(self, name: &str) -> &str {
        match self {
            Format::Text => name,
            Format::OpenMetrics => base(name),
        }
    }

    /// The upper bound of a bucket.
    pub(super) fn bound(self, bound: &str) -> String {
        match (self, bound.parse::<f64>()) {
            (Format::OpenMetrics, Ok(value)) if value.is_finite() => canonical(value),
            _ => bound.to_owned(),
        }
    }

    /// The line that says since when a sample of this name counts.
    pub(super) fn created(self, name: &str, labels: &str, created: Moment) -> Option<String> {
        let (base, milliseconds) = (base(name), created.0.max(0) / 1_000_000);
        let (seconds, rest) = (milliseconds / 1000, milliseconds % 1000);
        (self == Format::OpenMetrics).then(|| format!("{base}_created{labels} {seconds}.{rest:03}\n"))
    }
}

fn base(name: &str) -> &str {
    name.strip_suffix("_total").unwrap_or(name)
}

/// As Go's client writes a number, which `OpenMetrics` takes for canonical: with a point or an exponent.
fn canonical(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude >= 1e6 || (magnitude < 1e-4 && magnitude > 0.0) {
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        return match exponent.strip_prefix('-') {
            Some(exponent) => format!("{digits}e-{exponent:0>2}"),
            None => format!("{digits}e+{exponent:0>2}"),
        };
    }
    format!("{value:?}")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// What Prometheus 3 sends.
    const PROMETHEUS: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
        application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
        text/plain;version=0.0.4;q=0.2,/;q=0.1";

    #[rstest]
    #[case::nothing("", Format::Text)]
    #[case::browser("text/html,application/xhtml+xml,*/*;q=0.8", Format::Text)]
    #[case::anything("*/*", Format::Text)]
    #[case::prometheus(PROMETHEUS, Format::OpenMetrics)]
    #[case::alone("application/openmetrics-text", Format::OpenMetrics)]
    #[case::in_capitals("Application/OpenMetrics-Text; version=1.0.0", Format::OpenMetrics)]
    #[case::before_all("application/openmetrics-text,*/*;q=0.1", Format::OpenMetrics)]
    #[case::behind_text("application/openmetrics-text;q=0.2,text/plain;q=0.9", Format::Text)]
    #[case::never("application/openmetrics-text;q=0", Format::Text)]
    #[case::of_the_future("application/openmetrics-text;version=2.0.0", Format::Text)]
    #[case::no_quality("application/openmetrics-text;q=much", Format::Text)]
    #[case::protobuf_first(
        "application/vnd.google.protobuf;q=0.6,application/openmetrics-text;q=0.5",
        Format::Text
    )]
    fn open_metrics_is_for_who_asks_for_it(#[case] accept: &str, #[case] expected: Format) {
        assert_eq!(Format::accepted([accept]), expected);
    }

    #[test]
    fn several_headers_are_one() {
        let accept = ["text/plain;q=0.2", "application/openmetrics-text;q=0.3"];
        assert_eq!(Format::accepted(accept), Format::OpenMetrics);
    }

    #[rstest]
    #[case("0.5", "0.5")]
    #[case("1", "1.0")]
    #[case("600000", "600000.0")]
    #[case("1800000", "1.8e+06")]
    #[case("0.00001", "1e-05")]
    #[case("0", "0.0")]
    #[case("+Inf", "+Inf")]
    #[case("none", "none")]
    fn bounds_have_one_spelling_in_open_metrics(#[case] bound: &str, #[case] expected: &str) {
        assert_eq!(Format::OpenMetrics.bound(bound), expected);
        assert_eq!(Format::Text.bound(bound), bound);
    }
}
