//! The TLS of the downstream connection.

use super::*;

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
