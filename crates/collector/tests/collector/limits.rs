//! Each limit, reached by a real client. The limits of a message's size are among the bad streams and the
//! encodings.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use als_proto::messages::envoy::service::accesslog::v3::access_log_service_client::AccessLogServiceClient;
use als_proto::messages::envoy::service::accesslog::v3::{StreamAccessLogsMessage, StreamAccessLogsResponse};
use alscope_collector::receive::worker::{FRAME_BYTES, WINDOW_BYTES};
use bytes::Bytes;
use futures::stream::unfold;
use http_body::Frame;
use http_body_util::StreamBody;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tonic::transport::Channel;
use tonic::{Response, Status};

use crate::bad_streams::{framed, whole};
use crate::methods::V3;
use crate::raw_client::RawClient;
use crate::running::*;

pub(crate) type Messages = mpsc::Sender<StreamAccessLogsMessage>;

type Answer = Result<Response<StreamAccessLogsResponse>, Status>;

pub(crate) fn open_stream() -> (
    Messages,
    impl futures::Stream<Item = StreamAccessLogsMessage> + Send + 'static,
) {
    let (sender, receiver) = mpsc::channel(1);
    let stream = unfold(receiver, async |mut receiver| {
        Some((receiver.recv().await?, receiver))
    });
    (sender, Box::pin(stream))
}

/// Opens a stream and waits until one entry of it is received. Returns the sender of its messages, and its
/// answer.
pub(crate) async fn begun_stream(
    collector: &Collector,
    client: &AccessLogServiceClient<Channel>,
) -> (Messages, JoinSet<Answer>) {
    let (messages, stream) = open_stream();
    let mut client = client.clone();
    let mut running = JoinSet::new();
    running.spawn(async move { client.stream_access_logs(stream).await });
    messages
        .send(first_message(vec![entry("10.0.0.2")]))
        .await
        .unwrap();
    collector
        .until_sample("alscope_entries_received_total", 1.0)
        .await;
    (messages, running)
}

#[tokio::test]
async fn entries_behind_the_limit_of_their_message_are_rejected() {
    let collector = Collector::with("limits: { entriesPerMessage: 3 }").await;
    let messages = vec![
        first_message(vec![entry("10.0.0.2"); 5]),
        message(vec![entry("10.0.0.2"); 3]),
    ];
    collector.stream(messages).await;
    collector
        .until_sample("alscope_entries_received_total", 8.0)
        .await;
    let rejected = "alscope_entries_rejected_total{reason=\"too-many-entries\"}";
    collector.until_sample(rejected, 2.0).await;
    collector
        .until_sample("alscope_entries_observed_total", 6.0)
        .await;
    collector.stop().await;
}

#[tokio::test]
async fn an_entry_with_a_string_that_is_too_long_is_rejected_alone() {
    let collector = Collector::with("limits: { stringBytes: 60 }").await;
    let of_cluster = |bytes: usize| {
        let mut entry = entry("10.0.0.2");
        let common = entry.common_properties.as_mut().unwrap();
        common.upstream_cluster = format!("outbound|9080||{:a<width$}", "", width = bytes - 15);
        entry
    };
    let messages = vec![first_message(vec![
        of_cluster(60),
        of_cluster(61),
        of_cluster(60),
    ])];
    collector.stream(messages).await;
    collector
        .until_sample("alscope_entries_received_total", 3.0)
        .await;
    let rejected = "alscope_entries_rejected_total{reason=\"string-too-long\"}";
    collector.until_sample(rejected, 1.0).await;
    collector
        .until_sample("alscope_entries_observed_total", 2.0)
        .await;
    collector.stop().await;
}

#[tokio::test]
async fn a_connection_with_all_its_streams_open_holds_the_next_one_back() {
    let collector = Collector::with("limits: { streamsPerConnection: 1 }").await;
    let client = collector.client().await;
    let (first, mut running) = begun_stream(&collector, &client).await;

    let mut of_second = client.clone();
    let messages = futures::stream::iter(vec![first_message(vec![entry("10.0.0.2"); 10])]);
    let mut second = pin!(of_second.stream_access_logs(messages));
    assert!(futures::poll!(&mut second).is_pending());
    // The connection goes on meanwhile, so the second stream had its chance.
    for _ in 0..2 {
        first.send(message(vec![entry("10.0.0.2")])).await.unwrap();
    }
    until_with(&collector, &mut second, 3.0).await;
    collector.until_sample("alscope_streams", 1.0).await;

    drop(first);
    running.join_next().await.unwrap().unwrap().unwrap();
    second.await.unwrap();
    collector
        .until_sample("alscope_entries_received_total", 13.0)
        .await;
    collector.stop().await;
}

