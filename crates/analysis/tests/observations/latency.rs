//! Where a request's time went.

use als_proto::messages::envoy::data::accesslog::v3::AccessLogCommon;
use als_proto::messages::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use als_proto::{Entry, Message};
use alscope_analysis::analyze::latency::{LatencyParts, microseconds, parts};
use prost::Message as _;
use prost_types::Duration;
use rstest::rstest;

use crate::entry::*;

fn of(microseconds: i64) -> Duration {
    Duration {
        seconds: microseconds / 1_000_000,
        nanos: i32::try_from(microseconds % 1_000_000).unwrap() * 1000,
    }
}

/// An entry whose upstream was sent to and answered at these microseconds, with this duration or, of an old proxy, none.
fn timed(
    sent: Option<i64>,
    answered: Option<i64>,
    duration: Option<i64>,
    last_byte: Option<i64>,
) -> AccessLogCommon {
    AccessLogCommon {
        time_to_first_upstream_tx_byte: sent.map(of),
        time_to_first_upstream_rx_byte: answered.map(of),
        duration: duration.map(of),
        time_to_last_downstream_tx_byte: last_byte.map(of),
        ..outbound()
    }
}

/// The whole and its parts, as they are read from the wire.
fn read(common: AccessLogCommon) -> (u64, Option<LatencyParts>) {
    let message = StreamAccessLogsMessage {
        identifier: None,
        log_entries: Some(ok(common)),
    };
    let bytes = message.encode_to_vec();
    let mut entries = Message::read(&bytes).unwrap().entries();
    let Some(Ok(Entry::Http(entry))) = entries.next() else {
        return (u64::MAX, None);
    };
    let common = entry.common_properties().unwrap();
    (microseconds(common).unwrap(), parts(common).unwrap())
}

#[rstest]
// proves: latency/parts
#[case::parts(timed(Some(100), Some(1_700), Some(2_500), None), 2_500, Some((100, 1_600, 800)))]
// proves: latency/above-a-second
#[case::above_a_second(timed(Some(1_000_100), Some(3_000_200), Some(4_500_300), None), 4_500_300,
    Some((1_000_100, 2_000_100, 1_500_100)))]
// proves: latency/exact
#[case::below_a_millisecond(timed(Some(1), Some(2), Some(3), None), 3, Some((1, 1, 1)))]
// proves: latency/old-proxies
#[case::old_proxy(timed(Some(100), Some(200), None, Some(300)), 300, Some((100, 100, 100)))]
// proves: latency/old-proxies
#[case::duration_first(timed(Some(100), Some(200), Some(400), Some(300)), 400, Some((100, 100, 200)))]
// proves: latency/no-upstream
#[case::no_upstream(timed(None, None, Some(300), None), 300, None)]
// proves: latency/no-upstream
#[case::no_answer(timed(Some(100), None, Some(300), None), 300, None)]
#[case::backwards(timed(Some(300), Some(200), Some(250), None), 250, Some((200, 0, 50)))]
#[case::nothing(timed(None, None, None, None), 0, None)]
fn the_parts_add_up_to_the_whole(
    #[case] common: AccessLogCommon,
    #[case] whole: u64,
    #[case] expected: Option<(u64, u64, u64)>,
) {
    let expected = expected.map(|(request, upstream, response)| LatencyParts {
        request,
        upstream,
        response,
    });
    assert_eq!(read(common), (whole, expected));
}
