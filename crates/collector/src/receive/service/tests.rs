use std::net::Ipv4Addr;
use std::sync::Mutex;

use alscope_collector_config::Limits;
use futures::StreamExt;
use http_body_util::StreamBody;

use super::*;

/// Remembers the messages' lengths.
#[derive(Clone, Default)]
struct Lengths(Arc<Mutex<Vec<usize>>>);

impl Handler for Lengths {
    type Stream = ();

    async fn message(&self, (): &mut (), message: &[u8]) {
        self.0.lock().unwrap().push(message.len());
    }

    fn reject(&self, _: Rejected) {}
}

fn service(buffered_bytes: usize) -> Service<Lengths> {
    let limits = Limits {
        buffered_bytes,
        ..Limits::default()
    };
    Service {
        handler: Lengths::default(),
        usage: Usage::new(limits),
        peer: Ipv4Addr::LOCALHOST.into(),
        stopping: CancellationToken::new(),
    }
}

/// A body of these frames; one that stalls never ends.
fn body(frames: &[&[u8]], stalls: bool) -> impl Body<Data = Bytes> + Unpin {
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
    let service = service(1024);
    let begin = Instant::now();
    let stalled = service.read(body(&[&[0, 0, 0, 0, 9, 1, 2]], true));
    assert_eq!(stalled.await, Status::InvalidArgument);
    assert_eq!(begin.elapsed(), MESSAGE_DEADLINE);
    let other = service.read(body(&[&[0, 0, 0, 0, 2, 1], &[2]], false));
    assert_eq!(other.await, Status::Ok);
    assert_eq!(*service.handler.0.lock().unwrap(), [2]);
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_between_messages_has_no_deadline() {
    let service = service(1024);
    let silent = service.read(body(&[&[0, 0, 0, 0, 1, 7]], true));
    assert!(
        tokio::time::timeout(Duration::from_hours(24), silent)
            .await
            .is_err()
    );
    assert_eq!(*service.handler.0.lock().unwrap(), [1]);
}
