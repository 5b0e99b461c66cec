//! A stream: one request, any number of messages, one empty answer.

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

/// What every stream of one connection shares.
#[derive(Clone, Debug)]
pub struct Service<H> {
    /// Takes the messages.
    pub handler: H,
    /// Bounds over all connections.
    pub usage: Arc<Usage>,
    /// The connection's unfinished messages.
    pub pending: Arc<PendingMessages>,
    /// The buffers of all connections of the worker.
    pub buffers: Arc<BufferPool>,
    /// The connection's place, and those of its streams.
    pub place: Arc<ConnectionPlace>,
    /// Its streams.
    pub activity: Arc<Activity>,
    /// Completed by the first message.
    pub handshake: Arc<Handshake>,
    /// When the connection ends, and what is read on then.
    pub ending: Arc<Ending>,
    /// Told when the stream may be answered although it has not ended. Each stream has its own.
    pub answerable: Arc<Notify>,
}

impl<H: Handler> Service<H> {
    /// Serves one request from its first frame to its answer. One that is answered with an error is counted.
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
            // The stream's first message, which is not waited for.
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
                    self.handshake.complete();
                    if let Content::InBuffer(buffer) = message {
                        self.buffers.give_back(buffer);
                    }
                }
                Ok(Some(Received::Rejected(reason))) => self.handler.reject(stream, reason),
                Ok(None) => return Ok(()),
                Err(refusal) => {
                    if refusal == Refusal::NoRoom {
                        self.handler.reject(stream, Rejected::NoRoom);
                    }
                    return self.unless_ending(refusal);
                }
            }
        }
    }

    /// What a stream is answered that ends within a message: when the connection ends, that is nobody's fault.
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
