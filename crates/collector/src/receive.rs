//! Receives Envoy's access-log streams: gRPC over HTTP/2 on worker threads of their own.
//!
//! Input: TCP connections. Output: each message's bytes, in the stream's order, handed to a [`Handler`] by a plain call on the
//! worker that owns the connection. There is no queue between: when the handler is slow, HTTP/2's flow control slows the
//! proxies. Nothing that a client sends can end another client's stream.

pub mod grpc_frames;
pub mod limits;
pub mod listener;
pub mod service;
pub mod worker;

use std::future::Future;

use alscope_analysis::accounting::Rejected;

/// What a worker does with the messages of its streams.
pub trait Handler: Clone + Send + Sync + 'static {
    /// What is kept of a stream from its first message on.
    type Stream: Default + Send + 'static;

    /// Takes one message.
    fn message(&self, stream: &mut Self::Stream, message: &[u8]) -> impl Future<Output = ()> + Send;

    /// Counts a message that was too large or compressed.
    fn reject(&self, reason: Rejected);
}
