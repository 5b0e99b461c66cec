//! The client: calls of one kind, each of which must come out as was asked.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::{Args, Subcommand};
use futures::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Endpoint;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_prost::ProstCodec;

use crate::serve::STREAMED_MESSAGES;

/// Nothing in a test takes longer.
const DEADLINE: Duration = Duration::from_secs(20);

#[derive(Debug, Subcommand)]
pub(crate) enum Call {
    /// HTTP/1.1 requests
    Get {
        /// What to get
        url: String,
        /// The Host of the request; by default that of the URL
        #[arg(long)]
        host: Option<String>,
        /// The status that must be answered
        #[arg(long, default_value_t = 200)]
        status: u16,
        #[command(flatten)]
        times: Times,
    },
    /// HTTP/1.1 requests that nobody answers in time
    GiveUp {
        /// What to get
        url: String,
        /// After how many milliseconds the client hangs up
        #[arg(long, default_value_t = 500)]
        after: u64,
        #[command(flatten)]
        times: Times,
    },
    /// gRPC health checks
    Grpc {
        /// The server, as http://HOST:PORT
        url: String,
        /// The service whose health is asked for
        #[arg(long, default_value = "")]
        service: String,
        /// The status code that must be answered
        #[arg(long, default_value_t = 0)]
        code: i32,
        #[command(flatten)]
        times: Times,
    },
    /// gRPC streams, of three messages each
    Stream {
        /// The server, as http://HOST:PORT
        url: String,
        /// The status code with which the stream must end, after five messages: 0 or 14
        #[arg(long, default_value_t = 0)]
        code: i32,
        #[command(flatten)]
        times: Times,
    },
    /// Websockets, with a few messages each
    Socket {
        /// What to open, as ws://HOST:PORT/PATH
        url: String,
        #[command(flatten)]
        times: Times,
    },
    /// TCP connections, with a line each
    Tcp {
        /// The server, as HOST:PORT
        address: String,
        /// Nothing must come back
        #[arg(long)]
        refused: bool,
        #[command(flatten)]
        times: Times,
    },
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Times {
    /// How many calls to make
    #[arg(long, default_value_t = 3)]
    times: u32,
}

/// Makes the calls and prints how many came out as asked.
pub(crate) async fn run(call: Call) -> anyhow::Result<()> {
    let (Call::Get { times, .. }
    | Call::GiveUp { times, .. }
    | Call::Grpc { times, .. }
    | Call::Stream { times, .. }
    | Call::Socket { times, .. }
    | Call::Tcp { times, .. }) = &call;
    for number in 1..=times.times {
        tokio::time::timeout(DEADLINE, once(&call))
            .await
            .unwrap_or_else(|_| anyhow::bail!("no end within {DEADLINE:?}"))
            .with_context(|| format!("call {number}"))?;
    }
    println!("{}", serde_json::json!({"calls": times.times}));
    Ok(())
}

async fn once(call: &Call) -> anyhow::Result<()> {
    match call {
        Call::Get {
            url, host, status, ..
        } => get(url, host.as_deref(), *status),
        Call::GiveUp { url, after, .. } => give_up(url, Duration::from_millis(*after)),
        Call::Grpc {
            url, service, code, ..
        } => grpc(url, service, *code).await,
        Call::Stream { url, code, .. } => stream(url, *code).await,
        Call::Socket { url, .. } => socket(url).await,
        Call::Tcp { address, refused, .. } => tcp(address, *refused).await,
    }
}

/// A connection of its own for each request, as nothing else is in this process.
fn agent(deadline: Duration) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .user_agent("every-call")
        .timeout_global(Some(deadline));
    config.build().into()
}

fn get(url: &str, host: Option<&str>, status: u16) -> anyhow::Result<()> {
    let mut request = agent(DEADLINE).get(url);
    if let Some(host) = host {
        request = request.header("host", host);
    }
    let answered = request.call()?.status().as_u16();
    ensure!(answered == status, "{url} answered {answered}, not {status}");
    Ok(())
}

fn give_up(url: &str, after: Duration) -> anyhow::Result<()> {
    match agent(after).get(url).call() {
        Err(ureq::Error::Timeout(_)) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(answer) => anyhow::bail!("{url} answered {}", answer.status()),
    }
}

async fn grpc(url: &str, service: &str, code: i32) -> anyhow::Result<()> {
    let channel = Endpoint::from_shared(url.to_owned())?.connect().await?;
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    let answered = match HealthClient::new(channel).check(request).await {
        Ok(_) => tonic::Code::Ok,
        Err(status) => status.code(),
    };
    ensure!(
        answered == tonic::Code::from_i32(code),
        "{url} answered {answered:?}, not code {code}"
    );
    Ok(())
}

async fn stream(url: &str, code: i32) -> anyhow::Result<()> {
    let channel = Endpoint::from_shared(url.to_owned())?.connect().await?;
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await?;
    let method = match code {
        0 => "/everycall.Streams/Ok",
        _ => "/everycall.Streams/Unavailable",
    };
    let requests = futures::stream::iter(vec![HealthCheckRequest::default(); 3]);
    let codec: ProstCodec<HealthCheckRequest, HealthCheckResponse> = ProstCodec::default();
    let path = PathAndQuery::from_static(method);
    let mut answers = client
        .streaming(tonic::Request::new(requests), path, codec)
        .await?
        .into_inner();
    let mut messages = 0;
    let ended = loop {
        match answers.message().await {
            Ok(Some(_)) => messages += 1,
            Ok(None) => break tonic::Code::Ok,
            Err(status) => break status.code(),
        }
    };
    ensure!(
        messages == STREAMED_MESSAGES && ended == tonic::Code::from_i32(code),
        "{url} ended with {ended:?} after {messages} messages, not with code {code} after {STREAMED_MESSAGES}"
    );
    Ok(())
}

async fn socket(url: &str) -> anyhow::Result<()> {
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await?;
    for text in ["one", "two", "three"] {
        socket.send(Message::text(text)).await?;
        let answered = socket.next().await.context("the websocket ended early")??;
        ensure!(answered == Message::text(text), "{url} sent back {answered}");
    }
    socket.close(None).await?;
    while let Some(Ok(_)) = socket.next().await {}
    Ok(())
}

async fn tcp(address: &str, refused: bool) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"a line\n").await?;
    let mut answered = Vec::new();
    if refused {
        // Whoever refuses may reset, and might not look at a connection that has ended.
        drop(stream.read_to_end(&mut answered).await);
        ensure!(answered.is_empty(), "{address} sent back {answered:?}");
        return Ok(());
    }
    stream.shutdown().await?;
    stream.read_to_end(&mut answered).await?;
    ensure!(answered == b"a line\n", "{address} sent back {answered:?}");
    Ok(())
}
