//! What goes into a key as it was sent: never other than what it says.

use als_proto::messages::envoy::config::core::v3::{Address, SocketAddress, address};
use als_proto::messages::envoy::data::accesslog::v3::TlsProperties;
use als_proto::messages::envoy::data::accesslog::v3::tls_properties::CertificateProperties;
use als_proto::messages::envoy::data::accesslog::v3::tls_properties::certificate_properties::subject_alt_name::San;
use alscope_analysis::accounting::Rejected;
use alscope_analysis::aggregate::registry::RegistryBounds;
use alscope_analysis::identify::CallerAddress;
use alscope_analysis::shard::AnalysisSettings;

use super::*;

/// The key of an entry of the called side.
fn key_of(common: AccessLogCommon) -> Vec<u8> {
    key_in(&[common])
}

/// The same of one that is sent in pieces.
fn key_in(pieces: &[AccessLogCommon]) -> Vec<u8> {
    key_of_pieces(&Registry::default(), &[K8sMesh], identifier(REVIEWS_NODE), pieces)
}

fn tls(change: impl FnOnce(&mut TlsProperties)) -> AccessLogCommon {
    let mut common = inbound();
    common.tls_properties.as_mut().map(change);
    common
}

fn peer(change: impl FnOnce(&mut CertificateProperties)) -> AccessLogCommon {
    tls(|tls| {
        tls.peer_certificate_properties.as_mut().map(change);
    })
}

fn nothing() -> AccessLogCommon {
    AccessLogCommon::default()
}

#[rstest]
#[case::itself(inbound(), true)]
#[case::another_session(tls(|tls| tls.tls_session_id = "other".into()), true)]
#[case::another_cipher(tls(|tls| tls.tls_cipher_suite = Some(7)), true)]
#[case::another_version(tls(|tls| tls.tls_version = 3), true)]
#[case::another_server_name(tls(|tls| tls.tls_sni_hostname = "other".into()), true)]
#[case::no_tls(AccessLogCommon { tls_properties: None, ..inbound() }, false)]
#[case::no_certificate_of_the_caller(tls(|tls| tls.peer_certificate_properties = None), false)]
#[case::no_certificate_of_its_own(tls(|tls| tls.local_certificate_properties = None), false)]
#[case::certificates_the_other_way_round(
    tls(|tls| std::mem::swap(&mut tls.local_certificate_properties, &mut tls.peer_certificate_properties)),
    false
)]
#[case::a_certificate_without_names(peer(|peer| peer.subject_alt_name.clear()), false)]
fn a_connection_is_its_certificates(#[case] common: AccessLogCommon, #[case] is_same: bool) {
    assert_eq!(key_of(common) == key_of(inbound()), is_same);
}

#[test]
fn bytes_that_move_from_one_part_to_another_make_another_key() {
    let cluster = |cluster: &str| AccessLogCommon {
        upstream_cluster: cluster.into(),
        ..nothing()
    };
    let address = socket(REVIEWS, 9080);
    let remote = |address: &str| socket(address, 1);
    let keys = [
        // One address, each time elsewhere.
        AccessLogCommon {
            downstream_local_address: address.clone(),
            ..nothing()
        },
        AccessLogCommon {
            upstream_remote_address: address.clone(),
            ..nothing()
        },
        // The end of the caller's address at the beginning of the cluster, or of its own.
        AccessLogCommon {
            downstream_direct_remote_address: remote("10.0.0.12"),
            ..cluster("x")
        },
        AccessLogCommon {
            downstream_direct_remote_address: remote("0.0.0.12"),
            ..cluster("x1")
        },
        AccessLogCommon {
            downstream_direct_remote_address: remote("2"),
            ..cluster("x10.0.0.1")
        },
        cluster("x10.0.0.12"),
        // An address where the certificates would be, without its frame.
        AccessLogCommon {
            upstream_cluster: "\n".into(),
            ..nothing()
        },
        nothing(),
    ]
    .map(key_of);
    for (place, key) in keys.iter().enumerate() {
        assert!(!keys[..place].contains(key), "key {place} is there twice");
    }
}

