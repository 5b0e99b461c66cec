//! Checks that `PromQL` gives the same figures as the collector itself. The selectors are read from the
//! files in `deploy/prometheus`, and a small `PromQL` evaluates them over the text of the exposition.

#![expect(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests: a panic is a failure, and whole numbers are exact"
)]

mod figures;
mod recording_rules;
mod selector;
