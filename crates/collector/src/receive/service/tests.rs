mod compressed;
mod requests;

use std::net::Ipv4Addr;
use std::time::Duration;

use alscope_collector_config::Limits;
use futures::{FutureExt, StreamExt};
use http_body::Frame;
use http_body_util::StreamBody;
use parking_lot::Mutex;
use rstest::rstest;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::receive::admission::Admission;
use crate::receive::buffer_budget::{GRACE, MAX_WAIT_BESIDE_PENDING, MESSAGE_DEADLINE};
use compressed::zeros;

/// The fate of a message.
#[derive(Debug, PartialEq, Eq)]
enum Read {
    /// It was handed over, with this length.
    Message(usize),
    Rejected(Rejected),
}

/// A handler that remembers the fate of its messages, and takes no metrics.
#[derive(Clone, Default)]
struct Reads(Arc<Mutex<Vec<Read>>>);

impl Handler for Reads {
    type Stream = ();

    fn begin(&self, method: Method) -> Option<()> {
        (method != Method::Metrics).then_some(())
    }

    async fn message(&self, (): &mut (), message: &[u8]) {
        self.0.lock().push(Read::Message(message.len()));
    }

    fn reject(&self, (): &mut (), reason: Rejected) {
        self.0.lock().push(Read::Rejected(reason));
    }
}

