use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

/// Returns a compressed message of zeros with its prefix.
pub(super) fn zeros(count: usize) -> Vec<u8> {
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
    assert_eq!(*service.handler.0.lock(), [expected]);
}

#[rstest]
#[tokio::test]
async fn a_message_is_decompressed_when_there_is_room_for_it(#[values(false, true)] in_pieces: bool) {
    let service = service(Limits {
        message_bytes: 3000,
        buffered_bytes: 4096,
        ..Limits::default()
    });
    let other = of_another_connection(&service);
    let mut held = other.pending.begin();
    held.grow(4096).await.unwrap();
    let message = zeros(100);
    let (first, second) = message.split_at(if in_pieces { 8 } else { message.len() });
    let frames = body(&[first, second], false);
    let mut stream = ();
    let reading = service.read(frames, &mut stream, Encoding::Gzip);
    tokio::pin!(reading);
    assert!(futures::poll!(&mut reading).is_pending());
    assert_eq!(*service.handler.0.lock(), []);
    drop(held);
    assert_eq!(reading.await, Ok(()));
    assert_eq!(*service.handler.0.lock(), [Read::Message(100)]);
}
