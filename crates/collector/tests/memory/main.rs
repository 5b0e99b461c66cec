//! Measures what the collector allocates, and how much of it it holds.

#![expect(
    clippy::unwrap_used,
    clippy::unnecessary_wraps,
    reason = "tests: a panic is a failure, builders have the shape of the message's field"
)]

mod allocations;
mod entries;
mod held;
mod page;
mod terms;
