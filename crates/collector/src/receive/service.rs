//! The gRPC method `AccessLogService/StreamAccessLogs`: one request, one stream of messages, one empty answer.

use std::net::IpAddr;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use alscope_analysis::accounting::Rejected;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::Handler;
use super::grpc_frames::{GrpcFrames, Next};
use super::limits::Usage;

/// Full names of the method (envoy `service/accesslog/v3/als.proto`).
const STREAM_ACCESS_LOGS: &str = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs";
/// After the collector began to stop, a stream that is silent for this long has sent what it had.
const SILENCE: Duration = Duration::from_millis(200);

/// How long the rest of a message may take once its room is held: a client that stalls must not hold what others wait for.
const MESSAGE_DEADLINE: Duration = Duration::from_secs(30);

/// gRPC status codes that the receiver answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The stream ended as it should.
    Ok = 0,
    /// The client broke off within a message.
    InvalidArgument = 3,
    /// The peer has as many streams as it may.
    ResourceExhausted = 8,
    /// Not a method of this server.
    Unimplemented = 12,
}

/// What every stream of one connection shares.
#[derive(Clone, Debug)]
pub struct Service<H> {
    /// Takes the messages.
    pub handler: H,
    /// Bounds over all connections.
    pub usage: Arc<Usage>,
    /// The client's address.
    pub peer: IpAddr,
    /// Set when the collector stops: read what is in flight, then end.
    pub stopping: CancellationToken,
}

impl<H: Handler> Service<H> {
    /// Serves one request from its first frame to its answer.
    pub async fn serve(self, request: Request<Incoming>) -> Response<Answer> {
        if let Some(refusal) = refusal(&request) {
            return refusal;
        }
        let Some(_place) = self.usage.stream(self.peer) else {
            let message = "this peer has too many streams; raise limits.streamsPerPeer";
            return trailers_only(Status::ResourceExhausted, message);
        };
        match self.read(request.into_body()).await {
            Status::Ok => answer(),
            status => trailers_only(
                status,
                "the stream ended within a message, or one took longer than 30 s",
            ),
        }
    }

    async fn read(&self, mut body: impl Body<Data = Bytes> + Unpin) -> Status {
        let mut frames = GrpcFrames::new(self.usage.limits().message_bytes);
        let mut stream = H::Stream::default();
        while let Some(mut data) = self.data(&mut body).await {
            let read = self
                .messages(&mut frames, &mut data, (&mut body, &mut stream))
                .await;
            if read.is_break() {
                break;
            }
        }
        if frames.is_within_message() && !self.stopping.is_cancelled() {
            Status::InvalidArgument
        } else {
            Status::Ok
        }
    }

    /// Hands over every message in `data`, and the rest of the last one from the frames after it. Breaks when that rest does
    /// not come.
    async fn messages(
        &self,
        frames: &mut GrpcFrames,
        data: &mut Bytes,
        (body, stream): (&mut (impl Body<Data = Bytes> + Unpin), &mut H::Stream),
    ) -> ControlFlow<()> {
        let mut held = None;
        loop {
            match frames.next(data) {
                // The room is held until the message is whole, so the rest of it is read here.
                Next::NeedMore => match &held {
                    None => return ControlFlow::Continue(()),
                    Some((_, deadline)) => match timeout_at(*deadline, self.data(body)).await {
                        Ok(Some(more)) => *data = more,
                        Ok(None) | Err(_) => return ControlFlow::Break(()),
                    },
                },
                Next::NeedBuffer(bytes) => {
                    let room = self.usage.room(bytes).await;
                    held = Some((room, Instant::now() + MESSAGE_DEADLINE));
                    frames.assemble();
                }
                Next::Message(message) => {
                    self.handler.message(stream, &message).await;
                    held = None;
                }
                Next::TooLarge => self.handler.reject(Rejected::MessageTooLarge),
                Next::Compressed => self.handler.reject(Rejected::Compression),
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

/// The answer to a request that is no access-log stream.
fn refusal(request: &Request<Incoming>) -> Option<Response<Answer>> {
    let content_type = request
        .headers()
        .get(header::CONTENT_TYPE)
        .map_or(&b""[..], HeaderValue::as_bytes);
    if request.method() != Method::POST || !content_type.starts_with(b"application/grpc") {
        let mut refusal = Response::new(Answer::default());
        *refusal.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Some(refusal);
    }
    (request.uri().path() != STREAM_ACCESS_LOGS).then(|| {
        let message = "this port serves envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs only";
        trailers_only(Status::Unimplemented, message)
    })
}

fn trailers_only(status: Status, message: &'static str) -> Response<Answer> {
    let mut response = grpc(Answer::default());
    response
        .headers_mut()
        .insert("grpc-status", (status as u16).into());
    response
        .headers_mut()
        .insert("grpc-message", HeaderValue::from_static(message));
    response
}

/// An empty `StreamAccessLogsResponse` with status 0.
fn answer() -> Response<Answer> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", (Status::Ok as u16).into());
    grpc(Answer {
        message: Some(Bytes::from_static(&[0; 5])),
        trailers: Some(trailers),
    })
}

fn grpc(body: Answer) -> Response<Answer> {
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

/// A body of one message and trailers, or of nothing.
#[derive(Debug, Default)]
pub struct Answer {
    message: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let message = self.message.take().map(Frame::data);
        let frame = message.or_else(|| self.trailers.take().map(Frame::trailers));
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.message.is_none() && self.trailers.is_none()
    }
}

#[cfg(test)]
mod tests;