fn service(limits: Limits) -> Service<Reads> {
    let usage = Usage::new(limits);
    let place = Arc::new(usage.connection(Ipv4Addr::LOCALHOST.into()).unwrap());
    Service {
        handler: Reads::default(),
        pending: Arc::new(PendingMessages::new(&usage, place.share_of_peer())),
        usage,
        buffers: Arc::default(),
        handshake: Arc::new(Admission::default().handshake(place.handshakes())),
        place,
        activity: Activity::new(),
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
    assert_eq!(stalled, Err(Refusal::TooSlow));
    assert_eq!(begin.elapsed(), MESSAGE_DEADLINE);
    let frames = body(&[&[0, 0, 0, 0, 2, 1], &[2]], false);
    let other = service.read(frames, &mut (), Encoding::Identity).await;
    assert_eq!(other, Ok(()));
    assert_eq!(*service.handler.0.lock(), [Read::Message(2)]);
}

#[tokio::test(start_paused = true)]
async fn a_stalled_message_gives_way_to_one_that_needs_its_room() {
    let service = service(buffered_bytes(1024));
    let begin = Instant::now();
    let stalled = async |service: &Service<Reads>| {
        let frames = body(&[&[0, 0, 0, 0, 9, 1, 2]], true);
        let read = service.read(frames, &mut (), Encoding::Identity).await;
        (read, begin.elapsed())
    };
    let honest = async {
        sleep(GRACE / 2).await;
        let frames = body(&[&[0, 0, 0, 0, 2, 1], &[2]], false);
        let read = of_another_connection(&service)
            .read(frames, &mut (), Encoding::Identity)
            .await;
        (read, begin.elapsed())
    };
    let (stalled, honest) = tokio::join!(stalled(&service), honest);
    assert_eq!(stalled.0, Err(Refusal::NoRoom));
    assert_eq!(honest.0, Ok(()));
    assert!(honest.1 < GRACE + GRACE / 4, "{:?}", honest.1);
    let read = [Read::Rejected(Rejected::NoRoom), Read::Message(2)];
    assert_eq!(*service.handler.0.lock(), read);
}

/// The bytes of the message come one by one, just fast enough that it never stops.
#[tokio::test(start_paused = true)]
async fn a_message_that_drips_gives_way_as_one_that_stalls() {
    let service = service(buffered_bytes(1024));
    let drip = futures::stream::unfold(true, async |is_first| {
        sleep(Duration::from_millis(10)).await;
        let bytes: &[u8] = if is_first { &[0, 0, 0, 255, 255, 1] } else { &[1] };
        Some((
            Ok::<_, std::convert::Infallible>(Frame::data(Bytes::from_static(bytes))),
            false,
        ))
    });
    let dripping = async {
        let drip = StreamBody::new(Box::pin(drip));
        service.read(drip, &mut (), Encoding::Identity).await
    };
    let honest = async {
        sleep(Duration::from_secs(5)).await;
        let begin = Instant::now();
        let frames = body(&[&[0, 0, 0, 0, 2, 1], &[2]], false);
        let read = of_another_connection(&service)
            .read(frames, &mut (), Encoding::Identity)
            .await;
        (read, begin.elapsed() < Duration::from_millis(20))
    };
    assert_eq!(
        tokio::join!(dripping, honest),
        (Err(Refusal::NoRoom), (Ok(()), true))
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_takes_the_room_of_what_came_in_and_not_of_what_it_announces() {
    let service = service(buffered_bytes(4 << 20));
    let mut streams: Vec<_> = (0..1000)
        .map(|_| {
            let service = of_another_connection(&service);
            Box::pin(async move {
                let frames = body(&[&[0, 0, 15, 0, 0, 1]], true);
                service.read(frames, &mut (), Encoding::Identity).await
            })
        })
        .collect();
    for stream in &mut streams {
        assert!(futures::poll!(stream).is_pending());
    }
    let frames = body(&[&[0, 0, 0, 0, 2, 1], &[2]], false);
    let other = of_another_connection(&service);
    assert_eq!(
        other.read(frames, &mut (), Encoding::Identity).now_or_never(),
        Some(Ok(()))
    );
}

#[tokio::test(start_paused = true)]
async fn no_address_takes_the_room_of_others() {
    let service = service(buffered_bytes(4 << 20));
    let message = [&[0, 0, 15, 0, 0][..], &vec![7; 500_000]].concat();
    let mut streams: Vec<_> = (0..100)
        .map(|_| {
            let (service, message) = (of_another_connection(&service), message.clone());
            Box::pin(async move {
                service
                    .read(body(&[&message], true), &mut (), Encoding::Identity)
                    .await
            })
        })
        .collect();
    for stream in &mut streams {
        assert!(futures::poll!(stream).is_pending());
    }
    let place = service
        .usage
        .connection(Ipv4Addr::new(127, 0, 0, 2).into())
        .unwrap();
    let other = Service {
        pending: Arc::new(PendingMessages::new(&service.usage, place.share_of_peer())),
        place: Arc::new(place),
        ..service.clone()
    };
    let frames = body(&[&message[..100_000], &message[100_000..]], true);
    assert!(
        other
            .read(frames, &mut (), Encoding::Identity)
            .now_or_never()
            .is_none()
    );
    let frames = body(&[&[0, 0, 0, 0, 2, 1], &[2]], false);
    assert_eq!(
        other.read(frames, &mut (), Encoding::Identity).now_or_never(),
        Some(Ok(()))
    );
}

/// Returns the service of another connection from the same address, within the same limits.
fn of_another_connection(service: &Service<Reads>) -> Service<Reads> {
    Service {
        pending: Arc::new(PendingMessages::new(
            &service.usage,
            service.place.share_of_peer(),
        )),
        ..service.clone()
    }
}

/// Its bytes fill the window that the other stream needs for the rest of its message.
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
    assert_eq!(
        (refused, begin.elapsed()),
        (Err(Refusal::NoRoom), MAX_WAIT_BESIDE_PENDING)
    );
    assert_eq!(*service.handler.0.lock(), [Read::Rejected(Rejected::NoRoom)]);
    assert_eq!(stalled.await, Err(Refusal::TooSlow));
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
    assert_eq!(*service.handler.0.lock(), [Read::Message(1)]);
}

#[rstest]
#[case::part_of_a_message(&[0, 0, 0, 0, 2, 1], false)]
#[case::a_message(&[0, 0, 0, 0, 1, 7], true)]
#[tokio::test(start_paused = true)]
async fn a_handshake_is_complete_with_the_first_message(#[case] bytes: &[u8], #[case] expected: bool) {
    let service = service(Limits::default());
    let handshake = service.handshake.clone();
    handshake.clone().admit().await;
    let mut stream = ();
    let reading = service.read(body(&[bytes], true), &mut stream, Encoding::Identity);
    let soon = timeout(Duration::from_millis(10), reading);
    assert!(soon.await.is_err());
    assert_eq!(handshake.is_complete(), expected);
}

/// Returns whether a stream that always has more to read is answered early, if its connection was to end
/// this long ago.
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
