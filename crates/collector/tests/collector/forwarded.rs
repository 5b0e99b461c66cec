//! The caller of a gateway in a running collector.

use als_proto::messages::envoy::config::core::v3::Node;
use rstest::rstest;

use crate::running::*;

#[rstest]
#[case::by_default("", "productpage")]
#[case::not_trusted("  trustForwardedAddress: false", "productpage")]
#[case::trusted("  trustForwardedAddress: true", "reviews")]
#[tokio::test]
async fn a_gateways_caller_is_who_connected_unless_forwarding_is_trusted(
    #[case] more: &str,
    #[case] expected: &str,
) {
    let collector = Collector::with(more).await;
    // productpage connects, on behalf of reviews.
    let mut forwarded = entry("10.0.0.2");
    let common = forwarded.common_properties.as_mut().unwrap();
    common.downstream_direct_remote_address = socket("10.0.0.1");
    common.downstream_remote_address = socket("10.0.0.2");
    let gateway = Node {
        id: "router~10.0.0.9~gateway.demo~demo.svc.cluster.local".into(),
        ..Node::default()
    };
    collector.stream(vec![message_of(gateway, vec![forwarded])]).await;
    collector
        .until_sample("alscope_observations_total{reporter=\"destination\"}", 1.0)
        .await;
    let (_, metrics) = collector.get(collector.admin, "/metrics").await;
    let called = metrics
        .lines()
        .find(|line| line.starts_with("alscope_requests_total{") && line.contains("reporter=\"destination\""))
        .unwrap();
    let source = format!("source_workload=\"{expected}\"");
    assert!(called.contains(&source), "{called}");
    collector.stop().await;
}
