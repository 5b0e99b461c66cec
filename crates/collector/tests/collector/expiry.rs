//! Idle series leave the exposition, and the series that take their place have their own labels.

use std::sync::Arc;
use std::time::Duration;

use als_proto::Message;
use alscope_analysis::aggregate::expiry::Expiry;
use alscope_analysis::aggregate::registry::Registry;
use alscope_analysis::aggregate::totals::{Snapshot, Totals};
use alscope_analysis::directory::Directory;
use alscope_analysis::moment::Moment;
use alscope_analysis::shard::{AnalysisSettings, MessageProgress, Shard};
use alscope_collector::control::Control;
use alscope_collector::envoy_metrics::Proxies;
use alscope_collector::export::exporters::Queues;
use alscope_collector::export::prometheus::Prometheus;
use alscope_collector::export::prometheus::families::ScrapeGauges;
use alscope_collector::export::prometheus::format::Format;
use parking_lot::Mutex;
use prost::Message as _;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::running::*;

fn at(seconds: i64) -> Moment {
    Moment(seconds * 1_000_000_000)
}

/// Lets a worker take a call to a host.
fn take(shard: &mut Shard, host: &str) {
    let mut called = entry("10.0.0.2");
    let common = called.common_properties.as_mut().unwrap();
    common.upstream_cluster = format!("outbound|9080||{host}");
    let bytes = first_message(vec![called]).encode_to_vec();
    let message = Message::read(&bytes).unwrap();
    let identifier = message.identifier().unwrap().unwrap();
    let node = shard.read_node(&identifier).unwrap();
    let mut progress = MessageProgress::new(message.entries(), at(0));
    while shard.read_entries(&Directory::default(), &node, &mut progress, 10) {}
}

fn text(prometheus: &Prometheus, snapshot: Snapshot, format: Format) -> String {
    prometheus
        .render(
            snapshot.into(),
            format,
            &ScrapeGauges::default(),
            &Proxies::default(),
        )
        .collect()
}

/// Returns the called hosts of the requests in an exposition.
fn hosts(text: &str) -> Vec<&str> {
    let lines = text
        .lines()
        .filter(|line| line.starts_with("alscope_requests_total{"));
    let host = |line| {
        str::split(line, "destination_service=\"")
            .nth(1)?
            .split('"')
            .next()
    };
    lines.filter_map(host).collect()
}

#[test]
fn a_series_that_takes_the_place_of_one_that_went_is_shown_with_its_own_labels_and_time() {
    let registry = Arc::new(Registry::default());
    let mut shard = Shard::new(AnalysisSettings::default(), registry.clone());
    let mut totals = Totals::new(at(0));
    let mut expiry = Expiry::new(Duration::from_hours(1), at(0));
    let prometheus = Prometheus::default();
    let mut bytes = Vec::new();
    for day in 1..30 {
        let host = format!("reviews-{day:02}.demo.svc.cluster.local");
        take(&mut shard, &host);
        let now = at(day * 86_400);
        let pass = expiry.begin(&registry, now);
        while shard.drain_into(&mut totals, 10, now) {}
        pass.unwrap().end(&mut totals, &registry);
        let exposition = text(&prometheus, totals.publish(now), Format::Text);
        assert_eq!(hosts(&exposition), [host.as_str()]);
        let open_metrics = text(&prometheus, totals.publish(now), Format::OpenMetrics);
        assert_eq!(hosts(&open_metrics), [host.as_str()]);
        // The snapshot of the day before did not have it.
        let created = format!(" {}.000", (day - 1) * 86_400);
        let of_requests = open_metrics
            .lines()
            .filter(|line| line.starts_with("alscope_requests_created{"));
        assert!(
            of_requests.into_iter().all(|line| line.ends_with(&created)),
            "{open_metrics}"
        );
        bytes.push(exposition.len());
    }
    // Each day has as many bytes as the one before, except for the digits of counters.
    assert!(
        bytes[1..].iter().all(|later| later.abs_diff(bytes[1]) < 10),
        "{bytes:?}"
    );
}

#[tokio::test]
async fn the_control_task_lets_go_what_is_idle() {
    let registry = Arc::new(Registry::default());
    let shard = Arc::new(Mutex::new(Shard::new(
        AnalysisSettings::default(),
        registry.clone(),
    )));
    let (idle, shards) = (Duration::from_millis(600), vec![shard.clone()]);
    let (control, published) = Control::new(registry.clone(), shards, idle, Queues::default());
    let stopping = CancellationToken::new();
    let mut running = JoinSet::new();
    running.spawn(control.run(stopping.clone()));
    take(&mut shard.lock(), "reviews.demo.svc.cluster.local");
    let deadline = Instant::now() + Duration::from_secs(20);
    while published.borrow().expired.series == 0 {
        assert!(Instant::now() < deadline, "{:?}", published.borrow());
        sleep(Duration::from_millis(20)).await;
    }
    let snapshot = published.borrow().clone();
    assert_eq!(
        (snapshot.accounting.received, snapshot.http.iter().count()),
        (1, 0)
    );
    assert_eq!((registry.sizes().http.live, registry.sizes().samples), (1, 0));
    stopping.cancel();
    running.join_all().await;
}
