//! Envoy's own metrics are taken and shown.

use std::sync::Arc;

use als_proto::messages::envoy::config::core::v3::Node;
use als_proto::messages::envoy::service::metrics::v3::stream_metrics_message::Identifier;
use als_proto::messages::envoy::service::metrics::v3::{StreamMetricsMessage, StreamMetricsResponse};
use als_proto::messages::io::prometheus::client::{Counter, Gauge, Metric, MetricFamily, MetricType};
use alscope_analysis::aggregate::registry::Registry;
use alscope_analysis::shard::{AnalysisSettings, Shard};
use alscope_collector::export::exporters::Queues;
use alscope_collector::ingest::Ingest;
use alscope_collector::receive::limits::Usage;
use alscope_collector::receive::listener::Listener;
use alscope_collector::receive::worker::Worker;
use alscope_collector_config::Limits;
use parking_lot::Mutex;
use rstest::rstest;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding;
use tonic::{Code, Response, Status};

use crate::bad_streams::{framed, send_encoded};
use crate::running::*;

const V3: &str = "/envoy.service.metrics.v3.MetricsService/StreamMetrics";
const V2: &str = "/envoy.service.metrics.v2.MetricsService/StreamMetrics";

type Answered = Result<Response<StreamMetricsResponse>, Status>;

fn family(name: &str, kind: MetricType, value: f64) -> MetricFamily {
    let is_counter = kind == MetricType::Counter;
    let counter = Counter {
        value: Some(value),
        ..Counter::default()
    };
    let gauge = Gauge { value: Some(value) };
    MetricFamily {
        name: Some(name.to_owned()),
        r#type: Some(kind as i32),
        metric: vec![Metric {
            counter: is_counter.then_some(counter),
            gauge: (!is_counter).then_some(gauge),
            ..Metric::default()
        }],
        ..MetricFamily::default()
    }
}

fn report(node: Option<Node>, envoy_metrics: Vec<MetricFamily>) -> StreamMetricsMessage {
    StreamMetricsMessage {
        identifier: node.map(|node| Identifier { node: Some(node) }),
        envoy_metrics,
    }
}

#[rstest]
#[case::v3(V3, None)]
#[case::v2(V2, None)]
#[case::gzip(V3, Some(CompressionEncoding::Gzip))]
#[tokio::test]
async fn the_latest_values_of_a_proxy_are_shown_and_its_stream_is_answered_once(
    #[case] path: &'static str,
    #[case] encoding: Option<CompressionEncoding>,
) {
    let collector = Collector::start().await;
    let texts = [
        ("CLUSTER_ID", "east"),
        ("NAMESPACE", "demo"),
        ("NAME", "productpage"),
    ];
    let node = with_metadata(productpage(), texts);
    let outbound = "cluster.outbound|9080||reviews.demo.svc.cluster.local.upstream_cx_active";
    let first = vec![
        family("server.live", MetricType::Gauge, 0.0),
        family(outbound, MetricType::Gauge, 4.0),
    ];
    let second = vec![family("server.live", MetricType::Gauge, 1.0)];
    let messages = vec![report(Some(node), first), report(None, second)];
    let answered: Answered = collector.send(path, messages, encoding).await;
    assert_eq!(answered.unwrap().into_inner(), StreamMetricsResponse {});
    let proxy = "app=\"-.demo\",instance=\"productpage\",cluster=\"east\",proxy=\"productpage.demo\"";
    let live = format!("envoy_server_live{{{proxy}}}");
    let active =
        format!("envoy_cluster_metrics{{metrics_name=\"{outbound}\",cluster_name=\"reviews.demo\",{proxy}}}");
    collector.until_sample(&live, 1.0).await;
    collector.until_sample(&active, 4.0).await;
    assert_eq!(collector.sample("alscope_entries_received_total").await, 0.0);
    collector.stop().await;
}

