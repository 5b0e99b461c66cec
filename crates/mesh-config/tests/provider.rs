//! The collector's provider: written beside what is there, compared, and taken back.

use alscope_mesh_config::{
    GrpcAccessLogService, MeshConfigError, ProviderWiring, add_provider, merged, read, remove_provider,
};
use rstest::rstest;

const HOST: &str = "als.logs.svc.cluster.local";
const ITEM: &str = "\
- name: alscope
  envoyHttpAls:
    service: als.logs.svc.cluster.local
    port: 11800
    filterStateObjectsToLog:
    - upstream_peer
    - downstream_peer
    - wasm.upstream_peer
    - wasm.downstream_peer
    - wasm.upstream_peer_id
    - wasm.downstream_peer_id
    - envoy.filters.http.grpc_stats
    - io.istio.peer_principal
    - io.istio.local_principal
    additionalRequestHeadersToLog:
    - content-type
    additionalResponseHeadersToLog:
    - content-type
    - grpc-status
    additionalResponseTrailersToLog:
    - grpc-status
    - grpc-message
";

/// The wiring of a mesh that logs to `inherited` where no provider is listed.
fn with(inherited: &[String], act: impl FnOnce(&ProviderWiring<'_>)) {
    act(&ProviderWiring {
        service: HOST,
        port: 11_800,
        inherited: Some(inherited),
    });
}

fn file() -> Vec<String> {
    vec!["envoy".to_owned()]
}

/// `ITEM` stands for the collector's provider.
fn written(text: &str) -> String {
    text.replace("ITEM", ITEM.trim_end())
}

#[rstest]
#[case::an_empty_text("", &[], "extensionProviders:\nITEM\ndefaultProviders:\n  accessLogging:\n  - alscope\n")]
#[case::the_chart(
    "defaultConfig:\n  concurrency: 2\ndefaultProviders:\n  metrics:\n  - prometheus\nrootNamespace: a\n",
    &[],
    "defaultConfig:\n  concurrency: 2\ndefaultProviders:\n  metrics:\n  - prometheus\n  accessLogging:\n  - alscope\nrootNamespace: a\nextensionProviders:\nITEM\n"
)]
#[case::a_file(
    "accessLogFile: /dev/stdout\n",
    &["envoy"],
    "accessLogFile: /dev/stdout\nextensionProviders:\nITEM\ndefaultProviders:\n  accessLogging:\n  - envoy\n  - alscope\n"
)]
#[case::others_are_listed(
    "accessLogFile: /dev/stdout\ndefaultProviders:\n  accessLogging: [otel] # ours\nextensionProviders:\n- name: otel\n  envoyOtelAls: {}\n",
    &["envoy"],
    "accessLogFile: /dev/stdout\ndefaultProviders:\n  accessLogging: [otel, alscope] # ours\nextensionProviders:\n- name: otel\n  envoyOtelAls: {}\nITEM\n"
)]
#[case::an_empty_list(
    "defaultProviders:\n  accessLogging: []\n",
    &["envoy"],
    "defaultProviders:\n  accessLogging: [envoy, alscope]\nextensionProviders:\nITEM\n"
)]
fn a_provider_is_added_and_taken_back(#[case] before: &str, #[case] inherited: &[&str], #[case] after: &str) {
    let inherited: Vec<String> = inherited.iter().map(|name| (*name).to_owned()).collect();
    let after = written(after);
    with(&inherited, |wiring| {
        assert!(!read(before).unwrap().has_provider(wiring));
        assert_eq!(add_provider(before, wiring), Ok(after.clone()));
        assert!(read(&after).unwrap().has_provider(wiring));
        assert_eq!(add_provider(&after, wiring), Ok(after.clone()));
        let restored = remove_provider(&after, before, wiring).unwrap();
        assert_eq!((restored.text.as_str(), restored.kept), (before, vec![]));
        // The same with a line of somebody else below.
        let later = format!("{after}trustDomain: theirs\n");
        let restored = remove_provider(&later, before, wiring).unwrap();
        assert_eq!(restored.kept, Vec::<String>::new());
        assert_eq!(restored.text, format!("{before}trustDomain: theirs\n"));
    });
}

