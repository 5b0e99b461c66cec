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
use tokio_util::sync::CancellationToken;

use super::Handler;
use super::activity::Activity;
use super::answer::{self, Answer, Refusal};
use super::arrival::Arrival;
use super::encoding::{self, Encoding};
use super::grpc_frames::{Content, GrpcFrames, Next};
use super::limits::{ConnectionPlace, Usage};
use super::method::Method;
use super::room::{Room, Unfinished, Unread};
use super::spare::Spare;

/// After the collector began to stop, a stream that is silent for this long has sent what it had.
const SILENCE: Duration = Duration::from_millis(200);

/// What every stream of one connection shares.
#[derive(Clone, Debug)]
pub struct Service<H> {
    /// Takes the messages.
    pub handler: H,
    /// Bounds over all connections.
    pub usage: Arc<Usage>,
    /// Those messages of the connection that have room.
    pub unfinished: Arc<Unfinished>,
    /// What messages are put together in, of all connections of the worker.
    pub spare: Arc<Spare>,
    /// The connection's place, and those of its streams.
    pub place: Arc<ConnectionPlace>,
    /// Its streams.
    pub activity: Arc<Activity>,
    /// Ended with the first message.
    pub arrival: Arc<Arrival>,
    /// Set when the collector stops: read what is in flight, then end.
    pub stopping: CancellationToken,
}

impl<H: Handler> Service<H> {
    /// Serves one request from its first frame to its answer.
    pub async fn serve(self, request: Request<Incoming>) -> Response<Answer> {
        let _active = self.activity.stream();
        let (mut stream, encoding) = match self.begin(&request) {
            Ok(begun) => begun,
            Err(refusal) => return refusal.response(),
        };
        let Some(_place) = self.place.stream() else {
            return Refusal::TooManyStreams.response();
        };
        match self.read(request.into_body(), &mut stream, encoding).await {
            Ok(()) => answer::empty(),
            Err(refusal) => refusal.response(),
        }
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
        while let Some(mut data) = self.data(&mut body).await {
            let read = self.messages(&mut frames, &mut data, (&mut body, stream)).await;
            if let ControlFlow::Break(refusal) = read {
                return self.unless_stopping(refusal);
            }
        }
        if frames.is_within_message() {
            self.unless_stopping(Refusal::WithinMessage)
        } else {
            Ok(())
        }
    }

    /// What a stream is answered that ends within a message: when the collector stops, that is nobody's fault.
    fn unless_stopping(&self, refusal: Refusal) -> Result<(), Refusal> {
        if self.stopping.is_cancelled() {
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
        let mut room: Option<Room<'_>> = None;
        loop {
            let (message, _room) = match frames.next(data) {
                // The room is held until the message is whole, so the rest of it is read here.
                Next::NeedMore => {
                    let Some(room) = &room else {
                        return ControlFlow::Continue(());
                    };
                    let rest = room.rest(self.data(body)).await;
                    let Some(more) = self.read_on(rest, stream)? else {
                        return ControlFlow::Break(Refusal::WithinMessage);
                    };
                    *data = more;
                    continue;
                }
                Next::NeedRoom(bytes) => {
                    let grown = room
                        .get_or_insert_with(|| self.unfinished.begin())
                        .grow(bytes)
                        .await;
                    self.read_on(grown, stream)?;
                    frames.grow(bytes, || self.spare.take());
                    continue;
                }
                Next::Rejected(reason) => {
                    self.handler.reject(stream, reason);
                    continue;
                }
                Next::Message(message) => (message, room.take()),
                Next::Compressed(compressed) => {
                    let limit = self.usage.limits().message_bytes;
                    let bytes = compressed.len() + encoding::decompressed_bytes(&compressed, limit);
                    let mut room = room.take().unwrap_or_else(|| self.unfinished.begin());
                    self.read_on(room.grow(bytes).await, stream)?;
                    match encoding::decompress(&compressed, limit) {
                        Ok(message) => (Content::InBuffer(message), Some(room)),
                        Err(reason) => {
                            self.handler.reject(stream, reason);
                            continue;
                        }
                    }
                }
            };
            self.handler.message(stream, &message).await;
            self.arrival.end();
            if let Content::InBuffer(buffer) = message {
                self.spare.give_back(buffer);
            }
        }
    }

    /// Ends the stream of a message that is not read any further. One without room is counted.
    fn read_on<T>(&self, read: Result<T, Unread>, stream: &mut H::Stream) -> ControlFlow<Refusal, T> {
        match read {
            Ok(read) => ControlFlow::Continue(read),
            Err(Unread::Late) => ControlFlow::Break(Refusal::WithinMessage),
            Err(Unread::NoRoom) => {
                self.handler.reject(stream, Rejected::NoRoom);
                ControlFlow::Break(Refusal::NoRoom)
            }
        }
    }

    /// The next data frame; `None` at the end of the stream, or when the collector stops and the stream is silent.
    async fn data(&self, body: &mut (impl Body<Data = Bytes> + Unpin)) -> Option<Bytes> {
        loop {
            let frame = tokio::select! {
                biased;
                frame = body.frame() => frame,
                () = self.silence() => return None,
            };
            if let Ok(data) = frame?.ok()?.into_data() {
                return Some(data);
            }
        }
    }

    async fn silence(&self) {
        self.stopping.cancelled().await;
        tokio::time::sleep(SILENCE).await;
    }
}

#[cfg(test)]
mod tests;