/// Waits until this many entries are received. `pending` may run meanwhile but must not end.
async fn until_with(collector: &Collector, pending: &mut (impl Future + Unpin), received: f64) {
    let mut until = pin!(collector.until_sample("alscope_entries_received_total", received));
    std::future::poll_fn(|context| {
        assert!(std::pin::Pin::new(&mut *pending).poll(context).is_pending());
        match until.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => Poll::Pending,
        }
    })
    .await;
}

/// Opens a request whose body is sent through the returned channel. A refusal must have this status.
async fn raw_stream(
    collector: &Collector,
    running: &mut JoinSet<()>,
    refused: Option<&'static str>,
) -> mpsc::Sender<Vec<u8>> {
    let socket = tokio::net::TcpStream::connect(collector.grpc).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket))
            .await
            .unwrap();
    running.spawn(async move { connection.await.unwrap() });
    let (bytes, receiver) = mpsc::channel::<Vec<u8>>(1);
    let frames = unfold(receiver, async |mut receiver| {
        let bytes = Bytes::from(receiver.recv().await?);
        Some((Ok::<_, Infallible>(Frame::data(bytes)), receiver))
    });
    let request = http::Request::post(format!("http://{}{V3}", collector.grpc))
        .header("content-type", "application/grpc")
        .body(StreamBody::new(Box::pin(frames)))
        .unwrap();
    running.spawn(async move {
        let response = sender.send_request(request).await.unwrap();
        let status = response.headers().get("grpc-status");
        assert_eq!(status.and_then(|status| status.to_str().ok()), refused);
    });
    bytes
}

#[tokio::test]
async fn when_the_room_is_taken_whole_messages_pass_and_a_stalled_one_gives_way_to_one_that_goes_on() {
    let collector = Collector::with("limits: { messageBytes: 4000, bufferedBytes: 4000 }").await;
    let (many, more) = (whole(10), whole(20));
    let mut running = JoinSet::new();
    let stalled = raw_stream(&collector, &mut running, Some("8")).await;
    // Once the entry is counted, the bytes that came with it have their room.
    stalled.send([&whole(1), &many[..1000]].concat()).await.unwrap();
    collector
        .until_sample("alscope_entries_received_total", 1.0)
        .await;

    let third = raw_stream(&collector, &mut running, None).await;
    third.send(whole(1)).await.unwrap();
    collector
        .until_sample("alscope_entries_received_total", 2.0)
        .await;
    collector.until_sample("alscope_streams", 2.0).await;

    let second = raw_stream(&collector, &mut running, None).await;
    second.send(more[..1500].to_vec()).await.unwrap();
    second.send(more[1500..].to_vec()).await.unwrap();
    collector
        .until_sample("alscope_entries_received_total", 22.0)
        .await;
    let rejected = "alscope_messages_rejected_total{reason=\"no-room\"}";
    collector.until_sample(rejected, 1.0).await;
    let refused = "alscope_streams_refused_total{reason=\"no-room\"}";
    collector.until_sample(refused, 1.0).await;
    drop((stalled, second, third));
    running.join_all().await;
    collector.stop().await;
}

#[tokio::test]
async fn streams_of_one_connection_that_wait_for_room_do_not_block_it() {
    let collector = Collector::with("limits: { messageBytes: 100000, bufferedBytes: 100000 }").await;
    let (one, many, large) = (whole(1), whole(10), framed(0, &[0; 99_000]));
    let address = collector.grpc;
    let sending = tokio::task::spawn_blocking(move || {
        let mut client = RawClient::connect(address);
        let [first, second, third, last] = [(); 4].map(|()| client.open_stream());
        client.send(first, &[&one, &many[..1000]].concat());
        client.until_read();
        // Together they are more than the connection's window, and neither ends its message.
        assert!(2 * large.len() > (WINDOW_BYTES + 2 * FRAME_BYTES) as usize);
        for stream in [second, third] {
            client.send(stream, &large[..large.len() - 1]);
        }
        client.send(last, &one);
        client.until_read();
        client
    });
    let client = sending.await.unwrap();
    collector
        .until_sample("alscope_entries_received_total", 2.0)
        .await;
    let rejected = "alscope_messages_rejected_total{reason=\"no-room\"}";
    let is_refused = async |collector: &Collector| collector.sample(rejected).await >= 1.0;
    collector.until("a refusal", is_refused).await;
    drop(client);
    collector.stop().await;
}
