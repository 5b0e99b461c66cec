use std::io::Write as _;
use std::net::Ipv4Addr;
use std::sync::Mutex;

use alscope_collector_config::Limits;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::{FutureExt, StreamExt, future};
use http::Method as HttpMethod;
use http_body::Frame;
use http_body_util::StreamBody;
use rstest::rstest;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::receive::arrival::{Arrivals, PLACES};
use crate::receive::room::{MESSAGE_DEADLINE, PATIENCE};

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
enum Read {
    /// It was handed over, with this length.
    Message(usize),
    Rejected(Rejected),
}

/// Remembers what became of the messages; takes no metrics.
#[derive(Clone, Default)]
struct Reads(Arc<Mutex<Vec<Read>>>);

impl Handler for Reads {
    type Stream = ();

    fn begin(&self, method: Method) -> Option<()> {
        (method != Method::Metrics).then_some(())
    }

    async fn message(&self, (): &mut (), message: &[u8]) {
        self.0.lock().unwrap().push(Read::Message(message.len()));
    }

    fn reject(&self, (): &mut (), reason: Rejected) {
        self.0.lock().unwrap().push(Read::Rejected(reason));
    }
}

fn service(limits: Limits) -> Service<Reads> {
    Service {
        handler: Reads::default(),
        usage: Usage::new(limits),
        unfinished: Arc::default(),
        spare: Arc::default(),
        peer: Ipv4Addr::LOCALHOST.into(),
        arrival: Arc::default(),
        ending: Ending::new(&CancellationToken::new()),
        answerable: Arc::default(),
    }
}

fn buffered_bytes(buffered_bytes: usize) -> Limits {
    Limits {
        buffered_bytes,
        ..Limits::default()
    }
}