#[test]
fn a_provider_that_telemetries_name_is_in_no_list() {
    let wiring = ProviderWiring {
        service: HOST,
        port: 11_800,
        inherited: None,
    };
    let after = add_provider("", &wiring).unwrap();
    assert_eq!(after, written("extensionProviders:\nITEM\n"));
    assert!(read(&after).unwrap().has_provider(&wiring));
    with(&[], |listed| assert!(!read(&after).unwrap().has_provider(listed)));
    assert_eq!(remove_provider(&after, "", &wiring).unwrap().text, "");
}

/// What somebody changed since the provider was added to an empty text.
#[rstest]
#[case::another_provider_is_listed(("- alscope\n", "- alscope\n  - otel\n"), "defaultProviders:\n  accessLogging:\n  - otel\n", &[])]
#[case::the_collectors_is_not_listed(("  - alscope\n", "  - otel\n"), "defaultProviders:\n  accessLogging:\n  - otel\n", &[])]
#[case::a_header_is_logged_too(("    - content-type\n    additionalResponseH", "    - content-type\n    - host\n    additionalResponseH"), "", &[])]
#[case::with_its_namespace(("service: als", "service: logs/als"), "", &[])]
#[case::it_streams_elsewhere(
    ("service: als.logs", "service: others.logs"),
    "OTHERS\ndefaultProviders:\n  accessLogging:\n  - alscope\n",
    &["extensionProviders[name=alscope]"]
)]
fn what_others_changed_stays(#[case] change: (&str, &str), #[case] expected: &str, #[case] kept: &[&str]) {
    with(&[], |wiring| {
        let added = add_provider("", wiring).unwrap();
        assert!(added.contains(change.0), "{added}");
        let current = added.replacen(change.0, change.1, 1);
        let restored = remove_provider(&current, "", wiring).unwrap();
        let others =
            format!("extensionProviders:\n{ITEM}").replace("service: als.logs", "service: others.logs");
        assert_eq!(restored.text, expected.replace("OTHERS", others.trim_end()));
        assert_eq!(restored.kept, kept);
    });
}

/// The list went with what the mesh logs to without it, so nothing is lost; a list that somebody wants stays.
#[rstest]
#[case::nothing_else("  - envoy\n  - alscope\n", "accessLogFile: /dev/stdout\n")]
#[case::only_theirs(
    "  - otel\n  - alscope\n",
    "accessLogFile: /dev/stdout\ndefaultProviders:\n  accessLogging:\n  - otel\n"
)]
#[case::theirs_too(
    "  - envoy\n  - otel\n  - alscope\n",
    "accessLogFile: /dev/stdout\ndefaultProviders:\n  accessLogging:\n  - envoy\n  - otel\n"
)]
fn a_list_goes_with_what_it_repeats(#[case] list: &str, #[case] expected: &str) {
    with(&file(), |wiring| {
        let before = "accessLogFile: /dev/stdout\n";
        let added = add_provider(before, wiring).unwrap();
        let current = added.replace("  - envoy\n  - alscope\n", list) + "trustDomain: theirs\n";
        let restored = remove_provider(&current, before, wiring).unwrap();
        assert_eq!(restored.text, format!("{expected}trustDomain: theirs\n"));
    });
}

