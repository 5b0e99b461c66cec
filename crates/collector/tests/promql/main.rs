//! What `PromQL` says of the collector's metrics is what the collector itself says: the selectors of `deploy/prometheus`, read out of
//! their file, and a small `PromQL` of its own over the text of the exposition.

#![expect(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests: a panic is a failure, and whole numbers are exact"
)]

mod figures;
mod recording_rules;
mod selector;
