use std::time::Duration;

use alscope_collector::topology::Topology;
use tokio::sync::mpsc;
use tonic::Code;

use crate::running::*;

#[tokio::test]
async fn the_admin_port_tells_in_a_few_bytes_what_came_in() {
    let collector = Collector::start().await;
    let intake = async || -> serde_json::Value {
        serde_json::from_str(&collector.get(collector.admin, "/intake").await.1).unwrap()
    };
    let nothing = serde_json::json!({"entriesReceived": 0, "messagesRejected": 0, "lastEntryAt": null});
    assert_eq!(intake().await, nothing);
    let began = jiff::Timestamp::now();
    let messages = vec![first_message(vec![entry("10.0.0.2"); 3])];
    collector.stream(messages).await;
    collector
        .until_sample("alscope_entries_received_total", 3.0)
        .await;
    let after = intake().await;
    assert_eq!(after["entriesReceived"], 3);
    let last: jiff::Timestamp = after["lastEntryAt"].as_str().unwrap().parse().unwrap();
    assert!(last >= began && last <= jiff::Timestamp::now(), "{last}");
}

#[tokio::test]
async fn a_stream_is_counted_and_answered_once() {
    let collector = Collector::start().await;
    let messages = vec![
        first_message(vec![entry("10.0.0.2"); 3]),
        message(vec![entry("10.0.0.2"); 4]),
    ];
    collector.stream(messages).await;
    collector
        .until_sample("alscope_entries_received_total", 7.0)
        .await;
    collector
        .until_sample("alscope_entries_attributed_total", 7.0)
        .await;
    collector
        .until_sample("alscope_observations_total{reporter=\"source\"}", 7.0)
        .await;
    let (_, metrics) = collector.get(collector.admin, "/metrics").await;
    let requests = metrics
        .lines()
        .find(|line| line.starts_with("alscope_requests_total{"))
        .unwrap();
    assert!(
        requests.contains("source_workload=\"productpage\",source_workload_namespace=\"demo\""),
        "{requests}"
    );
    assert!(
        requests.contains("destination_workload=\"reviews\""),
        "{requests}"
    );
    assert!(requests.ends_with("} 7"), "{requests}");
    let build = format!(
        "alscope_build_info{{version=\"{}\",commit=\"",
        env!("CARGO_PKG_VERSION")
    );
    assert!(metrics.contains(&build), "{metrics}");
    collector.stop().await;
}

#[tokio::test]
async fn the_topology_is_served_as_json_and_the_page_with_its_policy() {
    let collector = Collector::start().await;
    let messages = vec![first_message(vec![entry("10.0.0.2"), entry("10.0.0.77")])];
    collector.stream(messages).await;
    collector
        .until_sample("alscope_entries_received_total", 2.0)
        .await;
    let (status, text) = collector.get(collector.web, "/api/v1/topology?window=5m").await;
    let topology: Topology = serde_json::from_str(&text).unwrap();
    assert_eq!((status, topology.window_seconds), (200, 300));
    let edges: Vec<(&str, &str, &str)> = topology
        .edges
        .iter()
        .map(|edge| {
            (
                edge.source.as_str(),
                edge.destination.as_str(),
                edge.reporter.as_str(),
            )
        })
        .collect();
    assert_eq!(
        edges,
        [
            ("demo/productpage", "demo/reviews", "source"),
            ("demo/productpage", "service:demo/reviews", "source")
        ]
    );
    let nodes: Vec<(&str, &str)> = topology
        .nodes
        .iter()
        .map(|node| (node.id.as_str(), node.kind.as_str()))
        .collect();
    assert_eq!(
        nodes,
        [
            ("demo/productpage", "workload"),
            ("demo/reviews", "workload"),
            ("service:demo/reviews", "service")
        ]
    );
    assert_eq!(
        collector
            .get(collector.web, "/api/v1/topology?window=soon")
            .await
            .0,
        400
    );
    let (status, page) = collector.get(collector.web, "/").await;
    assert_eq!(status, 200);
    assert!(page.contains("page.js"), "{page}");
    collector.stop().await;
}

#[tokio::test]
async fn the_identifier_is_kept_for_the_streams_life_and_no_longer() {
    let collector = Collector::start().await;
    let mut client = collector.client().await;
    let messages = vec![message(vec![entry("10.0.0.2"); 2])];
    client
        .stream_access_logs(futures::stream::iter(messages))
        .await
        .unwrap();
    collector
        .until_sample(
            "alscope_entries_rejected_total{reason=\"malformed-message\"}",
            2.0,
        )
        .await;
    collector.stop().await;
}

#[tokio::test]
async fn a_peer_with_too_many_streams_is_told_and_others_go_on() {
    let collector = Collector::with("limits: { streamsPerPeer: 1 }").await;
    let (sender, receiver) = mpsc::channel(1);
    let mut client = collector.client().await;
    let mut first = tokio::task::JoinSet::new();
    let stream = futures::stream::unfold(receiver, async |mut receiver| {
        Some((receiver.recv().await?, receiver))
    });
    let mut of_first = client.clone();
    first.spawn(async move { of_first.stream_access_logs(Box::pin(stream)).await });
    sender.send(first_message(vec![entry("10.0.0.2")])).await.unwrap();
    collector.until_sample("alscope_streams", 1.0).await;
    let refused = client
        .stream_access_logs(futures::stream::iter(vec![first_message(vec![])]))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(
        refused.message().contains("limits.streamsPerPeer"),
        "{}",
        refused.message()
    );
    sender.send(message(vec![entry("10.0.0.2")])).await.unwrap();
    collector
        .until_sample("alscope_entries_received_total", 2.0)
        .await;
    drop(sender);
    first.join_next().await.unwrap().unwrap().unwrap();
    collector.stop().await;
}

#[tokio::test]
async fn stopping_reads_what_is_in_flight_and_ends_the_streams() {
    let collector = Collector::start().await;
    let (sender, receiver) = mpsc::channel(8);
    let stream = futures::stream::unfold(receiver, async |mut receiver| {
        Some((receiver.recv().await?, receiver))
    });
    let mut client = collector.client().await;
    let mut open = tokio::task::JoinSet::new();
    open.spawn(async move { client.stream_access_logs(Box::pin(stream)).await });
    sender
        .send(first_message(vec![entry("10.0.0.2"); 5]))
        .await
        .unwrap();
    collector.until_sample("alscope_streams", 1.0).await;
    tokio::time::timeout(Duration::from_secs(5), collector.stop())
        .await
        .unwrap();
    open.join_next().await.unwrap().unwrap().unwrap();
}
