//! What HTTP and TCP entries share.

mod response_flags;
mod tls;

use als_proto::{Address, Certificate, Duration, Entry, Malformed, Message, Timestamp, TlsProperties};
use rstest::rstest;

use crate::encode::{common, http_entry, message, read_common, read_http_entry, signed, string, varint};

/// `SocketAddress`, `Pipe` and `EnvoyInternalAddress` as members of `Address.address`.
fn socket(address: &str, port: u64) -> Vec<u8> {
    message(1, [string(2, address), varint(3, port)])
}

fn pipe(path: &str) -> Vec<u8> {
    message(2, [string(1, path), varint(2, 0o600)])
}

const SOCKET: Address<'_> = Address::Socket {
    address: b"10.0.0.1",
    port: 9080,
};
const NO_PORT: Address<'_> = Address::Socket {
    address: b"10.0.0.1",
    port: 0,
};

#[rstest]
#[case::socket(socket("10.0.0.1", 9080), SOCKET)]
#[case::literal(b"\x0a\x0d\x12\x0810.0.0.1\x18\xf8\x46".to_vec(), SOCKET)]
#[case::port_of_one_byte(socket("10.0.0.1", 80), Address::Socket { address: b"10.0.0.1", port: 80 })]
#[case::port_of_three_bytes(socket("10.0.0.1", 65_535), Address::Socket { address: b"10.0.0.1", port: 65_535 })]
#[case::port_beyond_range(socket("10.0.0.1", 1 << 21), Address::Socket { address: b"10.0.0.1", port: 1 << 21 })]
#[case::long_text(socket(&"x".repeat(130), 80), Address::Socket { address: &[b'x'; 130], port: 80 })]
#[case::named_port(message(1, [string(2, "10.0.0.1"), string(4, "http")]), NO_PORT)]
#[case::named_port_behind_a_number(message(1, [string(2, "10.0.0.1"), varint(3, 1), string(4, "http")]), NO_PORT)]
#[case::number_behind_a_named_port(message(1, [string(2, "10.0.0.1"), string(4, "http"), varint(3, 9080)]), SOCKET)]
#[case::port_of_one_byte(socket("10.0.0.1", 80), Address::Socket { address: b"10.0.0.1", port: 80 })]
#[case::port_of_three_bytes(socket("10.0.0.1", 60_999), Address::Socket { address: b"10.0.0.1", port: 60_999 })]
#[case::port_longer_than_needed(b"\x0a\x10\x12\x0810.0.0.1\x18\xf8\xc6\x80\x80\x00".to_vec(), SOCKET)]
#[case::port_twice(message(1, [string(2, "10.0.0.1"), varint(3, 1), varint(3, 9080)]), SOCKET)]
#[case::port_first(message(1, [varint(3, 9080), string(2, "10.0.0.1")]), SOCKET)]
#[case::another_string_where_the_address_is(message(1, [string(5, "dns"), varint(3, 9080)]), Address::Socket { address: b"", port: 9080 })]
#[case::socket_with_a_newer_field(message(1, [string(2, "10.0.0.1"), varint(3, 9080), varint(15, 1)]), SOCKET)]
#[case::newer_field_behind_a_socket([socket("10.0.0.1", 9080), varint(15, 1)].concat(), SOCKET)]
#[case::socket_behind_a_socket([socket("10.0.0.2", 1), socket("10.0.0.1", 9080)].concat(), SOCKET)]
#[case::pieces([message(1, [string(2, "10.0.0.1")]), message(1, [varint(3, 9080)])].concat(), SOCKET)]
#[case::pipe(pipe("/run/envoy"), Address::Pipe { path: b"/run/envoy" })]
#[case::pipe_behind_a_socket([socket("10.0.0.1", 1), pipe("/run")].concat(), Address::Pipe { path: b"/run" })]
#[case::socket_starts_anew(
    [socket("10.0.0.1", 9080), pipe("/run"), message(1, [varint(3, 1)])].concat(),
    Address::Socket { address: b"", port: 1 }
)]
#[case::internal(
    message(3, [string(1, "connect_originate"), string(2, "10.0.0.1:80")]),
    Address::Internal { server_listener_name: b"connect_originate", endpoint_id: b"10.0.0.1:80" }
)]
#[case::unset(vec![], Address::Unset)]
#[case::newer_kind(message(4, []), Address::Unset)]
#[case::newer_kind_with_a_number(message(4, [string(1, "10.0.0.1"), varint(3, 9080)]), Address::Unset)]
fn addresses_of_every_kind_are_read(#[case] address: Vec<u8>, #[case] expected: Address<'_>) {
    let bytes = common([2, 3, 13, 14, 20].map(|number| string(number, &address)));
    let common = read_common(&bytes);
    assert_eq!(common.downstream_remote_address(), Ok(Some(expected)));
    assert_eq!(common.downstream_local_address(), Ok(Some(expected)));
    assert_eq!(common.upstream_remote_address(), Ok(Some(expected)));
    assert_eq!(common.upstream_local_address(), Ok(Some(expected)));
    assert_eq!(common.downstream_direct_remote_address(), Ok(Some(expected)));
}

