//! What a mesh config says, and what two say together.

#![expect(clippy::expect_used, reason = "a test may fail")]

use alscope_mesh_config::{
    AccessLogService, AccessLogSettings, ExtensionProvider, GrpcAccessLogService, check_address, merged, read,
};
use rstest::rstest;

fn settings(text: &str) -> AccessLogSettings {
    read(text).expect("the text is a mesh config")
}

fn service(address: Option<&str>, has_other_keys: bool) -> AccessLogService {
    AccessLogService {
        address: address.map(str::to_owned),
        has_other_keys,
    }
}

fn extension(name: &str, logs: bool) -> ExtensionProvider {
    ExtensionProvider {
        name: name.to_owned(),
        logs,
        grpc: None,
    }
}

#[rstest]
#[case::empty("")]
#[case::comment("# nothing\n")]
#[case::marker("---\n...\n")]
#[case::other_keys("trustDomain: cluster.local\n")]
#[case::nulls("enableEnvoyAccessLogService:\ndefaultConfig: ~\ndefaultProviders: null\n")]
#[case::inner_nulls("defaultConfig: {envoyAccessLogService: }\ndefaultProviders: {accessLogging: ~}\n")]
#[case::snake_case_that_istiod_loses(
    "default_config: {envoyAccessLogService: {address: a:1}}\ndefault_providers: {accessLogging: [a]}\n"
)]
#[case::keys_in_the_wrong_place("envoyAccessLogService: {address: a:1}\naccessLogging: [a]\n")]
fn a_text_without_the_keys_says_nothing(#[case] text: &str) {
    assert_eq!(settings(text), AccessLogSettings::default());
}

#[test]
fn every_key_is_read() {
    let text = "defaultConfig:\n  envoyAccessLogService:\n    address: a.b:1\n    tlsSettings: {mode: DISABLE}\n\
                enableEnvoyAccessLogService: false\ndefaultProviders:\n  accessLogging:\n  - envoy\n  - otel\n\
                rootNamespace: \"istio-config\"\naccessLogFile: /dev/stdout\n\
                extensionProviders: [{name: otel, envoyOtelAls: {port: 1}}]\n";
    let expected = AccessLogSettings {
        enabled: Some(false),
        service: Some(service(Some("a.b:1"), true)),
        access_logging_providers: Some(vec!["envoy".to_owned(), "otel".to_owned()]),
        access_log_file: Some("/dev/stdout".to_owned()),
        root_namespace: Some("istio-config".to_owned()),
        extension_providers: vec![extension("otel", true)],
    };
    assert_eq!(settings(text), expected);
}

#[test]
fn aliases_are_followed() {
    let text = "x: &x {address: &a a.b:1}\non: &on yes\nnames: &names [&n envoy, *n]\n\
                defaultConfig: {envoyAccessLogService: *x}\nenableEnvoyAccessLogService: *on\n\
                defaultProviders: {access_logging: *names}\nroot: &root mesh\nroot_namespace: *root\n\
                als: &als {name: *n, envoy_http_als: {}}\nextension_providers: [*als]\n";
    let expected = AccessLogSettings {
        enabled: Some(true),
        service: Some(service(Some("a.b:1"), false)),
        access_logging_providers: Some(vec!["envoy".to_owned(), "envoy".to_owned()]),
        access_log_file: None,
        root_namespace: Some("mesh".to_owned()),
        extension_providers: vec![ExtensionProvider {
            grpc: Some(GrpcAccessLogService::default()),
            ..extension("envoy", true)
        }],
    };
    assert_eq!(settings(text), expected);
}

#[rstest]
#[case("true", Some(true))]
#[case("True", Some(true))]
#[case("TRUE", Some(true))]
#[case("yes", Some(true))]
#[case("on", Some(true))]
#[case("y", Some(true))]
#[case("false", Some(false))]
#[case("No", Some(false))]
#[case("OFF", Some(false))]
#[case("n", Some(false))]
#[case("~", None)]
#[case("", None)]
fn booleans_are_those_of_yaml_1_1(#[case] spelling: &str, #[case] enabled: Option<bool>) {
    let text = format!("enableEnvoyAccessLogService: {spelling}\n");
    assert_eq!(settings(&text).enabled, enabled);
}

