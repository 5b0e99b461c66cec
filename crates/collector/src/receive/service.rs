//! A stream: one request, any number of messages, one empty answer.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use alscope_analysis::accounting::Rejected;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::Handler;
use super::activity::Activity;
use super::admission::Handshake;
use super::answer::{self, Answer, Refusal};
use super::buffer_budget::{BufferPermit, PendingMessages, Unread};
use super::buffer_pool::BufferPool;
use super::encoding::{self, Encoding};
use super::ending::Ending;
use super::grpc_frames::{Content, GrpcFrames, Next};
use super::limits::{ConnectionPlace, Usage};
use super::method::Method;

/// A stream that was answered and is silent for this long has sent what it had: some clients never end their side.
const SILENCE: Duration = Duration::from_secs(1);

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
        mut body: impl Body<Data = Bytes> + Unpin,
        stream: &mut H::Stream,
        encoding: Encoding,
    ) -> Result<(), Refusal> {
        let mut frames = GrpcFrames::new(self.usage.limits().message_bytes, encoding);
        while let Some(mut data) = self.next(&frames, &mut body).await {
            let read = self.messages(&mut frames, &mut data, (&mut body, stream)).await;
            if let ControlFlow::Break(refusal) = read {
                return self.unless_ending(refusal);
            }
        }
        if frames.is_within_message() {
            self.unless_ending(Refusal::WithinMessage)
        } else {
            Ok(())
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

    /// Hands over every message in `data`, and the rest of the last one from the frames after it. Breaks when that rest does
    /// not come, finds no room, or gives way to another one.
    async fn messages(
        &self,
        frames: &mut GrpcFrames,
        data: &mut Bytes,
        (body, stream): (&mut (impl Body<Data = Bytes> + Unpin), &mut H::Stream),
    ) -> ControlFlow<Refusal> {
        let mut permit: Option<BufferPermit<'_>> = None;
        loop {
            let (message, _permit) = match frames.next(data) {
                // The permit is held until the message is whole, so the rest of it is read here.
                Next::NeedMore => {
                    let Some(permit) = &permit else {
                        return ControlFlow::Continue(());
                    };
                    let rest = permit.rest(self.data(body)).await;
                    let Some(more) = self.read_on(rest, stream)? else {
                        return ControlFlow::Break(Refusal::WithinMessage);
                    };
                    *data = more;
                    continue;
                }
                Next::NeedRoom(bytes) => {
                    let grown = permit
                        .get_or_insert_with(|| self.pending.begin())
                        .grow(bytes)
                        .await;
                    self.read_on(grown, stream)?;
                    frames.grow(bytes, || self.buffers.take());
                    continue;
                }
                Next::Rejected(reason) => {
                    self.handler.reject(stream, reason);
                    continue;
                }
                Next::Message(message) => (message, permit.take()),
                Next::Compressed(compressed) => {
                    let limit = self.usage.limits().message_bytes;
                    let bytes = compressed.len() + encoding::decompressed_bytes(&compressed, limit);
                    let mut permit = permit.take().unwrap_or_else(|| self.pending.begin());
                    self.read_on(permit.grow(bytes).await, stream)?;
                    match encoding::decompress(&compressed, limit) {
                        Ok(message) => (Content::InBuffer(message), Some(permit)),
                        Err(reason) => {
                            self.handler.reject(stream, reason);
                            continue;
                        }
                    }
                }
            };
            self.handler.message(stream, &message).await;
            self.handshake.complete();
            if let Content::InBuffer(buffer) = message {
                self.buffers.give_back(buffer);
            }
        }
    }

    /// Ends the stream of a message that is not read any further. One without room is counted.
    fn read_on<T>(&self, read: Result<T, Unread>, stream: &mut H::Stream) -> ControlFlow<Refusal, T> {
        match read {
            Ok(read) => ControlFlow::Continue(read),
            Err(Unread::Late) => ControlFlow::Break(Refusal::TooSlow),
            Err(Unread::NoRoom) => {
                self.handler.reject(stream, Rejected::NoRoom);
                ControlFlow::Break(Refusal::NoRoom)
            }
        }
    }

    /// The next data frame. A stream of a connection that ends becomes answerable once all that came of it is read, and not within
    /// a message: its client may drop what it has not sent yet. One that always has more is not waited for.
    async fn next(&self, frames: &GrpcFrames, body: &mut (impl Body<Data = Bytes> + Unpin)) -> Option<Bytes> {
        if !frames.is_within_message() {
            if self.ending.is_late() {
                self.answerable.notify_one();
            }
            tokio::select! {
                biased;
                data = self.data(body) => return data,
                () = self.ending.begun() => self.answerable.notify_one(),
            }
            return timeout(SILENCE, self.data(body)).await.ok().flatten();
        }
        self.data(body).await
    }

    /// The next data frame; `None` at the end of the stream.
    async fn data(&self, body: &mut (impl Body<Data = Bytes> + Unpin)) -> Option<Bytes> {
        loop {
            if let Ok(data) = body.frame().await?.ok()?.into_data() {
                return Some(data);
            }
        }
    }
}

#[cfg(test)]
mod tests;