/// A body of these frames; one that stalls never ends.
fn body(frames: &[&[u8]], stalls: bool) -> impl Body<Data = Bytes> + Unpin + use<> {
    let frames: Vec<_> = frames
        .iter()
        .map(|bytes| Ok::<_, std::convert::Infallible>(Frame::data(Bytes::copy_from_slice(bytes))))
        .collect();
    let rest = if stalls {
        futures::stream::pending().left_stream()
    } else {
        futures::stream::empty().right_stream()
    };
    StreamBody::new(futures::stream::iter(frames).chain(rest))
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_not_finished_in_time_ends_its_stream_and_gives_its_room_back() {
    let service = service(buffered_bytes(1024));
    let begin = Instant::now();
    let frames = body(&[&[0, 0, 0, 0, 9, 1, 2]], true);
    let stalled = service.read(frames, &mut (), Encoding::Identity).await;
    assert_eq!(stalled, Err(Refusal::WithinMessage));
    assert_eq!(begin.elapsed(), MESSAGE_DEADLINE);
    let frames = body(&[&[0, 0, 0, 0, 2, 1], &[2]], false);
    let other = service.read(frames, &mut (), Encoding::Identity).await;
    assert_eq!(other, Ok(()));
    assert_eq!(*service.handler.0.lock().unwrap(), [Read::Message(2)]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_waits_for_room_as_long_as_those_that_came_before_it_may_stall() {
    let service = service(buffered_bytes(1024));
    let begin = Instant::now();
    let stalled = || async {
        let frames = body(&[&[0, 0, 0, 0, 9, 1, 2]], true);
        of_another_connection(&service)
            .read(frames, &mut (), Encoding::Identity)
            .await
    };
    let waiting = async {
        let frames = body(&[&[0, 0, 0, 0, 2, 1], &[2]], false);
        service.read(frames, &mut (), Encoding::Identity).await
    };
    let (first, second, last) = tokio::join!(stalled(), stalled(), waiting);
    assert_eq!([first, second], [Err(Refusal::WithinMessage); 2]);
    assert_eq!((last, begin.elapsed()), (Ok(()), 2 * MESSAGE_DEADLINE));
    assert_eq!(*service.handler.0.lock().unwrap(), [Read::Message(2)]);
}

/// What serves another connection, within the same bounds.
fn of_another_connection(service: &Service<Reads>) -> Service<Reads> {
    Service {
        unfinished: Arc::default(),
        ..service.clone()
    }
}

/// What it has sent fills the window that the other needs for the rest of its message.
#[rstest]
#[case::unfinished(&[0, 0, 0, 0, 2, 1])]
#[case::compressed(&zeros(10))]
#[tokio::test(start_paused = true)]
async fn a_stream_that_finds_no_room_ends_before_one_of_its_connection_that_has_some(#[case] sent: &[u8]) {
    let service = service(buffered_bytes(1024));
    let begin = Instant::now();
    let frames = body(&[&[0, 0, 0, 0, 9, 1, 2]], true);
    let mut stream = ();
    let stalled = service.read(frames, &mut stream, Encoding::Gzip);
    tokio::pin!(stalled);
    assert!(futures::poll!(&mut stalled).is_pending());
    let refused = service.read(body(&[sent], true), &mut (), Encoding::Gzip).await;
    assert_eq!((refused, begin.elapsed()), (Err(Refusal::NoRoom), PATIENCE));
    assert_eq!(
        *service.handler.0.lock().unwrap(),
        [Read::Rejected(Rejected::NoRoom)]
    );
    assert_eq!(stalled.await, Err(Refusal::WithinMessage));
    assert_eq!(begin.elapsed(), MESSAGE_DEADLINE);
    // All room is there again, and none of the connection has any.
    let frames = body(&[&[0, 0, 0, 0, 2, 1], &[2]], false);
    assert_eq!(service.read(frames, &mut (), Encoding::Identity).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_between_messages_has_no_deadline() {
    let service = service(buffered_bytes(1024));
    let frames = body(&[&[0, 0, 0, 0, 1, 7]], true);
    let mut stream = ();
    let silent = service.read(frames, &mut stream, Encoding::Identity);
    let day = tokio::time::timeout(Duration::from_hours(24), silent);
    assert!(day.await.is_err());
    assert_eq!(*service.handler.0.lock().unwrap(), [Read::Message(1)]);
}

#[rstest]
#[case::part_of_a_message(&[0, 0, 0, 0, 2, 1], false)]
#[case::a_message(&[0, 0, 0, 0, 1, 7], true)]
#[tokio::test(start_paused = true)]
async fn a_connection_has_arrived_with_its_first_message(#[case] bytes: &[u8], #[case] expected: bool) {
    let places = Arrivals::default();
    let service = Service {
        arrival: Arc::new(places.next().await),
        ..service(Limits::default())
    };
    let others = future::join_all((1..PLACES).map(|_| places.next())).await;
    let mut stream = ();
    let reading = service.read(body(&[bytes], true), &mut stream, Encoding::Identity);
    let soon = timeout(Duration::from_millis(10), reading);
    assert!(soon.await.is_err());
    assert_eq!(places.next().now_or_never().is_some(), expected);
    drop(others);
}

/// Whether a stream is answered early that always has more to read, when its connection was to end so long ago.
async fn is_answerable(ago: Duration) -> bool {
    let stopping = CancellationToken::new();
    let service = Service {
        ending: Ending::new(&stopping),
        ..service(Limits::default())
    };
    stopping.cancel();
    service.ending.at(Duration::from_hours(1)).await;
    tokio::time::advance(ago).await;
    let message: &[u8] = &[0, 0, 0, 0, 1, 7];
    let frames = body(&[message; 3], false);
    let read = service.read(frames, &mut (), Encoding::Identity).await;
    assert_eq!(read, Ok(()));
    service.answerable.notified().now_or_never().is_some()
}

#[rstest]
#[case::soon(900, false)]
#[case::late(1000, true)]
#[tokio::test(start_paused = true)]
async fn a_stream_that_always_has_more_is_answered_all_the_same_a_second_later(
    #[case] milliseconds: u64,
    #[case] expected: bool,
) {
    assert_eq!(is_answerable(Duration::from_millis(milliseconds)).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_not_answered_early_within_a_message() {
    let stopping = CancellationToken::new();
    let service = Service {
        ending: Ending::new(&stopping),
        ..service(Limits::default())
    };
    stopping.cancel();
    // It is within a message from its first frame on.
    let frames = body(&[&[0, 0, 0, 0, 9, 1]], true);
    let mut stream = ();
    let mut reading = Box::pin(service.read(frames, &mut stream, Encoding::Identity));
    assert!(futures::poll!(&mut reading).is_pending());
    assert!(service.answerable.notified().now_or_never().is_none());
}

/// A compressed message of zeros with its prefix.
fn zeros(count: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&vec![0; count]).unwrap();
    let compressed = encoder.finish().unwrap();
    let length = u32::try_from(compressed.len()).unwrap().to_be_bytes();
    [&[1][..], &length, &compressed].concat()
}

#[rstest]
#[case::within_the_limit(1000, Read::Message(1000))]
#[case::above_the_limit(1001, Read::Rejected(Rejected::MessageTooLarge))]
#[tokio::test]
async fn the_limit_of_a_message_holds_for_what_it_is_decompressed_to(
    #[case] size: usize,
    #[case] expected: Read,
    #[values(false, true)] in_pieces: bool,
) {
    let service = service(Limits {
        message_bytes: 1000,
        ..Limits::default()
    });
    let message = zeros(size);
    let (first, second) = message.split_at(if in_pieces { 8 } else { message.len() });
    let frames = body(&[first, second], false);
    assert_eq!(service.read(frames, &mut (), Encoding::Gzip).await, Ok(()));
    assert_eq!(*service.handler.0.lock().unwrap(), [expected]);
}

#[rstest]
#[tokio::test]
async fn a_message_is_decompressed_when_there_is_room_for_it(#[values(false, true)] in_pieces: bool) {
    let service = service(Limits {
        message_bytes: 3000,
        buffered_bytes: 4096,
        ..Limits::default()
    });
    let held = service.usage.room(2000).await;
    let message = zeros(100);
    let (first, second) = message.split_at(if in_pieces { 8 } else { message.len() });
    let frames = body(&[first, second], false);
    let mut stream = ();
    let reading = service.read(frames, &mut stream, Encoding::Gzip);
    tokio::pin!(reading);
    assert!(futures::poll!(&mut reading).is_pending());
    assert_eq!(*service.handler.0.lock().unwrap(), []);
    drop(held);
    assert_eq!(reading.await, Ok(()));
    assert_eq!(*service.handler.0.lock().unwrap(), [Read::Message(100)]);
}

const V3: &str = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs";

fn request(method: HttpMethod, path: &str, headers: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

#[rstest]
#[case::get(HttpMethod::GET, V3, "application/grpc", Refusal::NotGrpc)]
#[case::no_grpc(HttpMethod::POST, V3, "application/json", Refusal::NotGrpc)]
#[case::another_service(
    HttpMethod::POST,
    "/envoy.service.accesslog.v4.AccessLogService/StreamAccessLogs",
    "application/grpc",
    Refusal::UnknownMethod
)]
#[case::switched_off(
    HttpMethod::POST,
    "/envoy.service.metrics.v3.MetricsService/StreamMetrics",
    "application/grpc",
    Refusal::Metrics
)]
#[case::switched_off_v2(
    HttpMethod::POST,
    "/envoy.service.metrics.v2.MetricsService/StreamMetrics",
    "application/grpc",
    Refusal::Metrics
)]
fn a_request_that_is_no_served_stream_is_refused(
    #[case] method: HttpMethod,
    #[case] path: &str,
    #[case] content_type: &str,
    #[case] expected: Refusal,
) {
    let begun = service(Limits::default()).begin(&request(method, path, &[("content-type", content_type)]));
    assert_eq!(begun.err(), Some(expected));
}

#[rstest]
#[case::none(&[], Ok(Encoding::Identity))]
#[case::gzip(&[("grpc-encoding", "gzip")], Ok(Encoding::Gzip))]
#[case::another(&[("grpc-encoding", "deflate")], Err(Refusal::Encoding))]
fn an_encoding_that_is_not_served_is_refused_and_counted(
    #[case] headers: &[(&str, &str)],
    #[case] expected: Result<Encoding, Refusal>,
) {
    let service = service(Limits::default());
    let headers = [&[("content-type", "application/grpc+proto")], headers].concat();
    let begun = service.begin(&request(HttpMethod::POST, V3, &headers));
    assert_eq!(begun.map(|((), encoding)| encoding), expected);
    let counted = usize::from(expected.is_err());
    let rejected = [Read::Rejected(Rejected::Compression)];
    assert_eq!(*service.handler.0.lock().unwrap(), rejected[..counted]);
}