/// The port and the rest of a socket address, which are merged.
fn halves(address: &str, port: u32) -> [Option<Address>; 2] {
    let rest = SocketAddress {
        address: address.into(),
        ..SocketAddress::default()
    };
    let rest = Address {
        address: Some(address::Address::SocketAddress(rest)),
    };
    [socket("", port), Some(rest)]
}

#[rstest]
#[case::local(
    halves(REVIEWS, 9080).map(|half| AccessLogCommon { downstream_local_address: half, ..nothing() }),
    |common: &mut AccessLogCommon| common.downstream_local_address = None
)]
#[case::upstream(
    halves(REVIEWS, 9080).map(|half| AccessLogCommon { upstream_remote_address: half, ..nothing() }),
    |common: &mut AccessLogCommon| common.upstream_remote_address = None
)]
#[case::certificates(
    [
        tls(|tls| tls.peer_certificate_properties = None),
        tls(|tls| tls.local_certificate_properties = None),
    ]
    .map(|half| AccessLogCommon { tls_properties: half.tls_properties, ..nothing() }),
    |common: &mut AccessLogCommon| common.tls_properties = None
)]
fn what_is_sent_in_pieces_is_what_they_say_together(
    #[case] pieces: [AccessLogCommon; 2],
    #[case] without: fn(&mut AccessLogCommon),
) {
    let mut rest = inbound();
    without(&mut rest);
    let [first, second] = pieces;
    let in_pieces = [rest, first, second];
    // However they are cut, the key is one and not that of any piece.
    let [rest, first, second] = in_pieces.clone();
    assert_eq!(
        key_in(&in_pieces),
        key_in(&[first.clone(), rest.clone(), second.clone()])
    );
    assert_ne!(key_in(&in_pieces), key_in(&[rest.clone(), first]));
    assert_ne!(key_in(&in_pieces), key_in(&[rest]));
    let mut mesh = Mesh::new();
    for _ in 0..2 {
        for pieces in [&in_pieces[..], &[inbound()]] {
            mesh.take_bytes(&message_in_pieces(identifier(REVIEWS_NODE), pieces));
        }
    }
    let counts: Vec<_> = mesh
        .tcp()
        .into_iter()
        .map(|(_, counts)| counts.connections)
        .collect();
    assert_eq!(counts, [4], "all are the same connection");
}

#[test]
fn of_a_long_certificate_the_principal_decides() {
    let of = |subject: &str, account: &str| {
        let mut common = inbound();
        let uri = Some(San::Uri(format!("spiffe://cluster.local/ns/demo/sa/{account}")));
        let tls = common.tls_properties.as_mut().unwrap();
        let certificate = tls.peer_certificate_properties.as_mut().unwrap();
        certificate.subject = subject.into();
        certificate.subject_alt_name[0].san = uri;
        key_of(common)
    };
    let [one, other] = ["x", "y"].map(|letter| letter.repeat(300));
    assert_eq!(of(&one, "a"), of(&other, "a"));
    assert_ne!(of(&one, "a"), of(&one, "b"));
}

/// How many entries are rejected, of a bad one that comes twice between two good ones: what was met once may be remembered.
fn rejected(bad: &[u8], string_bytes: usize, reason: Rejected) -> u64 {
    let settings = AnalysisSettings {
        string_bytes,
        ..AnalysisSettings::default()
    };
    let mut mesh = Mesh::with(settings, RegistryBounds::default());
    let good = message_in_pieces(identifier(REVIEWS_NODE), &[inbound()]);
    for bytes in [&good, bad, bad, &good] {
        mesh.take_bytes(bytes);
    }
    let accounting = mesh.accounting();
    assert_eq!(accounting.received, 4);
    assert_eq!(accounting.observed + accounting.rejected(reason), 4);
    accounting.rejected(reason)
}

