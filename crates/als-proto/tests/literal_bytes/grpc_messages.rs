//! How many messages a gRPC call had.

use als_proto::{FilterStateObject, GrpcMessages, Malformed};
use proptest::prelude::*;
use prost::Message as _;
use rstest::rstest;

const fn messages(requests: u64, responses: u64) -> GrpcMessages {
    GrpcMessages { requests, responses }
}

#[rstest]
#[case::none(b"", Ok(messages(0, 0)))]
#[case::both(b"\x08\x03\x10\xac\x02", Ok(messages(3, 300)))]
#[case::only_responses(b"\x10\x01", Ok(messages(0, 1)))]
#[case::again(b"\x08\x03\x08\x04", Ok(messages(4, 0)))]
#[case::a_later_field(b"\x18\x07\x08\x01", Ok(messages(1, 0)))]
#[case::cut_off(b"\x08", Err(Malformed))]
#[case::text(b"\x0a\x01x", Err(Malformed))]
fn messages_are_counted_each_way(#[case] bytes: &[u8], #[case] expected: Result<GrpcMessages, Malformed>) {
    assert_eq!(GrpcMessages::read(bytes), expected);
}

/// `envoy.extensions.filters.http.grpc_stats.v3.FilterObject`.
#[derive(Clone, PartialEq, prost::Message)]
struct FilterObject {
    #[prost(uint64, tag = "1")]
    request_message_count: u64,
    #[prost(uint64, tag = "2")]
    response_message_count: u64,
}

proptest! {
    #[test]
    fn messages_are_those_that_prost_reads(bytes in prop::collection::vec(any::<u8>(), 0..24)) {
        if let Ok(expected) = FilterObject::decode(bytes.as_slice()) {
            let expected = messages(expected.request_message_count, expected.response_message_count);
            prop_assert_eq!(GrpcMessages::read(&bytes), Ok(expected));
        }
    }

    #[test]
    fn messages_are_those_that_prost_writes(requests: u64, responses: u64) {
        let object = FilterObject { request_message_count: requests, response_message_count: responses };
        prop_assert_eq!(GrpcMessages::read(&object.encode_to_vec()), Ok(messages(requests, responses)));
    }
}

#[rstest]
#[case::googles("type.googleapis.com/a.B", true)]
#[case::without_a_domain("a.B", true)]
#[case::longer("type.googleapis.com/x.a.B", false)]
#[case::another("type.googleapis.com/a.C", false)]
fn the_type_is_behind_the_last_slash(#[case] type_url: &str, #[case] expected: bool) {
    let object = FilterStateObject {
        type_url: type_url.as_bytes(),
        ..FilterStateObject::default()
    };
    assert_eq!(object.is_of_type(b"a.B"), expected);
}
