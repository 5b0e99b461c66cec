//! What HTTP and TCP entries share.

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
fn tls_properties_are_read() {
    let local = message(
        4,
        [
            message(1, [string(1, "spiffe://td/ns/a/sa/b")]),
            string(2, "CN=b"),
        ],
    );
    let dns = message(1, [string(2, "b.example")]);
    let [first, second] =
        ["spiffe://td/ns/c/sa/d", "spiffe://td/ns/e/sa/f"].map(|uri| message(1, [string(1, uri)]));
    let peer = message(5, [dns, first, second, string(3, "issuer")]);
    let bytes = common([message(
        4,
        [
            varint(1, 4),
            string(3, "outbound_.80_._.b"),
            local,
            peer,
            string(6, "id"),
        ],
    )]);
    let expected = TlsProperties {
        version: 4,
        sni: b"outbound_.80_._.b",
        local_certificate: Some(Certificate {
            subject: b"CN=b",
            uri_san: b"spiffe://td/ns/a/sa/b",
        }),
        peer_certificate: Some(Certificate {
            subject: b"",
            uri_san: b"spiffe://td/ns/c/sa/d",
        }),
    };
    assert_eq!(read_common(&bytes).tls_properties(), Ok(Some(expected)));
}

#[rstest]
#[case::alone(&[message(1, [string(1, "spiffe://a")])], "", "spiffe://a")]
#[case::before_a_subject(&[message(1, [string(1, "spiffe://a")]), string(2, "CN=a")], "CN=a", "spiffe://a")]
#[case::first_of_two(&[message(1, [string(1, "spiffe://a")]), message(1, [string(1, "spiffe://b")])], "", "spiffe://a")]
#[case::behind_a_blank_one(&[message(1, [string(1, "")]), message(1, [string(1, "spiffe://b")])], "", "spiffe://b")]
#[case::last_of_one_name(&[message(1, [string(1, "spiffe://a"), string(1, "spiffe://b")])], "", "spiffe://b")]
#[case::blank(&[message(1, [string(1, "")])], "", "")]
fn the_first_uri_that_says_something_counts(
    #[case] certificate: &[Vec<u8>],
    #[case] subject: &str,
    #[case] uri_san: &str,
) {
    let expected = Certificate {
        subject: subject.as_bytes(),
        uri_san: uri_san.as_bytes(),
    };
    let certificate = certificate.concat();
    let (whole, pieces) = (string(4, &certificate), [string(4, &certificate), string(4, "")]);
    for tls in [message(4, [whole]), message(4, pieces)] {
        let bytes = common([tls]);
        let tls = read_common(&bytes).tls_properties().expect("well-formed");
        assert_eq!(tls.and_then(|tls| tls.local_certificate), Some(expected));
    }
}

#[rstest]
#[case::both(&[varint(1, 4), string(4, "a"), string(5, "b"), string(6, "id")], Ok(Some("\x22\x01a\x2a\x01b")))]
#[case::one(&[string(3, "name"), string(5, "b")], Ok(Some("\x2a\x01b")))]
#[case::none(&[varint(1, 4)], Ok(Some("")))]
#[case::in_adjacent_pieces(&[string(4, "a"), string(4, "c")], Ok(Some("\x22\x01a\x22\x01c")))]
#[case::apart(&[string(4, "a"), varint(1, 4), string(5, "b")], Ok(None))]
#[case::broken_before(&[varint(4, 1), string(5, "b")], Err(Malformed))]
#[case::broken_behind(&[string(4, "a"), vec![0x32, 0x7f]], Err(Malformed))]
#[case::broken_within(&[vec![0x22, 0x7f, 0x61]], Err(Malformed))]
fn certificates_are_handed_out_as_sent(
    #[case] tls: &[Vec<u8>],
    #[case] expected: Result<Option<&str>, Malformed>,
) {
    let bytes = common([string(4, tls.concat())]);
    let expected = expected.map(|sent| sent.map(str::as_bytes));
    assert_eq!(read_common(&bytes).certificates_as_sent(), expected);
}

#[rstest]
#[case::alone(&[string(3, "name")], Ok("name"))]
#[case::last(&[string(3, "one"), varint(1, 4), string(4, ""), string(3, "name")], Ok("name"))]
#[case::none(&[string(4, "")], Ok(""))]
#[case::broken(&[vec![0x1a, 0x7f, 0x61]], Err(Malformed))]
#[case::broken_behind(&[string(3, "name"), vec![0x32, 0x7f]], Err(Malformed))]
fn the_server_name_is_read_by_itself(#[case] tls: &[Vec<u8>], #[case] expected: Result<&str, Malformed>) {
    let bytes = common([string(4, tls.concat())]);
    let expected = expected.map(str::as_bytes);
    assert_eq!(read_common(&bytes).server_name(), expected);
    let bytes = common([string(4, tls.concat()), string(4, "")]);
    assert_eq!(read_common(&bytes).server_name(), expected);
}

