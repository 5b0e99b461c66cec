//! HTTP requests and responses.

use als_proto::Malformed;
use rstest::rstest;

use crate::encode::{http_entry, message, read_http_entry, string, varint};

#[test]
fn every_field_of_a_request_is_read() {
    let bytes = http_entry([message(
        3,
        [
            varint(1, 3),
            string(2, "https"),
            string(3, "reviews:9080"),
            message(4, [varint(1, 9080)]),
            string(5, "/reviews/0"),
            string(6, "curl/8"),
            string(7, "from"),
            string(8, "192.0.2.1"),
            string(9, "id"),
            string(10, "/original"),
            varint(11, 300),
            varint(12, 5),
        ],
    )]);
    let request = read_http_entry(&bytes).request.expect("the entry has a request");
    assert_eq!(request.method, 3);
    assert_eq!(request.scheme, b"https");
    assert_eq!(request.authority, b"reviews:9080");
    assert_eq!(request.port, Some(9080));
    assert_eq!(request.path, b"/reviews/0");
    assert_eq!(request.user_agent, b"curl/8");
    assert_eq!(request.referer, b"from");
    assert_eq!(request.forwarded_for, b"192.0.2.1");
    assert_eq!(request.request_id, b"id");
    assert_eq!(request.original_path, b"/original");
    assert_eq!(request.headers_bytes, 300);
    assert_eq!(request.body_bytes, 5);
}

#[rstest]
#[case::absent(vec![], None)]
#[case::zero(message(1, []), Some(0))]
#[case::number(message(1, [varint(1, 503)]), Some(503))]
#[case::of_one_byte(message(1, [varint(1, 99)]), Some(99))]
#[case::of_three_bytes(message(1, [varint(1, 20_000)]), Some(20_000))]
#[case::last_wins(message(1, [varint(1, 503), varint(1, 200)]), Some(200))]
#[case::pieces_are_merged([message(1, [varint(1, 503)]), message(1, [])].concat(), Some(503))]
fn response_code_is_a_number_that_may_be_absent(#[case] fields: Vec<u8>, #[case] expected: Option<u32>) {
    let bytes = http_entry([message(
        4,
        [fields, varint(2, 180), varint(3, 379), string(6, "via_upstream")],
    )]);
    let response = read_http_entry(&bytes)
        .response
        .expect("the entry has a response");
    assert_eq!(response.code, expected);
    assert_eq!(response.headers_bytes, 180);
    assert_eq!(response.body_bytes, 379);
    assert_eq!(response.code_details, b"via_upstream");
}

fn header(number: u32, name: &str, value: &str) -> Vec<u8> {
    message(number, [string(1, name), string(2, value)])
}

#[test]
fn headers_and_trailers_are_found_by_name() {
    let request = message(
        3,
        [
            string(5, "/"),
            header(13, "x-b3", "1"),
            header(13, "a", ""),
            varint(14, 9),
        ],
    );
    let response = message(
        4,
        [
            header(5, "grpc-status", "7"),
            header(4, "server", "envoy"),
            header(5, "b", "2"),
        ],
    );
    let bytes = http_entry([request, response]);
    let entry = read_http_entry(&bytes);
    let request = entry.request.expect("the entry has a request");
    assert_eq!(request.header(b"x-b3"), Ok(Some(b"1".as_slice())));
    assert_eq!(request.header(b"a"), Ok(Some(b"".as_slice())));
    assert_eq!(request.header(b"server"), Ok(None));
    let response = entry.response.expect("the entry has a response");
    assert_eq!(response.header(b"server"), Ok(Some(b"envoy".as_slice())));
    assert_eq!(response.header(b"b"), Ok(None));
    assert_eq!(response.trailer(b"grpc-status"), Ok(Some(b"7".as_slice())));
    assert_eq!(response.trailer(b"b"), Ok(Some(b"2".as_slice())));
    assert_eq!(response.trailer(b"server"), Ok(None));
}

#[test]
fn headers_of_all_pieces_of_a_request_are_found_and_the_last_wins() {
    let first = message(
        3,
        [header(13, "a", "old"), header(13, "b", "1"), string(5, "/old")],
    );
    let second = message(3, [header(13, "a", "new"), string(5, "/new")]);
    let bytes = http_entry([first, varint(2, 2), second]);
    let entry = read_http_entry(&bytes);
    let request = entry.request.expect("the entry has a request");
    assert_eq!(entry.protocol_version, 2);
    assert_eq!(request.path, b"/new");
    assert_eq!(request.header(b"a"), Ok(Some(b"new".as_slice())));
    assert_eq!(request.header(b"b"), Ok(Some(b"1".as_slice())));
    let headers: Vec<_> = request.headers().flatten().collect();
    assert_eq!(headers, [(&b"a"[..], &b"old"[..]), (b"b", b"1"), (b"a", b"new")]);
}

#[test]
fn a_broken_header_is_malformed_when_headers_are_asked_for() {
    let bytes = http_entry([message(3, [string(13, b"\x0a\x7f"), string(5, "/")])]);
    let request = read_http_entry(&bytes).request.expect("the entry has a request");
    assert_eq!(request.path, b"/");
    assert_eq!(request.header(b"a"), Err(Malformed));
}

#[test]
fn an_entry_may_have_nothing() {
    let bytes = http_entry([]);
    let entry = read_http_entry(&bytes);
    assert!(entry.request.is_none());
    assert!(entry.response.is_none());
    assert!(entry.common_properties().is_none());
}