#[test]
fn each_address_is_its_own() {
    let numbers = [2, 3, 13, 14, 20];
    let bytes = common(numbers.map(|number| message(number, [socket("a", u64::from(number))])));
    let common = read_common(&bytes);
    let read = [
        common.downstream_remote_address(),
        common.downstream_local_address(),
        common.upstream_remote_address(),
        common.upstream_local_address(),
        common.downstream_direct_remote_address(),
    ];
    assert_eq!(
        read,
        numbers.map(|port| Ok(Some(Address::Socket { address: b"a", port })))
    );
}

#[test]
fn an_address_in_pieces_is_merged_over_pieces_of_the_properties() {
    let first = message(
        1,
        [
            message(2, [message(1, [string(2, "10.0.0.1")])]),
            string(15, "old"),
        ],
    );
    let second = message(
        1,
        [message(2, [message(1, [varint(3, 9080)])]), string(15, "new")],
    );
    let bytes = http_entry([first, second]);
    let common = read_common(&bytes);
    assert_eq!(common.downstream_remote_address(), Ok(Some(SOCKET)));
    assert_eq!(common.upstream_cluster, b"new");
}

#[test]
fn what_is_absent_is_none() {
    let bytes = common([]);
    let common = read_common(&bytes);
    assert_eq!(common.downstream_remote_address(), Ok(None));
    assert_eq!(common.tls_properties(), Ok(None));
    assert_eq!(common.start_time(), Ok(None));
    assert_eq!(common.duration(), Ok(None));
    assert!(common.response_flags.is_empty());
    assert_eq!(common.filter_state_objects().count(), 0);
}

#[rstest]
#[case::epoch(vec![], 0, 0)]
#[case::a_day_in_2026(b"\x08\xf2\xa9\xf1\xc8\x06\x10\x95\x9a\xef\x3a".to_vec(), 1_763_464_434, 123_456_789)]
#[case::before_the_epoch([signed(1, -1), signed(2, 999_999_999)].concat(), -1, 999_999_999)]
#[case::last_wins([signed(1, 5), signed(2, 6), signed(1, 7)].concat(), 7, 6)]
fn timestamps_are_read(#[case] bytes: Vec<u8>, #[case] seconds: i64, #[case] nanos: i32) {
    let bytes = common([string(5, bytes)]);
    assert_eq!(
        read_common(&bytes).start_time(),
        Ok(Some(Timestamp { seconds, nanos }))
    );
}

#[rstest]
#[case::none(vec![], 0, 0)]
#[case::milliseconds(signed(2, 12_700_000), 0, 12_700_000)]
#[case::negative([signed(1, -3), signed(2, -500_000_000)].concat(), -3, -500_000_000)]
#[case::not_normalised(signed(2, 2_000_000_000), 0, 2_000_000_000)]
fn durations_are_read(#[case] bytes: Vec<u8>, #[case] seconds: i64, #[case] nanos: i32) {
    let bytes = common([string(23, bytes)]);
    assert_eq!(
        read_common(&bytes).duration(),
        Ok(Some(Duration { seconds, nanos }))
    );
}

#[test]
fn each_duration_is_its_own() {
    let numbers = [6, 7, 8, 9, 10, 11, 12, 23];
    let bytes = common(numbers.map(|number| message(number, [varint(1, u64::from(number))])));
    let common = read_common(&bytes);
    let read = [
        common.time_to_last_rx_byte(),
        common.time_to_first_upstream_tx_byte(),
        common.time_to_last_upstream_tx_byte(),
        common.time_to_first_upstream_rx_byte(),
        common.time_to_last_upstream_rx_byte(),
        common.time_to_first_downstream_tx_byte(),
        common.time_to_last_downstream_tx_byte(),
        common.duration(),
    ];
    assert_eq!(
        read,
        numbers.map(|number| Ok(Some(Duration {
            seconds: i64::from(number),
            nanos: 0
        })))
    );
}

#[rstest]
#[case::both(&[varint(1, 7), varint(2, 5)], Ok((7, 5)))]
#[case::the_other_way_round(&[varint(2, 5), varint(1, 7)], Ok((7, 5)))]
#[case::negative(&[signed(1, -7), signed(2, -5)], Ok((-7, -5)))]
#[case::none(&[], Ok((0, 0)))]
#[case::again(&[varint(1, 1), varint(2, 2), varint(1, 7), varint(2, 5)], Ok((7, 5)))]
#[case::around_an_unknown_field(&[varint(1, 7), string(3, "x"), varint(2, 5)], Ok((7, 5)))]
#[case::nanos_beyond_32_bits(&[varint(2, (1 << 40) + 5)], Ok((0, 5)))]
#[case::a_long_key(&[vec![0x88, 0x00, 7], varint(2, 5)], Ok((7, 5)))]
#[case::of_another_type(&[varint(2, 5), string(1, "x")], Err(Malformed))]
#[case::cut_off(&[varint(1, 7), vec![0x10, 0x80]], Err(Malformed))]
#[case::a_key_alone(&[varint(1, 7), vec![0x10]], Err(Malformed))]
fn times_are_seconds_and_nanos_in_any_writing(
    #[case] fields: &[Vec<u8>],
    #[case] expected: Result<(i64, i32), Malformed>,
) {
    let time = fields.concat();
    let bytes = common([string(5, &time), string(23, &time)]);
    let common = read_common(&bytes);
    let timestamp = expected.map(|(seconds, nanos)| Some(Timestamp { seconds, nanos }));
    let duration = expected.map(|(seconds, nanos)| Some(Duration { seconds, nanos }));
    assert_eq!((common.start_time(), common.duration()), (timestamp, duration));
}

