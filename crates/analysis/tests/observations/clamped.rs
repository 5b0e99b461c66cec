//! Values beyond sense: they are counted as the nearest one that is believed, and no sum ever falls.

use als_proto::messages::envoy::data::accesslog::v3::HttpAccessLogEntry;
use alscope_analysis::accounting::ClampedField;
use alscope_analysis::aggregate::series::HttpCounts;
use alscope_analysis::analyze::latency::MAX_MICROSECONDS;
use alscope_analysis::analyze::measure::{MAX_CONNECTION_BYTES, MAX_REQUEST_BYTES, MAX_STATUS_CODE};
use prost_types::Duration;
use rstest::rstest;

use crate::entry::*;
use crate::mesh::*;

/// A request of so many bytes that was answered with as many, in a time.
fn sized(received: u64, sent: u64, duration: Duration) -> HttpAccessLogEntry {
    let mut common = outbound();
    common.downstream_wire_bytes_received = received;
    common.downstream_wire_bytes_sent = sent;
    common.duration = Some(duration);
    request(common, Some(200))
}

fn seconds(seconds: i64) -> Duration {
    Duration { seconds, nanos: 0 }
}

/// What the only series counted.
fn counts(mesh: &mut Mesh) -> HttpCounts {
    let mut series = mesh.http();
    assert_eq!(series.len(), 1, "{series:#?}");
    series.remove(0).1
}

/// Fields that were clamped, each with how often.
fn clamped(mesh: &mut Mesh) -> Vec<(ClampedField, u64)> {
    let accounting = mesh.accounting();
    let all = ClampedField::ALL
        .iter()
        .map(|field| (*field, accounting.clamped(*field)));
    all.filter(|(_, count)| *count > 0).collect()
}

// proves: measure/clamped
#[rstest]
#[case::sense(sized(MAX_REQUEST_BYTES, 7, seconds(366 * 24 * 3600)), [MAX_MICROSECONDS, MAX_REQUEST_BYTES, 7], &[])]
#[case::largest_request(sized(u64::MAX, 7, seconds(1)), [1_000_000, MAX_REQUEST_BYTES, 7], &[ClampedField::RequestBytes])]
#[case::largest_response(sized(1, u64::MAX, seconds(1)), [1_000_000, 1, MAX_REQUEST_BYTES], &[ClampedField::ResponseBytes])]
#[case::just_too_large(sized(1, MAX_REQUEST_BYTES + 1, seconds(1)), [1_000_000, 1, MAX_REQUEST_BYTES], &[ClampedField::ResponseBytes])]
#[case::longest(sized(1, 1, seconds(i64::MAX)), [MAX_MICROSECONDS, 1, 1], &[ClampedField::Duration])]
#[case::a_second_too_long(sized(1, 1, seconds(366 * 24 * 3600 + 1)), [MAX_MICROSECONDS, 1, 1], &[ClampedField::Duration])]
#[case::negative(sized(1, 1, seconds(-1)), [0, 1, 1], &[ClampedField::Duration])]
#[case::most_negative(sized(1, 1, seconds(i64::MIN)), [0, 1, 1], &[ClampedField::Duration])]
#[case::all(sized(u64::MAX, u64::MAX, seconds(i64::MIN)), [0, MAX_REQUEST_BYTES, MAX_REQUEST_BYTES],
    &[ClampedField::Duration, ClampedField::RequestBytes, ClampedField::ResponseBytes])]
fn a_value_beyond_sense_is_the_nearest_one_that_is_believed(
    #[case] entry: HttpAccessLogEntry,
    #[case] sums: [u64; 3],
    #[case] fields: &[ClampedField],
) {
    let mut mesh = Mesh::new();
    mesh.take(PRODUCTPAGE_NODE, http([entry]));
    let counts = counts(&mut mesh);
    assert_eq!(
        [
            counts.duration.sum,
            counts.request_bytes.sum,
            counts.response_bytes.sum
        ],
        sums
    );
    let expected: Vec<_> = fields.iter().map(|field| (*field, 1)).collect();
    assert_eq!(clamped(&mut mesh), expected);
}

// proves: measure/clamped
#[test]
fn all_codes_of_more_than_three_digits_are_one() {
    let mut mesh = Mesh::new();
    let codes = [MAX_STATUS_CODE, MAX_STATUS_CODE + 1, 70_000, u32::MAX];
    mesh.take(
        PRODUCTPAGE_NODE,
        http(codes.map(|code| request(outbound(), Some(code)))),
    );
    assert_eq!(counts(&mut mesh).requests, 4);
    assert_eq!(clamped(&mut mesh), [(ClampedField::ResponseCode, 3)]);
}

// proves: measure/clamped
#[test]
fn bytes_of_connections_are_clamped_by_themselves() {
    let mut mesh = Mesh::new();
    let large = MAX_REQUEST_BYTES * 2;
    let mut common = outbound();
    common.downstream_wire_bytes_received = 0;
    common.downstream_wire_bytes_sent = 0;
    mesh.take(PRODUCTPAGE_NODE, tcp(common, large, u64::MAX));
    let counts = mesh.tcp().remove(0).1;
    let mut bytes = [counts.received_bytes, counts.sent_bytes];
    bytes.sort_unstable();
    assert_eq!(bytes, [large, MAX_CONNECTION_BYTES]);
    assert_eq!(clamped(&mut mesh).iter().map(|(_, count)| count).sum::<u64>(), 1);
}

// proves: measure/never-falls
#[test]
fn no_sum_falls_however_large_what_comes_is() {
    let mut mesh = Mesh::new();
    let mut before = [0; 3];
    for number in 0..40_u64 {
        let entry = || sized(u64::MAX - number, u64::MAX, seconds(i64::MAX));
        mesh.take(PRODUCTPAGE_NODE, http((0..2000).map(|_| entry())));
        let counts = counts(&mut mesh);
        let sums = [
            counts.request_bytes.sum,
            counts.response_bytes.sum,
            counts.duration.sum,
        ];
        assert!(
            (0..3).all(|place| sums[place] >= before[place]),
            "{sums:?} after {before:?}"
        );
        before = sums;
    }
    assert_eq!(before[..2], [u64::MAX; 2]);
}
