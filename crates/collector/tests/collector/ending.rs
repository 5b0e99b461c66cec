//! Connections end without loss when they are old, and when the collector stops.

use std::net::SocketAddr;
use std::time::Duration;

use rstest::rstest;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::bad_streams::whole;
use crate::raw_client::{DATA, END_STREAM, GOAWAY, HEADERS, RST_STREAM, RawClient};
use crate::running::*;

/// The way in which a client ends its side of an answered stream.
#[derive(Clone, Copy)]
enum Side {
    /// It ends the stream, as gRPC's own clients do.
    Ended,
    /// It resets the stream, as Envoy does.
    Reset,
    /// It stays silent, as hyper's client does.
    Open,
}

/// Runs a client that is told to go in the middle of its second message. It sends the rest, is answered,
/// and has sent a third message meanwhile. Returns how long the collector kept the connection after that.
fn told_to_go(address: SocketAddr, side: Side) -> Duration {
    let mut client = RawClient::connect(address);
    let stream = client.open_stream();
    let many = whole(10);
    client.send(stream, &[&whole(1), &many[..1000]].concat());
    while client.next_frame().unwrap().0 != GOAWAY {}
    client.until_read();
    client.send(stream, &many[1000..]);
    let mut answer = Vec::new();
    while answer.last() != Some(&(HEADERS, true)) {
        let (kind, flags, of) = client.next_frame().unwrap();
        if of == stream && [DATA, HEADERS, RST_STREAM].contains(&kind) {
            answer.push((kind, kind == HEADERS && flags & END_STREAM != 0));
        }
    }
    assert_eq!(answer, [(HEADERS, false), (DATA, false), (HEADERS, true)]);
    client.send(stream, &whole(5));
    match side {
        Side::Ended => client.frame(DATA, END_STREAM, stream, &[]),
        Side::Reset => client.frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()),
        Side::Open => {}
    }
    let begin = Instant::now();
    while client.next_frame().is_some() {}
    begin.elapsed()
}

#[rstest]
#[case::ended(Side::Ended, true)]
#[case::reset(Side::Reset, true)]
#[case::open(Side::Open, false)]
#[tokio::test]
async fn an_old_connection_is_told_to_go_and_all_that_was_sent_is_counted(
    #[case] side: Side,
    #[case] is_at_once: bool,
) {
    let collector = Collector::with("limits: { connectionAge: 200ms }").await;
    let address = collector.grpc;
    let kept = tokio::task::spawn_blocking(move || told_to_go(address, side))
        .await
        .unwrap();
    assert_eq!(kept < Duration::from_millis(900), is_at_once, "{kept:?}");
    assert!(kept < Duration::from_secs(4), "{kept:?}");
    collector
        .until_sample("alscope_entries_received_total", 16.0)
        .await;
    collector.until_sample("alscope_streams", 0.0).await;
    assert_eq!(collector.sample("alscope_entries_observed_total").await, 16.0);
    collector.stop().await;
}

#[tokio::test]
async fn until_proxies_are_sent_elsewhere_a_collector_that_stops_takes_new_ones() {
    let collector = Collector::with("ending: { quiet: 1s, accept: 20s, scrape: 20s }").await;
    // A collector that was never scraped does not wait for a scrape.
    assert_eq!(collector.sample("alscope_entries_received_total").await, 0.0);
    collector.tell_to_stop();
    collector
        .until("not ready", async |collector| {
            collector.get(collector.admin, "/readyz").await.0 == 503
        })
        .await;
    collector
        .stream(vec![first_message(vec![entry("10.0.0.2"); 7])])
        .await;
    // The scrapes of this wait are before the last one, or are the last one.
    let mut last = 0.0;
    while let Some(text) = scraped(collector.admin).await {
        let (_, rest) = text.split_once("\nalscope_entries_received_total ").unwrap();
        last = rest.lines().next().unwrap().parse().unwrap();
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(last, 7.0);
    timeout(Duration::from_secs(5), collector.stop()).await.unwrap();
}

/// Returns the metrics, or `None` once they are not served any more.
async fn scraped(address: SocketAddr) -> Option<String> {
    let get = move || {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(5)))
            .build()
            .new_agent();
        let mut response = agent.get(format!("http://{address}/metrics")).call().ok()?;
        response.body_mut().read_to_string().ok()
    };
    tokio::task::spawn_blocking(get).await.unwrap()
}

#[tokio::test]
async fn a_proxy_that_comes_while_the_streams_of_others_end_is_served_too() {
    let collector = Collector::start().await;
    let address = collector.grpc;
    // It never ends its side, so the end goes on as long as it may.
    let mut blocking = JoinSet::new();
    let (connected, is_connected) = tokio::sync::oneshot::channel();
    blocking.spawn_blocking(move || {
        let mut client = RawClient::connect(address);
        let stream = client.open_stream();
        client.send(stream, &whole(1));
        client.until_read();
        connected.send(()).unwrap();
        while client.next_frame().is_some() {}
    });
    is_connected.await.unwrap();
    collector.tell_to_stop();
    let late = client(address);
    let mut late = late.await;
    let messages = futures::stream::iter(vec![first_message(vec![entry("10.0.0.2"); 4])]);
    late.stream_access_logs(messages).await.unwrap();
    timeout(Duration::from_secs(15), collector.stop()).await.unwrap();
    blocking.join_all().await;
}
