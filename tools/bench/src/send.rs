//! Sends streams of encoded messages, each connection as many, as fast as they are taken or at a pace.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::ops::AddAssign;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use alscope_collector::clock;
use alscope_load::streams::{Framed, Stream};
use alscope_load::traffic::Tally;
use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use futures::future::try_join_all;
use http::{HeaderValue, Request, Response, header};
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, Interval, interval_at, timeout};

use crate::scenario::Pace;

const STREAM_ACCESS_LOGS: &str = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs";

/// How much is sent.
#[derive(Clone, Debug)]
pub(crate) enum Length {
    /// Each message once.
    Once,
    /// Until this is set.
    Until(Arc<AtomicBool>),
}

/// What was sent and answered for, as the sender counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) messages: u64,
    pub(crate) entries: u64,
    /// Bytes of the messages without their frames.
    pub(crate) bytes: u64,
}

impl AddAssign for Sent {
    fn add_assign(&mut self, more: Sent) {
        self.messages += more.messages;
        self.entries += more.entries;
        self.bytes += more.bytes;
    }
}

/// Where and how streams are sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sender<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) streams: &'a [Arc<Stream>],
    pub(crate) connections: usize,
}

impl Sender<'_> {
    /// Sends all streams at once and returns when the receiver has answered each, at the latest after `deadline`. Adds their calls
    /// to the tally.
    pub(crate) async fn send(
        self,
        (pace, length): (Pace, &Length),
        tally: &mut Tally,
        deadline: Duration,
    ) -> anyhow::Result<Sent> {
        let address = self.address;
        let mut connections = JoinSet::new();
        for connection in 0..self.connections {
            let streams = self.streams.iter().enumerate();
            let streams = streams.skip(connection).step_by(self.connections);
            // Proxies that send once a second do not all send at once.
            let phase = |place: usize| place as f64 / self.streams.len() as f64;
            let streams: Vec<_> = streams
                .map(|(place, stream)| Replay::new(stream.clone(), length.clone(), (pace, phase(place))))
                .collect();
            connections.spawn(one_connection(address, streams));
        }
        let all = async {
            let mut sent = Sent::default();
            while let Some(one) = connections.join_next().await {
                for (stream, of_stream) in one?? {
                    stream.add_to(tally, of_stream.messages);
                    sent += of_stream;
                }
            }
            anyhow::Ok(sent)
        };
        timeout(deadline, all).await.with_context(|| {
            let seconds = deadline.as_secs();
            format!("{address} did not answer within {seconds} s; measure again on an idle machine")
        })?
    }
}

async fn one_connection(
    address: SocketAddr,
    streams: Vec<Replay>,
) -> anyhow::Result<Vec<(Arc<Stream>, Sent)>> {
    let connection = TcpStream::connect(address)
        .await
        .with_context(|| format!("{address} accepts no connection"))?;
    connection.set_nodelay(true)?;
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(connection)).await?;
    let streams = streams
        .into_iter()
        .map(|stream| one_stream(address, sender.clone(), stream));
    tokio::select! {
        answers = try_join_all(streams) => answers,
        ended = connection => {
            ended.with_context(|| format!("the connection to {address} broke"))?;
            bail!("{address} ended a connection before it answered");
        }
    }
}

async fn one_stream(
    address: SocketAddr,
    mut sender: SendRequest<Replay>,
    body: Replay,
) -> anyhow::Result<(Arc<Stream>, Sent)> {
    let (stream, sent) = (body.stream.clone(), body.sent.clone());
    let answer = async { read_answer(sender.send_request(request(address, body)?).await?).await };
    answer
        .await
        .with_context(|| format!("{address} refused a stream"))?;
    let sent = *sent.lock();
    Ok((stream, sent))
}

fn request(address: SocketAddr, body: Replay) -> http::Result<Request<Replay>> {
    Request::post(format!("http://{address}{STREAM_ACCESS_LOGS}"))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .body(body)
}

/// A stream whose messages were all taken is answered with status 0.
async fn read_answer(response: Response<Incoming>) -> anyhow::Result<()> {
    let (parts, body) = response.into_parts();
    let collected = body.collect().await?;
    let trailers = collected.trailers().unwrap_or(&parts.headers);
    let status = trailers.get("grpc-status").map(HeaderValue::as_bytes);
    ensure!(
        status == Some(b"0"),
        "HTTP status {}, gRPC headers {trailers:?}",
        parts.status
    );
    Ok(())
}

/// A stream's messages as a request's body, each in a frame of its own.
#[derive(Debug)]
struct Replay {
    stream: Arc<Stream>,
    next: usize,
    length: Length,
    pause: Option<Interval>,
    sent: Arc<Mutex<Sent>>,
}

impl Replay {
    /// `phase` is the share of the first pause that has passed.
    fn new(stream: Arc<Stream>, length: Length, (pace, phase): (Pace, f64)) -> Self {
        let pause = match pace {
            Pace::Saturated => None,
            Pace::Every(period) => Some(interval_at(Instant::now() + period.mul_f64(phase), period)),
        };
        Replay {
            stream,
            next: 0,
            length,
            pause,
            sent: Arc::default(),
        }
    }

    /// The first message, then the others over and over.
    fn message(&self) -> Option<&Framed> {
        let rest = &self.stream.rest;
        let Some(place) = self.next.checked_sub(1) else {
            return Some(&self.stream.first);
        };
        match &self.length {
            Length::Once => rest.get(place),
            Length::Until(end) if end.load(Ordering::Relaxed) => None,
            Length::Until(_) => rest.get(place % rest.len().max(1)),
        }
    }
}

impl Body for Replay {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.poll_tick(context));
        }
        let Some(message) = self.message() else {
            return Poll::Ready(None);
        };
        let data = message.sent_at(clock::now());
        *self.sent.lock() += Sent {
            messages: 1,
            entries: message.entries() as u64,
            bytes: message.message_bytes(),
        };
        self.next += 1;
        Poll::Ready(Some(Ok(Frame::data(data))))
    }
}
