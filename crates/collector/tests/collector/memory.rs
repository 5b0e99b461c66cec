//! The memory of the real program stays within docs/memory.md while clients send as much as they may and
//! end no message.

use std::collections::HashMap;

use alscope_collector::receive::worker::WINDOW_BYTES;
use alscope_collector_config::Limits;

use crate::attacks::{connected, stranger};
use crate::bad_streams::{framed, whole};
use crate::process::Process;
use crate::raw_client::RawClient;

/// Connections whose streams find no room. With the others there are fewer than the open files that a process usually may have, and
/// than the streams of one peer.
const WAITING: usize = 800;
/// The design's bound.
const MOST: usize = 600 << 20;

/// Returns the bytes in each row of the page, by the row's name.
fn page() -> HashMap<&'static str, usize> {
    let page = include_str!("../../../../docs/memory.md");
    let cells = |line: &'static str| Some(line.strip_prefix("| ")?.split(" | "));
    let rows = page.lines().filter_map(|line| {
        let mut cells = cells(line)?;
        Some((cells.next()?, cells.next()?.parse().ok()?))
    });
    rows.collect()
}

/// Opens a connection with a stream, and sends `bytes` until the collector has read them.
fn sender(collector: &Process, bytes: &[u8]) -> RawClient {
    let mut client = RawClient::connect(collector.grpc);
    let stream = client.open_stream();
    client.send(stream, bytes);
    client.until_read();
    client
}

#[tokio::test]
async fn unfinished_messages_take_what_the_page_says_and_others_are_served_meanwhile_and_afterwards() {
    let collector = Process::start("http: k8s-mesh, tcp: k8s-mesh");
    let received = "alscope_entries_received_total";
    let (page, limits) = (page(), Limits::default());
    let begin = collector.resident_bytes();
    assert!(begin <= page["the program itself"], "{begin}");

    let unfinished = framed(0, &vec![0; limits.message_bytes]);
    let in_room = limits.buffered_bytes / (limits.message_bytes + 1024);
    let all_but_the_end = &unfinished[..unfinished.len() - 1];
    let mut clients: Vec<_> = (0..in_room)
        .map(|_| sender(&collector, all_but_the_end))
        .collect();
    let without_room = collector.resident_bytes();
    clients.extend((0..WAITING).map(|_| sender(&collector, &unfinished[..WINDOW_BYTES as usize])));
    let full = collector.resident_bytes();

    let window = page["unread data: HTTP/2's window"];
    let rest = page["the rest of a connection"] + page["a stream, with the data about its node"];
    let each = (full - without_room) / WAITING;
    assert!(each <= window + rest, "{each}");
    let most = (in_room + WAITING) * (window + rest) + limits.buffered_bytes;
    assert!(full - begin <= most, "{full} - {begin} > {most}");
    assert!(full <= MOST, "{full}");

    // An honest client of another address is served meanwhile, also with a message that needs room.
    let (first, second) = (whole(1), whole(500));
    let socket = connected(stranger(0), collector.grpc).await;
    let honest = tokio::task::spawn_blocking(move || {
        let mut honest = RawClient::over(socket);
        let stream = honest.open_stream();
        let (one, other) = second.split_at(second.len() / 2);
        for part in [&first, one, other] {
            honest.send(stream, part);
            honest.until_read();
        }
        honest
    });
    let honest = honest.await.unwrap();
    collector.metrics_with(&[(received, 501)]).await;
    drop(clients);
    collector.metrics_with(&[("alscope_connections", 1)]).await;
    assert!(collector.resident_bytes() <= MOST);
    drop(honest);
    collector.stop();
}
