//! Serves a router over HTTP/1.1, within bounds: of connections, of a request's time and of a connection's age.
//!
//! Whoever connects is served at once: where all places are taken, the address with the most connections loses its oldest one, so
//! nobody keeps a probe or a scrape out. No connection outlives its bound, whatever its client sends or reads, or does not.

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

/// How long a request's head may take to come, and how long a connection may wait for its next request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How old a connection becomes before it is closed after the response that it is at.
const MAX_CONNECTION_AGE: Duration = Duration::from_secs(30);
/// How long that response may take.
const LAST_RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long responses may take to be finished at the end.
const END_TIMEOUT: Duration = Duration::from_secs(2);
/// Bytes that a connection reads ahead or holds to be written.
const BUFFER_BYTES: usize = 64 * 1024;
/// How long to wait when the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The address of this side of a request's connection, among its extensions.
#[derive(Clone, Copy, Debug)]
pub struct Local(pub SocketAddr);

/// Serves `router` until `stopping`, then lets responses be finished.
pub async fn serve(
    socket: TcpListener,
    router: Router,
    connections: Arc<Connections>,
    stopping: CancellationToken,
) {
    // The lowest level makes less than a thirtieth of a large exposition; the usual one takes twice the time.
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
                    debug!(%error, "a connection could not be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(socket);
    drop(timeout(END_TIMEOUT, tasks.join_all()).await);
}

/// Serves one connection until its client, its age, the end or somebody who needs its place ends it.
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

/// What every answer has: no content is guessed, and nothing is kept by who stands between unless its route says so.
async fn with_common_headers(mut response: Response<Body>) -> Result<Response<Body>, Infallible> {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    // What is compressed is another representation, equal in meaning only (RFC 9110, 8.8.1).
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
