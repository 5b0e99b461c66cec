use als_proto::messages::envoy::config::core::v3::Node;
use als_proto::messages::envoy::service::metrics::v3::StreamMetricsMessage;
use als_proto::messages::envoy::service::metrics::v3::stream_metrics_message::Identifier as NodeIdentifier;
use als_proto::messages::io::prometheus::client::{Gauge, Metric, MetricFamily, MetricType};
use prost::Message as _;

use super::*;

const NOW: Moment = Moment(1_000_000_000_000);

/// Returns a message of the node `id` with this many gauges.
fn bytes(id: &str, gauges: usize) -> Vec<u8> {
    let node = Node {
        id: id.to_owned(),
        ..Node::default()
    };
    let gauge = |number| MetricFamily {
        name: Some(format!("server.gauge_{number}")),
        r#type: Some(MetricType::Gauge as i32),
        metric: vec![Metric {
            gauge: Some(Gauge { value: Some(1.0) }),
            ..Metric::default()
        }],
        ..MetricFamily::default()
    };
    let message = StreamMetricsMessage {
        identifier: Some(NodeIdentifier { node: Some(node) }),
        envoy_metrics: (0..gauges).map(gauge).collect(),
    };
    message.encode_to_vec()
}

/// Opens a stream of the node `id` on which one message comes.
fn stream(proxies: &Proxies, id: &str, gauges: usize, now: Moment) -> Arc<Proxy> {
    let bytes = bytes(id, gauges);
    let message = MetricsMessage::read(&bytes).unwrap();
    let proxy = proxies
        .proxy(&message.identifier().unwrap().unwrap(), now)
        .unwrap();
    proxies.report(&proxy, &message, now).unwrap();
    proxy
}

fn known(proxies: &Proxies) -> Vec<String> {
    let key = |proxy: &Arc<Proxy>| proxy.identity.key.to_string();
    proxies.all().iter().map(key).collect()
}

#[test]
fn streams_of_one_node_share_their_proxy() {
    let proxies = Proxies::default();
    let one = stream(&proxies, "b", 0, NOW);
    let same = stream(&proxies, "b", 0, NOW);
    let other = stream(&proxies, "a", 0, NOW);
    one.add_received(3);
    same.add_received(4);
    other.add_received(5);
    assert_eq!((one.entries_received(), other.entries_received()), (7, 5));
    let expected = ["a", "b"].map(|id| format!("cluster=\"unknown\",proxy=\"{id}\""));
    assert_eq!(known(&proxies), expected);
}

#[test]
fn a_proxy_beyond_the_bound_is_not_shown_and_its_metrics_are_counted() {
    let proxies = Proxies::new(MetricBounds {
        proxies: 1,
        ..MetricBounds::default()
    });
    let first = stream(&proxies, "first", 2, NOW);
    let second = stream(&proxies, "second", 3, NOW);
    assert!(first.latest().is_some() && second.latest().is_none());
    assert_eq!(Overflow::ALL.map(|bound| proxies.overflowed(bound)), [3, 0, 0]);
    assert_eq!(known(&proxies), ["cluster=\"unknown\",proxy=\"first\""]);
}

#[test]
fn a_proxy_with_long_labels_is_not_shown() {
    let proxies = Proxies::new(MetricBounds {
        series_bytes: 100,
        ..MetricBounds::default()
    });
    let proxy = stream(&proxies, &"x".repeat(100), 0, NOW);
    assert_eq!(known(&proxies), Vec::<String>::new());
    // The proxy's streams still hold it.
    assert_eq!(proxy.identity, Identity::default());
}

#[test]
fn each_bound_has_its_counter() {
    let proxies = Proxies::new(MetricBounds {
        samples: 2,
        series_bytes: 80,
        ..MetricBounds::default()
    });
    stream(&proxies, "a", 5, NOW);
    assert_eq!(Overflow::ALL.map(|bound| proxies.overflowed(bound)), [0, 3, 0]);
    let proxies = Proxies::new(MetricBounds {
        series_bytes: 20,
        ..MetricBounds::default()
    });
    let short = Proxy::new(
        Identity {
            key: "".into(),
            service: "".into(),
        },
        true,
    );
    let bytes = bytes("a", 5);
    let message = MetricsMessage::read(&bytes).unwrap();
    proxies.report(&short, &message, NOW).unwrap();
    assert_eq!(Overflow::ALL.map(|bound| proxies.overflowed(bound)), [0, 0, 5]);
}

#[test]
fn a_proxy_is_forgotten_a_while_after_its_last_stream_ended_and_leaves_its_room() {
    let proxies = Proxies::new(MetricBounds {
        proxies: 1,
        samples: 2,
        ..MetricBounds::default()
    });
    let open = stream(&proxies, "first", 2, NOW);
    let end = NOW.plus(RETENTION * 3);
    proxies.expire(end);
    assert_eq!(known(&proxies).len(), 1, "its stream is open");
    drop(open);
    proxies.expire(end.plus(RETENTION));
    assert_eq!(known(&proxies).len(), 1, "its stream has just ended");
    proxies.expire(end.plus(RETENTION + Duration::from_nanos(1)));
    assert_eq!(known(&proxies), Vec::<String>::new());
    let next = stream(&proxies, "next", 2, end);
    assert_eq!(next.latest().unwrap().iter().count(), 2);
}

#[test]
fn what_a_forgotten_proxy_said_last_leaves_its_room() {
    let proxies = Proxies::default();
    drop(stream(&proxies, "first", 2, NOW.plus(RETENTION)));
    proxies
        .known
        .lock()
        .values_mut()
        .for_each(|known| known.seen = NOW);
    proxies.expire(NOW.plus(RETENTION + Duration::from_nanos(1)));
    assert_eq!((known(&proxies).len(), proxies.samples.kept()), (0, 0));
}
