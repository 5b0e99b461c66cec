//! Compressed messages are decompressed within the limits.

use als_proto::messages::envoy::service::accesslog::v3::StreamAccessLogsResponse;
use prost::Message as _;
use tonic::codec::CompressionEncoding;
use tonic::{Response, Status};

use crate::bad_streams::{framed, send_encoded};
use crate::methods::V3;
use crate::running::*;

#[tokio::test]
async fn gzip_messages_are_counted_like_plain_ones() {
    let collector = Collector::start().await;
    let messages = vec![
        first_message(vec![entry("10.0.0.2"); 300]),
        message(vec![entry("10.0.0.2"); 4]),
    ];
    let answered: Result<Response<StreamAccessLogsResponse>, Status> = collector
        .send(V3, messages, Some(CompressionEncoding::Gzip))
        .await;
    answered.unwrap();
    collector
        .until_sample("alscope_entries_attributed_total", 304.0)
        .await;
    collector.stop().await;
}

fn gzip(message: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(message).unwrap();
    framed(1, &encoder.finish().unwrap())
}

#[tokio::test]
async fn a_bomb_is_too_large_broken_bytes_are_no_compression_and_the_stream_goes_on() {
    let collector = Collector::start().await;
    let first = gzip(&first_message(vec![entry("10.0.0.2")]).encode_to_vec());
    let bomb = gzip(&vec![0; 100 << 20]);
    let broken = framed(1, b"no gzip, but long enough to be");
    let plain = framed(0, &message(vec![entry("10.0.0.2"); 2]).encode_to_vec());
    let body = [first, bomb, broken, plain].concat();
    let (status, _) = send_encoded(&collector, V3, body, Some("gzip")).await;
    assert_eq!(status, "0");
    collector
        .until_sample("alscope_entries_observed_total", 3.0)
        .await;
    for reason in ["message-too-large", "compression"] {
        let rejected = format!("alscope_messages_rejected_total{{reason=\"{reason}\"}}");
        collector.until_sample(&rejected, 1.0).await;
    }
    collector.stop().await;
}

#[tokio::test]
async fn an_encoding_that_is_not_served_is_refused_with_those_that_are() {
    let collector = Collector::start().await;
    let body = framed(1, b"deflated");
    let (status, headers) = send_encoded(&collector, V3, body, Some("deflate")).await;
    assert_eq!(status, "12");
    assert_eq!(headers["grpc-accept-encoding"], "identity,gzip");
    let message = headers["grpc-message"].to_str().unwrap();
    assert!(message.contains("gzip or identity"), "{message}");
    collector
        .until_sample("alscope_messages_rejected_total{reason=\"compression\"}", 1.0)
        .await;
    collector.stop().await;
}
