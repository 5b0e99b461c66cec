//! Serves a stream: one request, any number of messages, one empty answer.

use std::sync::Arc;

use alscope_analysis::accounting::Rejected;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body::Body;
use hyper::body::Incoming;
use tokio::sync::Notify;

use super::Handler;
use super::activity::Activity;
use super::admission::Handshake;
use super::answer::{self, Answer, Refusal};
use super::buffer_budget::PendingMessages;
use super::buffer_pool::BufferPool;
use super::encoding::Encoding;
use super::ending::Ending;
use super::grpc_frames::Content;
use super::limits::{ConnectionPlace, Usage};
use super::messages::{Messages, Received};
use super::method::Method;

/// Everything that the streams of one connection share.
#[derive(Clone, Debug)]
pub struct Service<H> {
    /// Takes the messages of every stream.
    pub handler: H,
    /// The limits over all connections, and their use.
    pub usage: Arc<Usage>,
    /// The connection's unfinished messages.
    pub pending: Arc<PendingMessages>,
    /// The pool of message buffers that the worker's connections share.
    pub buffers: Arc<BufferPool>,
    /// The connection's place, which gives out the places of its streams.
    pub place: Arc<ConnectionPlace>,
    /// Tracks whether the connection has streams.
    pub activity: Arc<Activity>,
    /// The connection's handshake, which its first message completes.
    pub handshake: Arc<Handshake>,
    /// When the connection ends, and the streams that are read on after that.
    pub ending: Arc<Ending>,
    /// Notified when the stream may be answered although it has not ended. Each stream has its own.
    pub answerable: Arc<Notify>,
}

impl<H: Handler> Service<H> {
    /// Serves one request from its first frame to its answer. A refusal is counted.
    pub async fn serve(self, request: Request<Incoming>) -> Response<Answer> {
        let usage = self.usage.clone();
        match self.stream(request).await {
            Ok(()) => answer::empty(),
            Err(refusal) => {
                usage.refuse_stream(refusal);
                refusal.response()
            }
        }
    }

    async fn stream(mut self, request: Request<Incoming>) -> Result<(), Refusal> {
        let active = self.activity.stream();
        let (mut stream, encoding) = self.begin(&request)?;
        let place = self.place.stream().ok_or(Refusal::TooManyStreams)?;
        self.answerable = Arc::default();
        let (ending, answerable) = (self.ending.clone(), self.answerable.clone());
        let reading = async move {
            // The stream keeps its place while it is read on after its answer.
            let _open = (place, active);
            self.read(request.into_body(), &mut stream, encoding).await
        };
        ending.answer(reading, &answerable).await
    }

    fn begin<B>(&self, request: &Request<B>) -> Result<(H::Stream, Encoding), Refusal> {
        let content_type = request
            .headers()
            .get(header::CONTENT_TYPE)
            .map_or(&b""[..], HeaderValue::as_bytes);
        if request.method() != http::Method::POST || !content_type.starts_with(b"application/grpc") {
            return Err(Refusal::NotGrpc);
        }
        let method = Method::named(request.uri().path()).ok_or(Refusal::UnknownMethod)?;
        let mut stream = self.handler.begin(method).ok_or(Refusal::Metrics)?;
        let Some(encoding) = Encoding::named(request.headers().get("grpc-encoding")) else {
            // The encoding decides before any message comes, so the stream's first message is counted at
            // once.
            self.handler.reject(&mut stream, Rejected::Compression);
            return Err(Refusal::Encoding);
        };
        Ok((stream, encoding))
    }

    async fn read(
        &self,
        body: impl Body<Data = Bytes> + Unpin,
        stream: &mut H::Stream,
        encoding: Encoding,
    ) -> Result<(), Refusal> {
        let mut messages = Messages::new(self, body, encoding);
        loop {
            match messages.next().await {
                Ok(Some(Received::Message(message, _permit))) => {
                    self.handler.message(stream, &message).await;
                    // The large first message is done with, so the next connection may send its own.
                    self.handshake.complete();
                    if let Content::InBuffer(buffer) = message {
                        self.buffers.give_back(buffer);
                    }
                }
                Ok(Some(Received::Rejected(reason))) => self.handler.reject(stream, reason),
                Ok(None) => return Ok(()),
                Err(refusal) => {
                    // A message without room is lost in its middle, so its entries must show as rejected.
                    if refusal == Refusal::NoRoom {
                        self.handler.reject(stream, Rejected::NoRoom);
                    }
                    return self.unless_ending(refusal);
                }
            }
        }
    }

    /// Ignores a refusal in the middle of a message if the connection is ending, because the client
    /// is not at fault then.
    fn unless_ending(&self, refusal: Refusal) -> Result<(), Refusal> {
        if self.ending.has_begun() {
            Ok(())
        } else {
            Err(refusal)
        }
    }
}

#[cfg(test)]
mod tests;
