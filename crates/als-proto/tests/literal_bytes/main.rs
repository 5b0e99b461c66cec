//! What the readers make of messages whose bytes are written down here.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common_properties;
mod encode;
mod grpc_messages;
mod http;
mod message;
mod metadata;
mod metrics;
mod wire;
