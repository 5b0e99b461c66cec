//! Every gRPC method of the port, called by a real client.

use als_proto::messages::envoy::service::accesslog::v3::{StreamAccessLogsMessage, StreamAccessLogsResponse};
use rstest::rstest;
use tonic::{Code, Response, Status};

use crate::running::*;

pub(crate) const V3: &str = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs";
const V2: &str = "/envoy.service.accesslog.v2.AccessLogService/StreamAccessLogs";
pub(crate) const SATELLITE: &str = "/satellite.envoy.accesslog.v3.SatelliteAccessLogService/StreamAccessLogs";

pub(crate) type Answered = Result<Response<StreamAccessLogsResponse>, Status>;

/// Returns a message of a productpage in the Kubernetes cluster with this name.
pub(crate) fn of_cluster(cluster: &str, entries: usize) -> StreamAccessLogsMessage {
    let node = with_metadata(productpage(), [("CLUSTER_ID", cluster)]);
    message_of(node, vec![entry("10.0.0.2"); entries])
}

/// Returns how many requests came from the Kubernetes cluster with this name.
async fn requests_from(collector: &Collector, cluster: &str) -> f64 {
    let (_, metrics) = collector.get(collector.admin, "/metrics").await;
    let is_from = |line: &&str| {
        line.starts_with("alscope_requests_total{") && line.contains(&format!("source_cluster=\"{cluster}\""))
    };
    let value = |line: &str| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
    metrics.lines().filter(is_from).map(value).sum()
}

#[rstest]
#[case::v3(V3)]
#[case::v2(V2)]
#[case::satellite(SATELLITE)]
#[tokio::test]
async fn every_access_log_service_counts_and_answers_once(#[case] path: &'static str) {
    let collector = Collector::start().await;
    let messages = vec![of_cluster("one", 3), message(vec![entry("10.0.0.2"); 4])];
    let answered: Answered = collector.send(path, messages, None).await;
    let metadata = answered.unwrap().metadata().clone();
    assert_eq!(metadata.get("grpc-accept-encoding").unwrap(), "identity,gzip");
    collector
        .until_sample("alscope_entries_attributed_total", 7.0)
        .await;
    assert_eq!(requests_from(&collector, "one").await, 7.0);
    collector.stop().await;
}

#[rstest]
#[case::satellite_follows_each_identifier(SATELLITE, [1.0 + 2.0 + 32.0, 4.0 + 8.0 + 16.0])]
#[case::envoy_has_one_identifier(V3, [63.0, 0.0])]
#[tokio::test]
async fn entries_belong_to_the_identifier_before_them(
    #[case] path: &'static str,
    #[case] expected: [f64; 2],
) {
    let collector = Collector::start().await;
    let next = |entries| message(vec![entry("10.0.0.2"); entries]);
    let messages = vec![
        of_cluster("one", 1),
        next(2),
        of_cluster("two", 4),
        next(8),
        next(16),
        of_cluster("one", 32),
    ];
    let answered: Answered = collector.send(path, messages, None).await;
    answered.unwrap();
    collector
        .until_sample("alscope_entries_observed_total", 63.0)
        .await;
    let counted = [
        requests_from(&collector, "one").await,
        requests_from(&collector, "two").await,
    ];
    assert_eq!(counted, expected);
    collector.stop().await;
}

#[rstest]
#[case::satellite(SATELLITE, 4.0)]
#[case::envoy(V3, 6.0)]
#[tokio::test]
async fn after_an_unreadable_message_a_satellites_entries_wait_for_an_identifier(
    #[case] path: &'static str,
    #[case] observed: f64,
) {
    let collector = Collector::with("limits: { messageBytes: 4000 }").await;
    let next = |entries| message(vec![entry("10.0.0.2"); entries]);
    let messages = vec![of_cluster("one", 1), next(200), next(2), of_cluster("two", 3)];
    let answered: Answered = collector.send(path, messages, None).await;
    answered.unwrap();
    collector
        .until_sample("alscope_entries_received_total", 6.0)
        .await;
    collector
        .until_sample("alscope_entries_observed_total", observed)
        .await;
    let rejected = "alscope_entries_rejected_total{reason=\"malformed-message\"}";
    collector.until_sample(rejected, 6.0 - observed).await;
    let too_large = "alscope_messages_rejected_total{reason=\"message-too-large\"}";
    collector.until_sample(too_large, 1.0).await;
    collector.stop().await;
}

#[tokio::test]
async fn the_refusal_of_an_unknown_method_names_the_served_ones() {
    let collector = Collector::start().await;
    let path = "/envoy.service.accesslog.v4.AccessLogService/StreamAccessLogs";
    let answered: Answered = collector.send(path, vec![of_cluster("one", 1)], None).await;
    let refusal = answered.unwrap_err();
    assert_eq!(refusal.code(), Code::Unimplemented);
    for path in [V3, V2, SATELLITE] {
        let name = path.trim_start_matches('/');
        assert!(refusal.message().contains(name), "{}", refusal.message());
    }
    collector.stop().await;
}
