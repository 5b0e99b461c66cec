//! The readers see in any bytes what prost sees.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod comparison;
mod metrics;
mod schema;
mod wire;

use als_proto::messages::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use als_proto::messages::envoy::service::metrics::v3::StreamMetricsMessage;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message as _;

use schema::{STREAM_ACCESS_LOGS_MESSAGE, STREAM_METRICS_MESSAGE};

/// `PROPTEST_CASES` in the environment asks for more or fewer cases.
fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_message_is_read_with_equal_fields(bytes in wire::message(&STREAM_ACCESS_LOGS_MESSAGE)) {
        prop_assert!(StreamAccessLogsMessage::decode(bytes.as_slice()).is_ok(), "the message is valid");
        comparison::check(&bytes);
    }

    #[test]
    fn damaged_messages_are_read_or_rejected(
        mut bytes in wire::message(&STREAM_ACCESS_LOGS_MESSAGE),
        damages in wire::damage(),
    ) {
        for damage in damages {
            damage.apply(&mut bytes);
        }
        comparison::check(&bytes);
    }

    #[test]
    fn random_bytes_are_read_or_rejected(bytes in vec(any::<u8>(), 0..100)) {
        comparison::check(&bytes);
    }

    #[test]
    fn any_metrics_message_is_read_with_equal_fields(bytes in wire::message(&STREAM_METRICS_MESSAGE)) {
        prop_assert!(StreamMetricsMessage::decode(bytes.as_slice()).is_ok(), "the message is valid");
        metrics::check(&bytes);
    }

    #[test]
    fn damaged_metrics_messages_are_read_or_rejected(
        mut bytes in wire::message(&STREAM_METRICS_MESSAGE),
        damages in wire::damage(),
    ) {
        for damage in damages {
            damage.apply(&mut bytes);
        }
        metrics::check(&bytes);
    }
}
