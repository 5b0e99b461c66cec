//! The server's five ports.

use anyhow::Context as _;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use axum::serve::Listener;
use futures::{SinkExt as _, StreamExt as _};
use http_body_util::{BodyExt as _, Full};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite;
use tonic::service::Routes;

/// The client's proxy counts its attempts in this header.
const ATTEMPTS: &str = "x-envoy-attempt-count";

/// How many messages answer a gRPC stream.
pub(crate) const STREAMED_MESSAGES: usize = 5;
/// A gRPC message without a byte: not compressed, of length 0.
const EMPTY_MESSAGE: [u8; 5] = [0; 5];

/// Serves until the process is asked to end.
pub(crate) async fn run() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let http = listen(8080).await?;
    let resets = listen(8081).await?;
    let sockets = listen(8082).await?;
    let echo = listen(7000).await?;
    let (health, grpc) = tonic_health::server::health_reporter();
    health
        .set_service_status("", tonic_health::ServingStatus::Serving)
        .await;
    let routes = Routes::new(grpc).into_axum_router();
    let routes = routes.route("/everycall.Streams/{method}", post(stream));
    let grpc = tonic::transport::Server::builder()
        .add_routes(Routes::from(routes))
        .serve(([0, 0, 0, 0], 9090).into());
    println!("listening");
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        ended = axum::serve(http, router()).into_future() => ended.context("HTTP ended"),
        ended = grpc => ended.context("gRPC ended"),
        () = each(resets, reset) => Ok(()),
        () = each(sockets, socket) => Ok(()),
        () = each(echo, send_back) => Ok(()),
    }
}

async fn listen(port: u16) -> anyhow::Result<TcpListener> {
    let address = ([0, 0, 0, 0], port);
    TcpListener::bind(std::net::SocketAddr::from(address))
        .await
        .with_context(|| format!("port {port} can't be listened on; end what listens there"))
}

fn router() -> Router {
    Router::new()
        .route("/status/{code}", get(status))
        .route("/flaky", get(flaky))
        .route("/never", get(std::future::pending::<()>))
}

async fn status(Path(code): Path<u16>) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST)
}

async fn flaky(request: Request) -> StatusCode {
    match request.headers().get(ATTEMPTS) {
        Some(attempts) if attempts != "1" => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// A gRPC stream: takes all messages, answers with five, and then ends, by its name well or not.
async fn stream(Path(method): Path<String>, _messages: Bytes) -> Response {
    let status: [(&str, &str); 2] = match method.as_str() {
        "Ok" => [("grpc-status", "0"), ("grpc-message", "")],
        _ => [("grpc-status", "14"), ("grpc-message", "gone")],
    };
    let trailers: HeaderMap = status
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .into_iter()
        .collect();
    let messages = Full::from(EMPTY_MESSAGE.repeat(STREAMED_MESSAGES));
    let mut response = Response::new(Body::new(
        messages.with_trailers(std::future::ready(Some(Ok(trailers)))),
    ));
    let content_type = HeaderValue::from_static("application/grpc");
    response
        .headers_mut()
        .insert(axum::http::header::CONTENT_TYPE, content_type);
    response
}

/// A websocket's server: sends every text back.
async fn socket(stream: TcpStream) {
    if let Err(error) = send_texts_back(stream).await {
        eprintln!("every-call: a websocket broke: {error}");
    }
}

async fn send_texts_back(stream: TcpStream) -> Result<(), tungstenite::Error> {
    let mut socket = tokio_tungstenite::accept_async(stream).await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() {
            socket.send(message).await?;
        }
    }
    Ok(())
}

/// Handles connection after connection, all at once.
async fn each<F: Future<Output = ()> + Send + 'static>(
    mut listener: TcpListener,
    handle: fn(TcpStream) -> F,
) {
    let mut connections = JoinSet::new();
    loop {
        // axum's accept waits where the system is out of descriptors, and skips connections that are gone.
        let (stream, _) = Listener::accept(&mut listener).await;
        connections.spawn(handle(stream));
        while connections.try_join_next().is_some() {}
    }
}

/// Reads a little, so that the request was sent, and resets the connection.
async fn reset(mut stream: TcpStream) {
    let mut request = [0; 16];
    if stream.read(&mut request).await.is_ok() && stream.set_zero_linger().is_err() {
        eprintln!("every-call: a connection ends without a reset");
    }
}

async fn send_back(mut stream: TcpStream) {
    let (mut from, mut to) = stream.split();
    if let Err(error) = tokio::io::copy(&mut from, &mut to).await {
        eprintln!("every-call: a connection broke: {error}");
    }
}
