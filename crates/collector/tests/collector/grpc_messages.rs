//! The messages of gRPC calls in `/metrics`.

use als_proto::messages::envoy::data::accesslog::v3::HttpAccessLogEntry;
use prost_types::Any;

use crate::running::*;

/// A gRPC call whose proxy counted this many messages from and to the caller.
fn call(requests: u8, responses: u8) -> HttpAccessLogEntry {
    let mut entry = entry("10.0.0.2");
    let object = Any {
        type_url: "type.googleapis.com/envoy.extensions.filters.http.grpc_stats.v3.FilterObject".to_owned(),
        value: vec![0x08, requests, 0x10, responses],
    };
    let common = entry.common_properties.as_mut().unwrap();
    common
        .filter_state_objects
        .insert("envoy.filters.http.grpc_stats".to_owned(), object);
    let headers = &mut entry.request.as_mut().unwrap().request_headers;
    headers.insert("content-type".to_owned(), "application/grpc".to_owned());
    entry
}

#[tokio::test]
async fn messages_are_counted_for_the_series_whose_proxies_log_them_and_for_no_others() {
    let collector = Collector::start().await;
    let mut client = collector.client().await;
    let entries = vec![call(3, 0), call(1, 0), entry("10.0.0.2")];
    let messages = futures::stream::iter([first_message(entries)]);
    client.stream_access_logs(messages).await.unwrap();
    collector
        .until_sample("alscope_entries_received_total", 3.0)
        .await;
    let (_, text) = collector.get(collector.admin, "/metrics").await;
    let samples = |name: &str| -> Vec<(bool, &str)> {
        let name = format!("{name}{{");
        let lines = text.lines().filter(|line| line.starts_with(&name));
        lines
            .filter_map(|line| line.rsplit_once(' '))
            .map(|(series, value)| (series.contains("request_protocol=\"grpc\""), value))
            .collect()
    };
    assert_eq!(samples("alscope_requests_total").len(), 2);
    assert_eq!(samples("alscope_grpc_request_messages_total"), [(true, "4")]);
    assert_eq!(samples("alscope_grpc_response_messages_total"), [(true, "0")]);
    collector.stop().await;
}