#[rstest]
#[case::shared_alone(
    "enableEnvoyAccessLogService: true\ndefaultConfig: {envoyAccessLogService: {address: s:1}}\ndefaultProviders: {accessLogging: [s]}\nrootNamespace: s",
    "defaultConfig: {concurrency: 2}\ndefaultProviders: {metrics: [p]}",
    AccessLogSettings { enabled: Some(true), service: Some(service(Some("s:1"), false)), access_logging_providers: Some(vec!["s".to_owned()]), root_namespace: Some("s".to_owned()), ..AccessLogSettings::default() }
)]
#[case::primary_wins(
    "enableEnvoyAccessLogService: true\ndefaultConfig: {envoyAccessLogService: {address: s:1}}\ndefaultProviders: {accessLogging: [s]}\nrootNamespace: s",
    "enableEnvoyAccessLogService: false\ndefaultConfig: {envoyAccessLogService: {address: p:1}}\ndefaultProviders: {accessLogging: []}\nrootNamespace: p",
    AccessLogSettings { enabled: Some(false), service: Some(service(Some("p:1"), false)), access_logging_providers: Some(vec![]), root_namespace: Some("p".to_owned()), ..AccessLogSettings::default() }
)]
#[case::service_is_replaced_whole(
    "defaultConfig: {envoyAccessLogService: {address: s:1}}",
    "defaultConfig: {envoyAccessLogService: {tlsSettings: {mode: DISABLE}}}",
    AccessLogSettings { enabled: None, service: Some(service(None, true)), ..AccessLogSettings::default() }
)]
#[case::empty_service_hides_the_shared_one(
    "defaultConfig: {envoyAccessLogService: {address: s:1}}",
    "defaultConfig: {envoyAccessLogService: {}}",
    AccessLogSettings { enabled: None, service: Some(service(None, false)), ..AccessLogSettings::default() }
)]
#[case::null_hides_nothing(
    "defaultConfig: {envoyAccessLogService: {address: s:1}}",
    "defaultConfig: {envoyAccessLogService: ~}",
    AccessLogSettings { enabled: None, service: Some(service(Some("s:1"), false)), ..AccessLogSettings::default() }
)]
fn two_are_merged_as_istiod_merges_them(
    #[case] shared: &str,
    #[case] primary: &str,
    #[case] expected: AccessLogSettings,
) {
    assert_eq!(merged(&settings(shared), &settings(primary)), expected);
}

/// Which of the names are those of providers that log, to an istiod with a shared and a primary mesh config.
fn known(texts: [&str; 2], names: &[&str]) -> Vec<bool> {
    let both = merged(&settings(texts[0]), &settings(texts[1]));
    names.iter().map(|name| both.has_logger(name)).collect()
}

#[test]
fn of_the_built_in_providers_only_envoy_logs() {
    let names = ["envoy", "ENVOY", "prometheus", "stackdriver", "otel", ""];
    assert_eq!(known(["", ""], &names), [true, true, false, false, false, false]);
}

#[rstest]
#[case("envoyFileAccessLog: {path: /dev/stdout}", true)]
#[case("envoyHttpAls: {}", true)]
#[case("envoyTcpAls: {port: 1}", true)]
#[case("envoyOtelAls: {port: 1}", true)]
#[case("envoy_file_access_log: {}", true)]
#[case("envoy_tcp_als: {}", true)]
#[case("envoy_otel_als: {}", true)]
#[case("envoyOtelAls: ~", false)]
#[case("opentelemetry: {port: 1}", false)]
#[case("envoyExtAuthzHttp: {port: 1}", false)]
fn four_kinds_of_provider_log(#[case] kind: &str, #[case] logs: bool) {
    let text = format!("extensionProviders: [{{name: a, {kind}}}]");
    let found = settings(&text).extension_providers;
    assert_eq!((&*found[0].name, found[0].logs), ("a", logs));
    let is_grpc = kind.to_lowercase().contains("tcp") || kind.contains("Http") && logs;
    let is_tcp = is_grpc.then(|| kind.to_lowercase().contains("tcp"));
    assert_eq!(found[0].grpc.as_ref().map(|one| one.is_tcp), is_tcp);
    assert_eq!(known([&text, ""], &["a", "A", "b"]), [logs, logs, false]);
}