#[test]
fn strings_and_numbers_are_read() {
    let strings = [15, 18, 19, 25, 26, 28]
        .map(|number| string(number, format!("field {number}")))
        .concat();
    let numbers = [24, 27, 29, 30, 31, 32, 33]
        .map(|number| varint(number, u64::from(number)))
        .concat();
    let bytes = common([strings, numbers]);
    let common = read_common(&bytes);
    assert_eq!(common.upstream_cluster, b"field 15");
    assert_eq!(common.upstream_transport_failure_reason, b"field 18");
    assert_eq!(common.route_name, b"field 19");
    assert_eq!(common.connection_termination_details, b"field 25");
    assert_eq!(common.stream_id, b"field 26");
    assert_eq!(common.downstream_transport_failure_reason, b"field 28");
    assert_eq!(common.upstream_request_attempt_count, 24);
    assert!(common.intermediate_log_entry);
    assert_eq!(common.downstream_wire_bytes_sent, 29);
    assert_eq!(common.downstream_wire_bytes_received, 30);
    assert_eq!(common.upstream_wire_bytes_sent, 31);
    assert_eq!(common.upstream_wire_bytes_received, 32);
    assert_eq!(common.access_log_type, 33);
}

#[test]
fn of_a_string_that_occurs_again_the_last_counts_in_one_message_and_in_pieces_of_it() {
    let [first, second] = ["first", "second"].map(|text| [string(15, text), string(19, text)].concat());
    let both = http_entry([message(1, [first.clone(), second.clone()])]);
    let pieces = http_entry([message(1, [first]), message(1, [second])]);
    for bytes in [both, pieces] {
        let common = read_common(&bytes);
        assert_eq!(common.upstream_cluster, b"second");
        assert_eq!(common.route_name, b"second");
        assert_eq!(common.stream_id, b"");
    }
}

#[test]
fn filter_state_objects_are_read_in_order() {
    let object = |key, url, value: &[u8]| {
        message(
            21,
            [string(1, key), message(2, [string(1, url), string(2, value)])],
        )
    };
    let bytes = common([
        object("upstream_peer", "type/a", b"\x00\xff"),
        varint(24, 1),
        object("b", "", b""),
    ]);
    let objects: Result<Vec<_>, _> = read_common(&bytes).filter_state_objects().collect();
    let objects = objects.expect("they are well-formed");
    assert_eq!(objects.len(), 2);
    assert_eq!(
        (objects[0].key, objects[0].type_url),
        (&b"upstream_peer"[..], &b"type/a"[..])
    );
    assert_eq!(objects[0].value, b"\x00\xff");
    assert_eq!(
        (objects[1].key, objects[1].type_url, objects[1].value),
        (&b"b"[..], &b""[..], &b""[..])
    );
}

#[test]
fn a_broken_submessage_is_malformed_when_it_is_asked_for() {
    let broken = b"\x0a\x7f";
    let bytes = common([
        string(2, broken),
        string(4, broken),
        string(21, broken),
        string(15, "cluster"),
    ]);
    let common = read_common(&bytes);
    assert_eq!(common.downstream_remote_address(), Err(Malformed));
    assert_eq!(common.tls_properties(), Err(Malformed));
    assert_eq!(
        common.filter_state_objects().collect::<Vec<_>>(),
        [Err(Malformed)]
    );
    assert_eq!(common.downstream_local_address(), Ok(None));
    assert_eq!(common.upstream_cluster, b"cluster");
}

#[test]
fn tcp_entries_have_common_properties_too() {
    let connection = message(2, [varint(1, 300), varint(2, 7)]);
    let bytes = message(3, [message(1, [connection, message(1, [string(15, "cluster")])])]);
    let mut entries = Message::read(&bytes)
        .expect("the message is well-formed")
        .entries();
    let Some(Ok(Entry::Tcp(entry))) = entries.next() else {
        panic!("a TCP entry")
    };
    assert!(entry.has_connection_properties);
    assert_eq!((entry.received_bytes, entry.sent_bytes), (300, 7));
    assert_eq!(
        entry.common_properties().map(|common| common.upstream_cluster),
        Some(&b"cluster"[..])
    );
    let bytes = http_entry([message(1, [])]);
    assert!(read_http_entry(&bytes).common_properties().is_some());
}