#[tokio::test]
async fn what_a_proxy_says_it_flushed_stands_beside_what_was_received() {
    let collector = Collector::start().await;
    let mut client = collector.client().await;
    let entries = vec![
        first_message(vec![entry("10.0.0.2"); 600]),
        message(vec![entry("10.0.0.2"), entry("ten.zero.zero.two")]),
    ];
    client
        .stream_access_logs(futures::stream::iter(entries))
        .await
        .unwrap();
    let labels = "{cluster=\"unknown\",proxy=\"productpage.demo\"}";
    let received = format!("alscope_proxy_entries_received_total{labels}");
    let (_, metrics) = collector.get(collector.admin, "/metrics").await;
    assert!(
        !metrics.contains(&received),
        "the proxy has not said what it flushed"
    );

    let flushed = family(
        "access_logs.grpc_access_log.logs_written",
        MetricType::Counter,
        605.0,
    );
    let answered: Answered = collector
        .send(V3, vec![report(Some(productpage()), vec![flushed])], None)
        .await;
    answered.unwrap();
    collector.until_sample(&received, 602.0).await;
    let flushed = format!("alscope_proxy_entries_flushed_total{labels}");
    collector.until_sample(&flushed, 605.0).await;
    collector.stop().await;
}

#[tokio::test]
async fn metrics_that_nobody_owns_or_nobody_can_read_are_rejected_messages() {
    let collector = Collector::start().await;
    let ownerless = report(None, vec![family("server.live", MetricType::Gauge, 1.0)]);
    let answered: Answered = collector.send(V3, vec![ownerless], None).await;
    answered.unwrap();
    let (status, _) = send_encoded(&collector, V3, framed(0, &[0xff; 100]), None).await;
    assert_eq!(status, "0");
    collector
        .until_sample(
            "alscope_messages_rejected_total{reason=\"malformed-message\"}",
            2.0,
        )
        .await;
    let (_, metrics) = collector.get(collector.admin, "/metrics").await;
    assert!(!metrics.contains("envoy_server_live"), "{metrics}");
    collector.stop().await;
}

#[tokio::test]
async fn metrics_beyond_the_bound_are_counted() {
    let collector = Collector::start().await;
    let families = (0..2003).map(|number| family(&format!("server.gauge_{number}"), MetricType::Gauge, 1.0));
    let message = report(Some(productpage()), families.collect());
    let answered: Answered = collector.send(V3, vec![message], None).await;
    answered.unwrap();
    let overflowed = "alscope_envoy_metrics_overflowed_total{reason=\"samples\"}";
    collector.until_sample(overflowed, 3.0).await;
    collector.stop().await;
}

#[rstest]
#[case::accepted(true, None)]
#[case::refused(false, Some(Code::Unimplemented))]
#[tokio::test]
async fn metrics_are_refused_with_the_setting_that_does_it(
    #[case] accept_metrics_service: bool,
    #[case] expected: Option<Code>,
    #[values(V3, V2)] path: &'static str,
) {
    let shard = Shard::new(AnalysisSettings::default(), Arc::new(Registry::default()));
    let ingest = Ingest {
        shard: Arc::new(Mutex::new(shard)),
        directory: Arc::default(),
        proxies: Arc::default(),
        accept_metrics_service,
        exporters: Queues::default(),
    };
    let stopping = CancellationToken::new();
    let worker = Worker::start(0, ingest, Usage::new(Limits::default()), stopping.clone()).unwrap();
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let mut listener = JoinSet::new();
    listener.spawn(Listener::new(socket, vec![worker]).run(stopping.clone()));
    let message = report(Some(productpage()), vec![]);
    let answered: Answered = send_to(address, path, vec![message], None).await;
    let refusal = answered.err();
    assert_eq!(refusal.as_ref().map(Status::code), expected);
    if let Some(refusal) = refusal {
        let message = refusal.message();
        assert!(message.contains("acceptMetricsService is false"), "{message}");
    }
    stopping.cancel();
    listener.join_all().await;
}
