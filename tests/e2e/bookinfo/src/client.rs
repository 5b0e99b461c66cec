//! Calls of other services: HTTP/1.1 over kept connections, and one TCP connection a call.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

const DEADLINE: Duration = Duration::from_secs(10);
const LARGEST_ANSWER: usize = 64 * 1024;

/// Where calls start from.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Origin {
    /// Local address of every connection to another service; by default the system's choice
    #[arg(long, env = "BOOKINFO_SOURCE_ADDRESS", value_name = "IP")]
    pub(crate) source_address: Option<IpAddr>,
    /// Send every HTTP request to this address, with the Host of the service that is meant
    #[arg(long, env = "BOOKINFO_PROXY", value_name = "URL")]
    proxy: Option<Endpoint>,
}

/// The address of an HTTP service: `http://HOST[:PORT]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint(Authority);

/// The text is not the address of an HTTP service.
#[derive(Debug, thiserror::Error)]
#[error("an address is http://HOST[:PORT] without a path; write for example http://details:9080")]
pub(crate) struct NotAnEndpoint;

impl FromStr for Endpoint {
    type Err = NotAnEndpoint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.parse::<Uri>().map_err(|_| NotAnEndpoint)?.into_parts();
        let no_path = parts.path_and_query.is_none_or(|path| path == "/");
        match (parts.scheme, parts.authority) {
            (Some(scheme), Some(authority)) if scheme == Scheme::HTTP && no_path => Ok(Self(authority)),
            _ => Err(NotAnEndpoint),
        }
    }
}

/// Why a call got no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("the path cannot be part of a request; check it for characters that a URL does not allow")]
    Path(#[source] http::Error),
    #[error("the Host is not a header value; check the address for characters that a header does not allow")]
    Host(#[source] header::InvalidHeaderValue),
    #[error("nobody answered; check that the address is right and that the service runs")]
    Http(#[source] legacy::Error),
    #[error("the answer ended early or is longer than 64 KiB; check the log of the service")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("no answer within 10 s; check the log of the service")]
    Deadline,
    #[error("the TCP service did not answer; check that the address is right and that the service runs")]
    Tcp(#[source] std::io::Error),
    #[error("the TCP service sent back something else; check that the address is one of `bookinfo tcp`")]
    Echo,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

/// A client with its pool of connections; clones share the pool.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pool: legacy::Client<HttpConnector, Empty<Bytes>>,
    proxy: Option<Endpoint>,
}

impl Client {
    pub(crate) fn new(origin: &Origin) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_local_address(origin.source_address);
        let pool = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            // A request that is sent a second time would be a call that the fan-out does not know.
            .retry_canceled_requests(false)
            .build(connector);
        Self {
            pool,
            proxy: origin.proxy.clone(),
        }
    }

    /// Sends `GET path` to the endpoint or, with the endpoint as Host, to the proxy.
    pub(crate) async fn get(
        &self,
        to: &Endpoint,
        path: &str,
        mut headers: HeaderMap,
    ) -> Result<Answer, CallError> {
        if !headers.contains_key(header::HOST) {
            let host = HeaderValue::from_str(to.0.as_str()).map_err(CallError::Host)?;
            headers.insert(header::HOST, host);
        }
        let Endpoint(connect_to) = self.proxy.as_ref().unwrap_or(to);
        let uri = Uri::builder()
            .scheme(Scheme::HTTP)
            .authority(connect_to.clone())
            .path_and_query(path);
        let mut request = Request::get(uri.build().map_err(CallError::Path)?)
            .body(Empty::new())
            .map_err(CallError::Path)?;
        *request.headers_mut() = headers;
        tokio::time::timeout(DEADLINE, self.answer_to(request))
            .await
            .map_err(|_| CallError::Deadline)?
    }

    async fn answer_to(&self, request: Request<Empty<Bytes>>) -> Result<Answer, CallError> {
        let (head, body) = self
            .pool
            .request(request)
            .await
            .map_err(CallError::Http)?
            .into_parts();
        let body = Limited::new(body, LARGEST_ANSWER)
            .collect()
            .await
            .map_err(CallError::Body)?;
        Ok(Answer {
            status: head.status,
            body: body.to_bytes(),
        })
    }
}

/// Opens one connection to a `bookinfo tcp` service, sends a line, reads it back and closes the connection.
pub(crate) async fn echo(address: &str, source: Option<IpAddr>, line: &str) -> Result<(), CallError> {
    tokio::time::timeout(DEADLINE, exchange(address, source, line))
        .await
        .map_err(|_| CallError::Deadline)?
}

async fn exchange(address: &str, source: Option<IpAddr>, line: &str) -> Result<(), CallError> {
    let mut stream = connect(address, source).await.map_err(CallError::Tcp)?;
    stream.write_all(line.as_bytes()).await.map_err(CallError::Tcp)?;
    stream.shutdown().await.map_err(CallError::Tcp)?;
    let mut echoed = Vec::new();
    stream
        .take(line.len() as u64 + 1)
        .read_to_end(&mut echoed)
        .await
        .map_err(CallError::Tcp)?;
    if echoed == line.as_bytes() {
        Ok(())
    } else {
        Err(CallError::Echo)
    }
}

async fn connect(address: &str, source: Option<IpAddr>) -> std::io::Result<TcpStream> {
    let Some(source) = source else {
        return TcpStream::connect(address).await;
    };
    let remote = tokio::net::lookup_host(address)
        .await?
        .find(|remote| remote.is_ipv4() == source.is_ipv4())
        .ok_or(std::io::ErrorKind::AddrNotAvailable)?;
    let socket = if source.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    socket.bind(SocketAddr::new(source, 0))?;
    socket.connect(remote).await
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::with_port("http://details:9080", "details:9080")]
    #[case::without_port("http://127.0.0.1", "127.0.0.1")]
    #[case::with_slash("http://details:9080/", "details:9080")]
    fn an_endpoint_is_scheme_and_authority(#[case] text: &str, #[case] authority: &str) {
        assert_eq!(text.parse::<Endpoint>().unwrap().0, authority);
    }

    #[rstest]
    #[case::no_scheme("details:9080")]
    #[case::tls("https://details:9080")]
    #[case::path("http://details:9080/details")]
    #[case::empty("")]
    fn anything_else_is_refused(#[case] text: &str) {
        assert!(text.parse::<Endpoint>().is_err());
    }
}
