//! A bad client costs no other client anything.

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;

use crate::methods::V3;
use crate::running::*;

/// Sends bytes as one gRPC request. Returns its `grpc-status`.
async fn send(collector: &Collector, path: &str, body: Vec<u8>) -> String {
    send_encoded(collector, path, body, None).await.0
}

/// Sends the same with a `grpc-encoding`. Returns the headers, too.
pub(crate) async fn send_encoded(
    collector: &Collector,
    path: &str,
    body: Vec<u8>,
    encoding: Option<&str>,
) -> (String, HeaderMap) {
    let socket = tokio::net::TcpStream::connect(collector.grpc).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket))
            .await
            .unwrap();
    let mut running = tokio::task::JoinSet::new();
    running.spawn(async move { connection.await.is_ok() });
    let mut request = http::Request::post(format!("http://{}{path}", collector.grpc))
        .header("content-type", "application/grpc");
    if let Some(encoding) = encoding {
        request = request.header("grpc-encoding", encoding);
    }
    let request = request.body(Full::new(Bytes::from(body))).unwrap();
    let response = sender.send_request(request).await.unwrap();
    let headers = response.headers().clone();
    let body = response.into_body().collect().await.unwrap();
    let trailer = body
        .trailers()
        .and_then(|trailers| trailers.get("grpc-status").cloned());
    let status = headers.get("grpc-status").cloned().or(trailer).unwrap();
    (status.to_str().unwrap().to_owned(), headers)
}

pub(crate) fn framed(flags: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[flags][..], &length, message].concat()
}

/// Returns a stream's first message, with this many entries.
pub(crate) fn whole(entries: usize) -> Vec<u8> {
    framed(
        0,
        &first_message(vec![entry("10.0.0.2"); entries]).encode_to_vec(),
    )
}

/// Sends `bad` between two good messages of a stream, and checks that both are counted.
async fn between_good_messages(collector: &Collector, bad: &[u8]) {
    let first = whole(1);
    let last = framed(0, &message(vec![entry("10.0.0.2")]).encode_to_vec());
    let status = send(collector, V3, [&first, bad, &last].concat()).await;
    assert_eq!(status, "0");
    collector
        .until_sample("alscope_entries_observed_total", 2.0)
        .await;
}

#[tokio::test]
async fn garbage_is_a_rejected_message() {
    let collector = Collector::start().await;
    between_good_messages(&collector, &framed(0, &[0xff; 100])).await;
    collector
        .until_sample(
            "alscope_messages_rejected_total{reason=\"malformed-message\"}",
            1.0,
        )
        .await;
    collector.stop().await;
}

#[tokio::test]
async fn a_truncated_message_is_rejected() {
    let collector = Collector::start().await;
    let whole = message(vec![entry("10.0.0.2")]).encode_to_vec();
    between_good_messages(&collector, &framed(0, &whole[..whole.len() - 7])).await;
    collector
        .until_sample(
            "alscope_messages_rejected_total{reason=\"malformed-message\"}",
            1.0,
        )
        .await;
    collector.stop().await;
}

#[tokio::test]
async fn a_message_above_the_limit_is_rejected() {
    let collector = Collector::with("limits: { messageBytes: 2000 }").await;
    between_good_messages(&collector, &framed(0, &[0; 70_000])).await;
    collector
        .until_sample(
            "alscope_messages_rejected_total{reason=\"message-too-large\"}",
            1.0,
        )
        .await;
    collector.stop().await;
}

#[tokio::test]
async fn a_compressed_message_without_an_encoding_is_rejected() {
    let collector = Collector::start().await;
    between_good_messages(&collector, &framed(1, b"zipped")).await;
    collector
        .until_sample("alscope_messages_rejected_total{reason=\"compression\"}", 1.0)
        .await;
    collector.stop().await;
}

#[tokio::test]
async fn entries_without_or_with_bad_addresses_are_named() {
    let collector = Collector::start().await;
    let mut without = entry("10.0.0.2");
    let common = without.common_properties.as_mut().unwrap();
    common.downstream_remote_address = None;
    common.downstream_local_address = None;
    common.upstream_remote_address = None;
    common.upstream_cluster.clear();
    let entries = message(vec![without, entry("ten.zero.zero.two")]).encode_to_vec();
    between_good_messages(&collector, &framed(0, &entries)).await;
    collector
        .until_sample("alscope_entries_received_total", 4.0)
        .await;
    collector
        .until_sample("alscope_entries_skipped_total{reason=\"no-address\"}", 1.0)
        .await;
    collector
        .until_sample("alscope_entries_rejected_total{reason=\"bad-address\"}", 1.0)
        .await;
    collector.stop().await;
}

#[tokio::test]
async fn a_stream_that_ends_within_a_message_is_an_invalid_argument() {
    let collector = Collector::start().await;
    assert_eq!(send(&collector, V3, whole(1)[..40].to_vec()).await, "3");
    collector.stop().await;
}

#[tokio::test]
async fn a_client_that_speaks_no_http2_hurts_nobody() {
    use tokio::io::AsyncWriteExt;
    let collector = Collector::start().await;
    let mut socket = tokio::net::TcpStream::connect(collector.grpc).await.unwrap();
    socket.write_all(&[0x16; 4096]).await.unwrap();
    between_good_messages(&collector, &[]).await;
    collector.stop().await;
}
