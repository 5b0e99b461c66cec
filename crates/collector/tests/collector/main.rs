//! The collector as its clients see it: real streams over loopback, and real ports.

#![expect(
    clippy::unwrap_used,
    clippy::unnecessary_wraps,
    clippy::large_stack_arrays,
    reason = "tests: a panic is a failure, counters are whole numbers, builders have the shape of the message's field"
)]

mod attacks;
mod bad_streams;
mod directory;
mod encodings;
mod ending;
mod expiry;
mod forwarded;
mod grpc_messages;
mod ipv6;
mod limits;
mod memory;
mod methods;
mod metrics;
mod open_metrics;
mod process;
mod raw_client;
mod recordings;
mod redaction;
mod refused_streams;
mod running;
mod serving;
mod streams;
mod why;