const PRINCIPAL_BYTES: usize = "spiffe://cluster.local/ns/demo/sa/productpage".len();

#[rstest]
#[case::as_long_as_the_limit(PRINCIPAL_BYTES, 0)]
#[case::longer(PRINCIPAL_BYTES - 1, 4)]
fn a_principal_is_held_to_the_limit_whatever_is_around_it(#[case] limit: usize, #[case] expected: u64) {
    let bytes = message_in_pieces(identifier(REVIEWS_NODE), &[inbound()]);
    assert_eq!(rejected(&bytes, limit, Rejected::StringTooLong), expected);
}

#[rstest]
#[case::local(3, &[0x0a, 0x7f], |common: &mut AccessLogCommon| common.downstream_local_address = None)]
#[case::certificates(4, &[0x22, 2, 0x0a, 0x7f], |common: &mut AccessLogCommon| common.tls_properties = None)]
#[case::upstream(13, &[0x0a, 0x7f], |common: &mut AccessLogCommon| common.upstream_remote_address = None)]
#[case::caller(20, &[0x0a, 0x7f], |common: &mut AccessLogCommon| common.downstream_direct_remote_address = None)]
fn what_can_not_be_decoded_is_rejected_each_time(
    #[case] number: u16,
    #[case] broken: &[u8],
    #[case] without: fn(&mut AccessLogCommon),
) {
    let mut common = inbound();
    without(&mut common);
    let mut common = common.encode_to_vec();
    prost::encode_length_delimiter(usize::from(number << 3 | 2), &mut common).unwrap();
    // A message with a length that reaches beyond its end.
    common.push(broken.len() as u8);
    common.extend_from_slice(broken);
    let bytes = message_of_bytes(identifier(REVIEWS_NODE), &field(1, &common));
    assert_eq!(rejected(&bytes, LIMIT, Rejected::MalformedEntry), 2);
}

#[rstest]
#[case::an_endpoint_id(&[K8sMesh], |common: &mut AccessLogCommon| common.downstream_direct_remote_address = internal("10.0.0.1:41000"))]
#[case::no_upstream(&[MxMesh], |common: &mut AccessLogCommon| common.upstream_remote_address = None)]
#[case::an_upstream_that_is_no_host(&[MxMesh], |common: &mut AccessLogCommon| common.upstream_remote_address = pipe("/x"))]
#[case::no_local_address(&[MxMesh], |common: &mut AccessLogCommon| common.downstream_local_address = None)]
fn what_an_address_is_matters(#[case] chain: &[Analyzer], #[case] change: fn(&mut AccessLogCommon)) {
    let registry = Registry::default();
    let of = |common| key(&registry, chain, identifier_of(REVIEWS_NODE, "own"), common);
    let mut common = inbound();
    change(&mut common);
    assert_ne!(of(common), of(inbound()));
}

#[test]
fn a_caller_that_is_forwarded_is_not_remembered_with_the_certificate_of_who_forwards() {
    let settings = AnalysisSettings {
        gateway_caller: CallerAddress::Forwarded,
        ..AnalysisSettings::default()
    };
    let mut mesh = Mesh::with(settings, RegistryBounds::default());
    for direct in [PRODUCTPAGE, REVIEWS, PRODUCTPAGE] {
        let common = AccessLogCommon {
            downstream_remote_address: socket(PRODUCTPAGE, 0),
            downstream_direct_remote_address: socket(direct, 42_000),
            tls_properties: inbound().tls_properties,
            ..through_gateway()
        };
        mesh.take(GATEWAY_NODE, ok(common));
    }
    let mut requests: Vec<_> = mesh
        .http()
        .iter()
        .filter(|(labels, _)| labels.get("reporter") == "destination")
        .map(|(labels, counts)| (labels.get("source_principal").to_owned(), counts.requests))
        .collect();
    requests.sort();
    let principal = "spiffe://cluster.local/ns/demo/sa/productpage";
    assert_eq!(requests, [(principal.to_owned(), 2), ("unknown".to_owned(), 1)]);
}