#[test]
fn what_is_handed_out_as_sent_is_in_one_piece() {
    let bytes = common([string(3, "local"), string(13, "upstream")]);
    let read = read_common(&bytes);
    assert_eq!(read.downstream_local_address_as_sent(), Some(&b"local"[..]));
    assert_eq!(read.upstream_remote_address_as_sent(), Some(&b"upstream"[..]));
    assert_eq!(read.certificates_as_sent(), Ok(Some(&b""[..])));
    let pieces =
        ["a", "b"].map(|piece| [string(3, piece), string(4, string(4, piece)), string(13, piece)].concat());
    let bytes = common(pieces);
    let read = read_common(&bytes);
    assert_eq!(read.downstream_local_address_as_sent(), None);
    assert_eq!(read.upstream_remote_address_as_sent(), None);
    assert_eq!(read.certificates_as_sent(), Ok(None));
}

#[test]
fn a_name_that_turned_from_uri_to_dns_is_no_uri() {
    let name = message(1, [string(1, "spiffe://td/ns/a/sa/b"), string(2, "b.example")]);
    let bytes = common([message(4, [message(5, [name])])]);
    let tls = read_common(&bytes)
        .tls_properties()
        .expect("well-formed")
        .expect("there are some");
    assert_eq!(
        tls.peer_certificate,
        Some(Certificate {
            subject: b"",
            uri_san: b""
        })
    );
    assert_eq!(tls.local_certificate, None);
}

#[rstest]
#[case(1, "LH")]
#[case(2, "UH")]
#[case(3, "UT")]
#[case(4, "LR")]
#[case(5, "UR")]
#[case(6, "UF")]
#[case(7, "UC")]
#[case(8, "UO")]
#[case(9, "NR")]
#[case(10, "DI")]
#[case(11, "FI")]
#[case(12, "RL")]
#[case(14, "RLSE")]
#[case(15, "DC")]
#[case(16, "URX")]
#[case(17, "SI")]
#[case(18, "IH")]
#[case(19, "DPE")]
#[case(20, "UMSDR")]
#[case(21, "RFCF")]
#[case(22, "NFCF")]
#[case(23, "DT")]
#[case(24, "UPE")]
#[case(25, "NC")]
#[case(26, "OM")]
#[case(27, "DF")]
#[case(28, "DR")]
fn each_response_flag_has_envoys_short_code(#[case] number: u32, #[case] code: &str) {
    let bytes = common([message(16, [varint(number, 1)])]);
    let flags = read_common(&bytes).response_flags;
    assert_eq!(flags.bits(), 1 << number);
    assert!(flags.contains(number));
    assert_eq!(flags.short_codes().collect::<Vec<_>>(), [code]);
}

#[rstest]
#[case::unauthorized_details_by_presence(vec![message(13, [])], &["UAEX"])]
#[case::with_a_reason(vec![message(13, [varint(1, 1)])], &["UAEX"])]
#[case::in_the_order_of_their_numbers(vec![varint(28, 1), message(13, []), varint(2, 1)], &["UH", "UAEX", "DR"])]
#[case::false_is_not_set(vec![varint(2, 0)], &[])]
#[case::last_wins(vec![varint(2, 1), varint(4, 1), varint(2, 0)], &["LR"])]
#[case::newer_flags_are_ignored(vec![varint(29, 1), varint(63, 1), varint(64, 1), varint(3, 2)], &["UT"])]
fn response_flags_are_a_set(#[case] fields: Vec<Vec<u8>>, #[case] codes: &[&str]) {
    let bytes = common([string(16, fields.concat())]);
    let flags = read_common(&bytes).response_flags;
    assert_eq!(flags.short_codes().collect::<Vec<_>>(), codes);
    assert_eq!(flags.is_empty(), codes.is_empty());
    assert!(
        ![0, 29, 63, 64, u32::MAX]
            .into_iter()
            .any(|number| flags.contains(number))
    );
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
fn flags_of_all_occurrences_are_one_set() {
    let flags = [
        message(16, [varint(2, 1), varint(4, 1)]),
        message(16, [varint(2, 0), varint(3, 1)]),
    ];
    let pieces = flags.clone().map(|flags| message(1, [flags]));
    for bytes in [common(flags), http_entry(pieces)] {
        let codes: Vec<&str> = read_common(&bytes).response_flags.short_codes().collect();
        assert_eq!(codes, ["UT", "LR"]);
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
