//! The two formats of the exposition, and the choice between them by a scraper's request.
//!
//! `OpenMetrics` 1.0 is the text format with some differences. Each counter and histogram has the time
//! at which it began (`_created`); without it, a series that was removed and came back can't be told
//! from one that was reset. Types have other names, bounds of buckets have one spelling, and the
//! exposition has an end mark.

use alscope_analysis::moment::Moment;

const OPEN_METRICS: &str = "application/openmetrics-text";

/// A format of the exposition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// The Prometheus text format, version 0.0.4.
    #[default]
    Text,
    /// `OpenMetrics`, version 1.0.
    OpenMetrics,
}

impl Format {
    /// Chooses the format by the values of a request's `Accept`: `OpenMetrics` if it is named and nothing
    /// else is preferred, else the text format.
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

    /// The value of the header `content-type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The end mark of the exposition, if the format has one.
    pub(super) fn end(self) -> Option<String> {
        (self == Format::OpenMetrics).then(|| "# EOF\n".to_owned())
    }

    /// Returns the family's name for a counter's name. `OpenMetrics` leaves `_total` out.
    pub(super) fn family(self, name: &str) -> &str {
        match self {
            Format::Text => name,
            Format::OpenMetrics => base(name),
        }
    }

    /// Formats the upper bound of a bucket.
    pub(super) fn bound(self, bound: &str) -> String {
        match (self, bound.parse::<f64>()) {
            (Format::OpenMetrics, Ok(value)) if value.is_finite() => canonical(value),
            _ => bound.to_owned(),
        }
    }

    /// Formats the line that says since when a sample of this name counts.
    pub(super) fn created(self, name: &str, labels: &str, created: Moment) -> Option<String> {
        let (base, milliseconds) = (base(name), created.0.max(0) / 1_000_000);
        let (seconds, rest) = (milliseconds / 1000, milliseconds % 1000);
        (self == Format::OpenMetrics).then(|| format!("{base}_created{labels} {seconds}.{rest:03}\n"))
    }
}

fn base(name: &str) -> &str {
    name.strip_suffix("_total").unwrap_or(name)
}

/// Formats a number as Go's client does, with a point or an exponent,
/// because `OpenMetrics` demands that spelling.
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

    /// The header `Accept` of Prometheus 3.
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