#[rstest]
#[case::alone("[alscope]", false)]
#[case::with_the_file("[envoy, alscope]", true)]
#[case::with_another("[alscope, otel]", true)]
#[case::not_listed("[envoy]", false)]
fn a_list_of_the_collectors_provider_alone_would_silence_the_file(
    #[case] list: &str,
    #[case] expected: bool,
) {
    let text =
        written("extensionProviders:\nITEM\ndefaultProviders: {accessLogging: LIST}\n").replace("LIST", list);
    with(&file(), |wiring| {
        assert_eq!(read(&text).unwrap().has_provider(wiring), expected);
        let added = add_provider(&text, wiring).unwrap();
        assert!(read(&added).unwrap().has_provider(wiring), "{added}");
    });
}

#[rstest]
#[case::providers("extension_providers: []\n", "extension_providers", "extensionProviders")]
#[case::list(
    "defaultProviders: {access_logging: [a]}\n",
    "access_logging",
    "accessLogging"
)]
fn the_other_spelling_is_refused(#[case] text: &str, #[case] key: &'static str, #[case] camel: &'static str) {
    with(&[], |wiring| {
        let error = MeshConfigError::SnakeCase { line: 1, key, camel };
        assert_eq!(add_provider(text, wiring), Err(error));
    });
}

#[test]
fn what_a_provider_says_is_read_in_both_spellings() {
    let text = "extensionProviders:\n- name: alscope\n  envoy_http_als:\n    service: logs/als.logs.svc.cluster.local\n    port: 11800\n    \
                log_name: x\n    additional_request_headers_to_log: [a]\n    additional_response_headers_to_log: [b]\n    \
                additional_response_trailers_to_log: [c]\n    filter_state_objects_to_log: [d]\naccess_log_file: /dev/null\n";
    let settings = read(text).unwrap();
    let owned = |text: &str| vec![text.to_owned()];
    let expected = GrpcAccessLogService {
        is_tcp: false,
        service: "logs/als.logs.svc.cluster.local".to_owned(),
        port: 11_800,
        filter_state_objects: owned("d"),
        request_headers: owned("a"),
        response_headers: owned("b"),
        response_trailers: owned("c"),
        has_other_keys: true,
    };
    assert_eq!(settings.provider(), Some(&expected));
    assert_eq!(settings.access_log_file.as_deref(), Some("/dev/null"));
    assert!(settings.streams_by_provider(HOST, 11_800));
    assert!(!settings.streams_by_provider(HOST, 1) && !settings.streams_by_provider("als", 11_800));
}

#[rstest]
#[case::http("envoyHttpAls", "[x]", Some("x"))]
#[case::tcp("envoyTcpAls", "[X]", Some("x"))]
#[case::not_listed("envoyHttpAls", "[y]", None)]
#[case::of_another_kind("envoyOtelAls", "[x]", None)]
fn another_provider_to_the_collector_is_known(
    #[case] kind: &str,
    #[case] list: &str,
    #[case] expected: Option<&str>,
) {
    let text = format!(
        "extensionProviders: [{{name: x, {kind}: {{service: {HOST}, port: 11800}}}}]\ndefaultProviders: {{accessLogging: {list}}}\n"
    );
    let settings = read(&text).unwrap();
    assert_eq!(settings.other_provider_to(HOST, 11_800), expected);
    assert_eq!(settings.other_provider_to(HOST, 1), None);
}

/// istiod merges providers by name, and a list replaces a list.
#[test]
fn a_primary_mesh_config_wins_over_a_shared_one() {
    with(&[], |wiring| {
        let shared = read(&add_provider("accessLogFile: /a\n", wiring).unwrap()).unwrap();
        let primary = |text: &str| merged(&shared, &read(text).unwrap());
        assert!(primary("").has_provider(wiring));
        assert!(!primary("defaultProviders: {accessLogging: [otel]}").has_provider(wiring));
        assert!(
            !primary("extensionProviders: [{name: alscope, envoyHttpAls: {service: x}}]")
                .has_provider(wiring)
        );
        assert_eq!(primary("").access_log_file.as_deref(), Some("/a"));
        assert_eq!(
            primary("accessLogFile: /b").access_log_file.as_deref(),
            Some("/b")
        );
    });
}
