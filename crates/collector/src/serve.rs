//! Serves a router over HTTP/1.1, with bounds for the number of connections, the time of a request and
//! the age of a connection.
//!
//! A new connection is served at once. If all places are taken, the address with the most connections loses
//! its oldest one, so no client can keep a probe or a scrape out. No connection outlives its bound,
//! whatever its client sends or reads, or does not.

pub mod connections;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_ENCODING, ETAG, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, Response};
use axum::{Router, middleware};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tracing::debug;

use connections::{ConnectionSlot, Connections, CutReason};

/// How long the head of a request may take to arrive, and how long a connection may
/// wait for its next request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// The age after which a connection is closed once its current response is finished.
const MAX_CONNECTION_AGE: Duration = Duration::from_secs(30);
/// How long that response may take.
const LAST_RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long responses may take to finish when the collector ends.
const END_TIMEOUT: Duration = Duration::from_secs(2);
/// How many bytes a connection reads ahead, and how many it holds to be written.
const BUFFER_BYTES: usize = 64 * 1024;
/// How long to wait when the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The local address of a request's connection. It is one of the request's extensions.
#[derive(Clone, Copy, Debug)]
pub struct Local(pub SocketAddr);

/// Serves `router` until `stopping`, then waits for the responses that are under way.
pub async fn serve(
    socket: TcpListener,
    router: Router,
    connections: Arc<Connections>,
    stopping: CancellationToken,
) {
    // The lowest level shrinks a large exposition to less than a thirtieth of its size; the usual level takes
    // twice the time.
    let compression = CompressionLayer::new().quality(CompressionLevel::Fastest);
    let router = router
        .layer(compression)
        .layer(middleware::map_response(with_common_headers));
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stopping.cancelled() => break,
            Some(_) = tasks.join_next() => {}
            accepted = socket.accept() => match accepted {
                Ok((connection, peer)) => {
                    let place = connections.place(peer.ip().to_canonical());
                    tasks.spawn(serve_one(connection, router.clone(), place, stopping.clone()));
                }
                Err(error) => {
                    debug!(%error, "cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(socket);
    drop(timeout(END_TIMEOUT, tasks.join_all()).await);
}

/// Serves one connection until its client ends it, it is too old, the collector ends, or
/// another connection needs its place.
async fn serve_one(
    connection: TcpStream,
    router: Router,
    place: ConnectionSlot,
    stopping: CancellationToken,
) {
    let Ok(local) = connection.local_addr() else {
        return;
    };
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Local(local));
        router.clone().oneshot(request)
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(BUFFER_BYTES);
    let mut served = Box::pin(builder.serve_connection(TokioIo::new(connection), service));
    let asked_to_end = async {
        tokio::select! {
            () = stopping.cancelled() => {}
            () = sleep(MAX_CONNECTION_AGE) => {}
        }
    };
    let ended = async {
        tokio::select! {
            ended = served.as_mut() => return Some(ended),
            () = asked_to_end => {}
        }
        served.as_mut().graceful_shutdown();
        timeout(LAST_RESPONSE_TIMEOUT, served.as_mut()).await.ok()
    };
    tokio::select! {
        ended = ended => match ended {
            Some(Ok(())) => {}
            Some(Err(error)) => debug!(%error, "connection ended"),
            None => place.count(CutReason::TooSlow),
        },
        () = place.is_needed() => place.count(CutReason::TooMany),
    }
}

/// Adds the headers that every answer has: browsers must not guess its type, and caches must not keep it
/// unless its route says so.
async fn with_common_headers(mut response: Response<Body>) -> Result<Response<Body>, Infallible> {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    // The compressed body is another representation, so a strong tag must become a weak one (RFC 9110,
    // 8.8.1).
    if headers.contains_key(CONTENT_ENCODING)
        && let Some(tag) = headers.get(ETAG)
        && !tag.as_bytes().starts_with(b"W/")
        && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat())
    {
        headers.insert(ETAG, weak);
    }
    Ok(response)
}

#[cfg(test)]
mod tests;
