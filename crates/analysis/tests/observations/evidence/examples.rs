//! The example that a piece of evidence has of its calls.

use super::*;

// proves: why/example
#[test]
fn an_example_shows_the_entry_without_its_secrets() {
    let mut mesh = Mesh::new();
    let mut common = outbound();
    common.route_name = "default".into();
    common.response_flags = Some(als_proto::messages::envoy::data::accesslog::v3::ResponseFlags {
        upstream_connection_failure: true,
        ..Default::default()
    });
    let mut entry = request(common, Some(503));
    entry.request.as_mut().unwrap().authority = "user:secret@reviews:9080".into();
    mesh.take(PRODUCTPAGE_NODE, http([entry]));
    let snapshot = mesh.snapshot();
    let [row] = &snapshot.evidence.rows()[..] else {
        panic!("{snapshot:?}")
    };
    let example = row.example.as_deref().unwrap();
    let expected = ExampleRequest {
        method: Method::Get,
        authority: "reviews:9080".into(),
        path: "/reviews/1?token={redacted}".into(),
        response_code: 503,
    };
    assert_eq!(example.request, Some(expected));
    assert_eq!(example.started, at(NOW));
    assert_eq!(&*example.proxy, PRODUCTPAGE_NODE);
    let texts = [
        &example.response_flags,
        &example.upstream_cluster,
        &example.route_name,
        &example.downstream_direct_remote_address,
        &example.downstream_remote_address,
        &example.downstream_local_address,
        &example.upstream_remote_address,
        &example.downstream_peer,
    ]
    .map(|text| &**text);
    assert_eq!(
        texts,
        [
            "UF",
            REVIEWS_CLUSTER,
            "default",
            "10.0.0.1:40000",
            "10.0.0.1:40000",
            "10.96.0.2:9080",
            "10.0.0.2:9080",
            ""
        ]
    );
}

#[test]
fn an_example_names_the_peers_and_addresses_of_any_kind() {
    let mut mesh = Mesh::analyzed_by(&[MxMesh]);
    let mut common = with(outbound(), &["upstream_peer"]);
    common.downstream_remote_address = socket("fd00::1", 1);
    common.downstream_local_address = pipe("/run/\u{7}.sock");
    common.upstream_remote_address = internal("10.0.0.2:9080");
    common.upstream_cluster = format!("{REVIEWS_CLUSTER}{}", "é".repeat(100));
    mesh.take(PRODUCTPAGE_NODE, tcp(common, 1, 1));
    let snapshot = mesh.snapshot();
    let example = snapshot.evidence.rows()[0].example.clone().unwrap();
    assert_eq!(example.request, None);
    assert_eq!(&*example.upstream_peer, "demo/mx");
    assert_eq!(&*example.downstream_remote_address, "[fd00::1]:1");
    assert_eq!(&*example.downstream_local_address, "/run/\u{fffd}.sock");
    assert_eq!(
        &*example.upstream_remote_address,
        "connect_originate/10.0.0.2:9080"
    );
    let cluster = &*example.upstream_cluster;
    assert!(
        cluster.starts_with(REVIEWS_CLUSTER) && cluster.ends_with("é…"),
        "{cluster}"
    );
    assert!(cluster.len() <= 128 + "…".len(), "{cluster}");
}

#[rstest]
#[case::just_short_enough(4095, "/of/of/")]
#[case::too_long(4096, "{redacted}")]
fn a_path_that_is_too_long_to_look_through_is_not_shown(#[case] bytes: usize, #[case] beginning: &str) {
    let mut mesh = Mesh::new();
    let mut entry = request(outbound(), Some(200));
    let mut path = "/of".repeat(2000);
    path.truncate(1 + bytes);
    entry.request.as_mut().unwrap().path = path;
    mesh.take(PRODUCTPAGE_NODE, http([entry]));
    let example = mesh.snapshot().evidence.rows()[0].example.clone().unwrap();
    let shown = example.request.clone().unwrap().path;
    assert!(shown.starts_with(beginning), "{shown}");
}

/// An example is renewed by an entry that had to be looked up, after ten seconds.
#[rstest]
#[case::soon(9, "/old")]
#[case::later(10, "/new")]
fn an_example_is_renewed(#[case] seconds: i64, #[case] expected: &str) {
    let mut mesh = Mesh::new();
    for (path, received) in [("/old", NOW), ("/new", NOW + seconds)] {
        // Another address, so that it is looked up.
        let mut entry = request(
            from(if path == "/old" {
                "203.0.113.1"
            } else {
                "203.0.113.2"
            }),
            Some(200),
        );
        entry.request.as_mut().unwrap().path = path.into();
        mesh.take_at(REVIEWS_NODE, http([entry]), received);
        mesh.snapshot();
    }
    let example = mesh.snapshot().evidence.rows()[0].example.clone().unwrap();
    assert_eq!(&*example.request.clone().unwrap().path, expected);
}

/// Whatever its age, an example is taken only of what had to be looked up.
#[test]
fn a_known_identity_allocates_nothing() {
    let mut mesh = Mesh::new();
    let mut other = outbound();
    other.upstream_remote_address = None;
    let entries = [outbound(), other, through_a_tunnel()].map(|common| request(common, Some(200)));
    let message = StreamAccessLogsMessage {
        identifier: Some(identifier(PRODUCTPAGE_NODE)),
        log_entries: Some(http(entries)),
    };
    let bytes = message.encode_to_vec();
    let message = Message::read(&bytes).unwrap();
    let identifier = message.identifier().unwrap().unwrap();
    let node = Node::identify(&identifier, mesh.shard.registry()).unwrap();
    let mut take = |received: i64| {
        let mut progress = MessageProgress::new(message.entries(), at(received));
        while mesh.shard.read_entries(&mesh.directory, &node, &mut progress, 3) {}
    };
    take(NOW);
    let allocations = allocation_counter::measure(|| take(NOW + 60));
    assert_eq!(allocations.count_total, 0);
    assert_eq!(mesh.accounting().observed, 6);
}

/// An entry that came to nothing is no example of anything.
#[test]
fn an_entry_that_is_rejected_is_no_example() {
    let mut mesh = Mesh::new();
    let mut common = outbound();
    common.upstream_remote_address = socket("no address", 1);
    mesh.take(PRODUCTPAGE_NODE, ok(common));
    assert!(mesh.snapshot().evidence.rows().is_empty());
}
