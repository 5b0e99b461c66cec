//! The external sink: a gRPC server of `tonic` that takes the messages' bytes and drops them. What the collector changes about its
//! own receiver changes nothing here, so figures of different days can be compared by it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use anyhow::Context as _;
use bytes::Buf as _;
use futures::future::BoxFuture;
use http::{Request, Response};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::Service;
use tonic::server::{ClientStreamingService, Grpc, NamedService};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Status, Streaming};

use crate::sink::{Counters, Listening, print};

/// Runs until SIGTERM and prints what it counted.
pub(crate) fn run(address: SocketAddr) -> anyhow::Result<()> {
    let sink = ExternalSink::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve(address, sink.clone()))?;
    print(&sink.counters.counted())
}

async fn serve(address: SocketAddr, sink: ExternalSink) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let socket = TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; end what listens there or give another --listen")
    })?;
    print(&Listening {
        listening: socket.local_addr()?,
    })?;
    let stopped = async move {
        terminate.recv().await;
    };
    let server = Server::builder().add_service(sink);
    Ok(server
        .serve_with_incoming_shutdown(TcpIncoming::from(socket), stopped)
        .await?)
}

#[derive(Clone, Debug, Default)]
struct ExternalSink {
    counters: Arc<Counters>,
}

impl NamedService for ExternalSink {
    const NAME: &'static str = "envoy.service.accesslog.v3.AccessLogService";
}

/// Its one method takes a stream of messages.
impl Service<Request<Body>> for ExternalSink {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let method = self.clone();
        Box::pin(async move { Ok(Grpc::new(Lengths).client_streaming(method, request).await) })
    }
}

impl ClientStreamingService<usize> for ExternalSink {
    type Response = ();
    type Future = BoxFuture<'static, Result<tonic::Response<()>, Status>>;

    fn call(&mut self, request: tonic::Request<Streaming<usize>>) -> Self::Future {
        let counters = self.counters.clone();
        Box::pin(async move {
            let mut messages = request.into_inner();
            while let Some(bytes) = messages.message().await? {
                counters.take(bytes);
            }
            Ok(tonic::Response::new(()))
        })
    }
}

/// Of a message only its length is kept; an answer is empty.
#[derive(Clone, Copy, Debug)]
struct Lengths;

impl Codec for Lengths {
    type Encode = ();
    type Decode = usize;
    type Encoder = Lengths;
    type Decoder = Lengths;

    fn encoder(&mut self) -> Lengths {
        Lengths
    }

    fn decoder(&mut self) -> Lengths {
        Lengths
    }
}

impl Encoder for Lengths {
    type Item = ();
    type Error = Status;

    fn encode(&mut self, (): (), _: &mut EncodeBuf<'_>) -> Result<(), Status> {
        Ok(())
    }
}

impl Decoder for Lengths {
    type Item = usize;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<usize>, Status> {
        let bytes = message.remaining();
        message.advance(bytes);
        Ok(Some(bytes))
    }
}
