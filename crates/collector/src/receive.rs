//! Receives Envoy's streams of access logs and of its own metrics: gRPC over HTTP/2, on worker threads.
//!
//! Input: TCP connections. Output: the bytes of each message, in the stream's order, handed to a
//! [`Handler`] by a plain call on the worker that owns the connection. There is no queue between
//! them: if the handler is slow, HTTP/2's flow control slows the proxies. Nothing that one client
//! sends can end another client's stream.

pub mod activity;
pub mod admission;
pub mod answer;
pub mod buffer_budget;
pub mod buffer_pool;
pub mod encoding;
pub mod ending;
pub mod flood;
pub mod grpc_frames;
pub mod limits;
pub mod listener;
pub mod messages;
pub mod method;
pub mod open_files;
pub mod service;
pub mod share;
pub mod socket;
pub mod worker;

use std::future::Future;

use alscope_analysis::accounting::Rejected;

use method::Method;

/// Takes the messages of a worker's streams.
pub trait Handler: Clone + Send + Sync + 'static {
    /// The state that the handler keeps for each stream.
    type Stream: Send + 'static;

    /// Begins a stream. Returns `None` if the method is switched off,
    /// which only [`Method::Metrics`] can be.
    fn begin(&self, method: Method) -> Option<Self::Stream>;

    /// Takes one message of a stream.
    fn message(&self, stream: &mut Self::Stream, message: &[u8]) -> impl Future<Output = ()> + Send;

    /// Counts a message that is too large, can't be decompressed, or finds no room in the buffers.
    fn reject(&self, stream: &mut Self::Stream, reason: Rejected);
}
