//! Streams that are answered with an error are counted by the reason.

use alscope_collector::receive::answer::Refusal;
use bytes::Bytes;
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rstest::rstest;
use tokio::task::JoinSet;
use tonic::Code;

use crate::bad_streams::whole;
use crate::limits::begun_stream;
use crate::methods::V3;
use crate::running::*;

const METRICS: &str = "/envoy.service.metrics.v3.MetricsService/StreamMetrics";

fn refused(reason: Refusal) -> String {
    format!("alscope_streams_refused_total{{reason=\"{}\"}}", reason.as_str())
}

#[tokio::test]
async fn a_stream_beyond_those_of_its_peer_is_counted_and_one_that_ends_leaves_its_place() {
    let collector = Collector::with("limits: { streamsPerPeer: 1 }").await;
    let client = collector.client().await;
    let (first, mut running) = begun_stream(&collector, &client).await;

    let too_many = refused(Refusal::TooManyStreams);
    for count in [1.0, 2.0] {
        let messages = futures::stream::iter(vec![first_message(vec![entry("10.0.0.2"); 10])]);
        let status = client.clone().stream_access_logs(messages).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(
            status.message().contains("raise limits.streamsPerPeer"),
            "{status:?}"
        );
        collector.until_sample(&too_many, count).await;
    }

    drop(first);
    running.join_next().await.unwrap().unwrap().unwrap();
    let messages = futures::stream::iter(vec![first_message(vec![entry("10.0.0.2"); 100])]);
    client.clone().stream_access_logs(messages).await.unwrap();
    collector
        .until_sample("alscope_entries_received_total", 101.0)
        .await;
    assert_eq!(collector.sample(&too_many).await, 2.0);
    collector.stop().await;
}

/// Sends one request with this content type, path and body. The answer need not be gRPC.
async fn request(
    collector: &Collector,
    (content_type, encoding): (&str, &str),
    path: &str,
    body: Vec<u8>,
) -> Option<String> {
    let socket = tokio::net::TcpStream::connect(collector.grpc).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket))
            .await
            .unwrap();
    let mut running = JoinSet::new();
    running.spawn(async move { connection.await.is_ok() });
    let request = http::Request::post(format!("http://{}{path}", collector.grpc))
        .header("content-type", content_type)
        .header("grpc-encoding", encoding)
        .body(Full::new(Bytes::from(body)))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    let status = response.headers().get("grpc-status")?;
    Some(status.to_str().unwrap().to_owned())
}

#[rstest]
#[case::not_grpc(("application/json", "identity"), V3, Refusal::NotGrpc, "12")]
#[case::unknown_method(("application/grpc", "identity"), "/envoy.service.accesslog.v4.X/Y", Refusal::UnknownMethod, "12")]
#[case::metrics(("application/grpc", "identity"), METRICS, Refusal::Metrics, "12")]
#[case::encoding(("application/grpc", "deflate"), V3, Refusal::Encoding, "12")]
#[case::within_message(("application/grpc", "identity"), V3, Refusal::WithinMessage, "3")]
#[tokio::test]
async fn a_stream_that_is_answered_with_an_error_is_counted_by_its_reason_alone(
    #[case] of: (&str, &str),
    #[case] path: &str,
    #[case] reason: Refusal,
    #[case] status: &str,
) {
    let collector = Collector::with("acceptMetricsService: false").await;
    // Good streams are not counted as refused.
    collector
        .stream(vec![first_message(vec![entry("10.0.0.2")])])
        .await;
    let (whole, cut) = (whole(1), 20);
    let body = [&whole[..], &whole[..cut]].concat();
    let answered = request(&collector, of, path, body).await;
    assert_eq!(answered.as_deref(), Some(status));
    collector.until_sample(&refused(reason), 1.0).await;
    for other in Refusal::ALL.into_iter().filter(|other| *other != reason) {
        assert_eq!(collector.sample(&refused(other)).await, 0.0, "{}", other.as_str());
    }
    collector.stop().await;
}