#[rstest]
#[case::built_in_is_replaced("", "extensionProviders: [{name: envoy, zipkin: {}}, {name: prometheus, envoyHttpAls: {}}]", &["envoy", "prometheus"], &[false, true])]
#[case::built_in_hides_another_case("", "extensionProviders: [{name: Envoy, zipkin: {}}]", &["envoy", "Envoy"], &[true, true])]
#[case::first_of_two_cases("", "extensionProviders: [{name: a, envoyHttpAls: {}}, {name: A, zipkin: {}}]", &["a", "A"], &[true, true])]
#[case::second_of_one_name("", "extensionProviders: [{name: a, envoyHttpAls: {}}, {name: a, zipkin: {}}]", &["a"], &[false])]
#[case::both_texts_count("extensionProviders: [{name: a, envoyHttpAls: {}}]", "extensionProviders: [{name: b, envoyTcpAls: {}}]", &["a", "b"], &[true, true])]
#[case::primary_replaces_in_place("extensionProviders: [{name: a, envoyHttpAls: {}}, {name: B, zipkin: {}}]", "extensionProviders: [{name: b, envoyTcpAls: {}}, {name: B, envoyTcpAls: {}}, {name: a, zipkin: {}}]", &["a", "b"], &[false, true])]
#[case::order_of_both_texts("extensionProviders: [{name: A, envoyHttpAls: {}}]", "extensionProviders: [{name: a, zipkin: {}}]", &["a"], &[true])]
fn providers_are_found_as_istiod_finds_them(
    #[case] shared: &str,
    #[case] primary: &str,
    #[case] names: &[&str],
    #[case] expected: &[bool],
) {
    assert_eq!(known([shared, primary], names), expected);
}

#[rstest]
#[case("alscope.alscope-system.svc.cluster.local:11800")]
#[case("alscope.alscope-system.svc.cluster.local.:1")]
#[case("Host:65535")]
#[case("10.0.0.1:11800")]
#[case("[fd00::1]:11800")]
fn addresses_that_istiod_takes(#[case] address: &str) {
    assert_eq!(check_address(address), Ok(()));
}

#[rstest]
#[case::empty("", "has no port")]
#[case::no_port("alscope", "has no port")]
#[case::empty_port("alscope:", "has a port that is not a number from 1 to 65535")]
#[case::zero("alscope:0", "has a port that is not a number from 1 to 65535")]
#[case::too_large("alscope:65536", "has a port that is not a number from 1 to 65535")]
#[case::sign("alscope:+1", "has a port that is not a number from 1 to 65535")]
#[case::service_name("alscope:grpc", "has a port that is not a number from 1 to 65535")]
#[case::scheme("http://alscope:1", "has more than one colon, and IPv6 needs brackets")]
#[case::bare_ipv6("fd00::1:11800", "has more than one colon, and IPv6 needs brackets")]
#[case::bracketed_name("[alscope]:1", "has brackets around what is not an IPv6 address")]
#[case::open_bracket("[fd00::1:1", "has brackets around what is not an IPv6 address")]
#[case::no_host(":1", "has a host that is neither a DNS name nor an IP address")]
#[case::underscore("al_scope:1", "has a host that is neither a DNS name nor an IP address")]
#[case::variable("$(HOST_IP):1", "has a host that is neither a DNS name nor an IP address")]
#[case::empty_label("a..b:1", "has a host that is neither a DNS name nor an IP address")]
#[case::two_dots("a..:1", "has a host that is neither a DNS name nor an IP address")]
#[case::hyphen_first("-a:1", "has a host that is neither a DNS name nor an IP address")]
#[case::hyphen_last("a-.b:1", "has a host that is neither a DNS name nor an IP address")]
#[case::number_last("a.1:1", "has a host that is neither a DNS name nor an IP address")]
#[case::ipv4_out_of_range("10.0.0.256:1", "has a host that is neither a DNS name nor an IP address")]
#[case::quote("a\":1", "has a host that is neither a DNS name nor an IP address")]
#[case::line_break("a\nb:1", "has a host that is neither a DNS name nor an IP address")]
fn addresses_that_istiod_refuses(#[case] address: &str, #[case] problem: &str) {
    let error = check_address(address).expect_err("the address is refused");
    let expected = format!("the collector's address `{address}` {problem}; write it as name:port");
    assert_eq!(error.to_string(), expected);
    assert_eq!(alscope_mesh_config::wire("", address), Err(error));
}

#[rstest]
#[case::label_of_63(63, true)]
#[case::label_of_64(64, false)]
fn a_label_has_at_most_63_characters(#[case] length: usize, #[case] is_taken: bool) {
    let address = format!("{}.svc:1", "a".repeat(length));
    assert_eq!(check_address(&address).is_ok(), is_taken);
}

#[rstest]
#[case::name_of_255(63, true)]
#[case::name_of_257(65, false)]
fn a_name_has_at_most_255_characters(#[case] pairs: usize, #[case] is_taken: bool) {
    let address = format!("{}abc:1", "abc.".repeat(pairs));
    assert_eq!(check_address(&address).is_ok(), is_taken);
}
