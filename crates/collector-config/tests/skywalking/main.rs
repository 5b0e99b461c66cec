//! Settings of Apache `SkyWalking`, each in three ways: in the section of the collector's own file, by its
//! environment variable, and in the report of `check`.

#![expect(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod check;

use std::path::Path;

use alscope_collector_config::{
    Analyzer, Checked, Config, ConfigError, Environment, MAPPINGS, Outcome, Setting, SkyWalkingReport,
    settings,
};
use rstest::rstest;

const DIRECTORY: &str = "directory: { kubernetes: {} }\n";

/// The section with the keys, variables and defaults of `SkyWalking` 10.4.
const SHIPPED_SECTION: &str = r#"envoy-metric:
  selector: ${SW_ENVOY_METRIC:default}
  default:
    acceptMetricsService: ${SW_ENVOY_METRIC_SERVICE:true}
    enabledEnvoyMetricsRules: ${SW_ENVOY_METRIC_ENABLED_RULES:"envoy,envoy-svc-relation"}
    alsHTTPAnalysis: ${SW_ENVOY_METRIC_ALS_HTTP_ANALYSIS:""}
    alsTCPAnalysis: ${SW_ENVOY_METRIC_ALS_TCP_ANALYSIS:""}
    k8sServiceNameRule: ${K8S_SERVICE_NAME_RULE:"${pod.metadata.labels.(service.istio.io/canonical-name)}.${pod.metadata.namespace}"}
    istioServiceNameRule: ${ISTIO_SERVICE_NAME_RULE:"${serviceEntry.metadata.name}.${serviceEntry.metadata.namespace}"}
    istioServiceEntryIgnoredNamespaces: ${SW_ISTIO_SERVICE_ENTRY_IGNORED_NAMESPACES:""}
    gRPCHost: ${SW_ALS_GRPC_HOST:0.0.0.0}
    gRPCPort: ${SW_ALS_GRPC_PORT:0}
    maxConcurrentCallsPerConnection: ${SW_ALS_GRPC_MAX_CONCURRENT_CALL:0}
    maxMessageSize: ${SW_ALS_GRPC_MAX_MESSAGE_SIZE:0}
    gRPCThreadPoolSize: ${SW_ALS_GRPC_THREAD_POOL_SIZE:0}
    gRPCSslEnabled: ${SW_ALS_GRPC_SSL_ENABLED:false}
    gRPCSslKeyPath: ${SW_ALS_GRPC_SSL_KEY_PATH:""}
    gRPCSslCertChainPath: ${SW_ALS_GRPC_SSL_CERT_CHAIN_PATH:""}
    gRPCSslTrustedCAsPath: ${SW_ALS_GRPC_SSL_TRUSTED_CAS_PATH:""}
"#;

fn variables(variables: &[(&str, &str)]) -> Environment {
    variables.iter().copied().collect()
}

fn own(text: &str, environment: &Environment) -> Result<Config, ConfigError> {
    Config::parse_with(text, Path::new("collector.yaml"), environment)
}

fn report(text: &str, environment: &Environment) -> SkyWalkingReport {
    match Checked::parse(text, Path::new("application.yml"), environment) {
        Ok(Checked::SkyWalking(report)) => report,
        other => panic!("{text} is {other:?}"),
    }
}

/// Formats the effect of a setting in one line. `NAME` and `PLACE` stand for what differs between the ways
/// to set it.
fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Sets { key, value } => format!("{key}: {value}"),
        Outcome::Ignored(reason) => format!("ignored: {reason}"),
        Outcome::Refused(refusal) => format!("refused: {refusal}"),
    }
}

/// Formats the same for the collector's own file or the environment.
fn told_of(config: Result<Config, ConfigError>, name: &str) -> String {
    let config = match config {
        Ok(config) => config,
        Err(refusal) => return format!("refused: {refusal}"),
    };
    if let Some(ignored) = config.ignored.iter().find(|ignored| ignored.contains(name)) {
        let (_, reason) = ignored.split_once(" is ignored: ").expect("a reason");
        return format!("ignored: {reason}");
    }
    let changed = |setting: &&Setting| setting.value(&config) != setting.default_value();
    let changed: Vec<String> = settings()
        .filter(changed)
        .map(|setting| format!("{}: {}", setting.key, setting.value(&config).expect("a value")))
        .collect();
    changed.join("; ")
}

#[rstest]
#[case::selector("selector", "default", &[], "")]
#[case::selector_off("selector", "-", &[], "refused: `NAME` in PLACE is `-`; there is no other provider; set it to default, or run no collector to receive nothing")]
#[case::metrics("default.acceptMetricsService", "false", &[], "acceptMetricsService: false")]
#[case::metrics_rules("default.enabledEnvoyMetricsRules", "envoy", &[], "ignored: there are no MAL rules here")]
#[case::http("default.alsHTTPAnalysis", "k8s-mesh", &[], "analysis.http: k8s-mesh")]
#[case::http_chain("default.alsHTTPAnalysis", "mx-mesh,k8s-mesh", &[], "analysis.http: mx-mesh,k8s-mesh")]
#[case::http_unknown("default.alsHTTPAnalysis", "k8s-mehs", &[], "refused: `NAME` in PLACE: `k8s-mehs` is not an analyzer; the nearest is `k8s-mesh`, of k8s-mesh, mx-mesh, persistence")]
#[case::tcp("default.alsTCPAnalysis", " k8s-mesh ", &[], "analysis.tcp: k8s-mesh")]
#[case::tcp_kept("default.alsTCPAnalysis", "k8s-mesh,persistence", &[], "analysis.tcp: k8s-mesh,persistence")]
#[case::nothing_to_keep("default.alsTCPAnalysis", "persistence", &[], "refused: `NAME` in PLACE: the analyzer `persistence` needs an analyzer before it; write it after k8s-mesh or mx-mesh, as in k8s-mesh,persistence")]
#[case::service_names("default.k8sServiceNameRule", "${service.metadata.name}", &[], "analysis.naming.k8sServiceNameRule: ${service.metadata.name}")]
#[case::bad_service_names("default.k8sServiceNameRule", "${service.name}", &[], "refused: `NAME` in PLACE: the naming rule knows no path `service.name`, at byte 2; write `pod` or `service` with `.metadata.name`, `.metadata.namespace`, `.metadata.labels.KEY` or `.metadata.annotations.KEY`, a KEY with dots in parentheses")]
#[case::blank_service_names("default.k8sServiceNameRule", "", &[], "analysis.naming.k8sServiceNameRule: ${pod.metadata.labels.(service.istio.io/canonical-name),pod.metadata.labels.(app.kubernetes.io/name),pod.metadata.labels.app}")]
#[case::entry_names("default.istioServiceNameRule", "${serviceEntry.metadata.name}", &[], "analysis.naming.istioServiceNameRule: ${serviceEntry.metadata.name}")]
#[case::bad_entry_names("default.istioServiceNameRule", "${pod.metadata.name}", &[], "refused: `NAME` in PLACE: the naming rule knows no path `pod.metadata.name`, at byte 2; write `serviceEntry` with `.metadata.name`, `.metadata.namespace`, `.metadata.labels.KEY` or `.metadata.annotations.KEY`, a KEY with dots in parentheses")]
#[case::blank_entry_names("default.istioServiceNameRule", "", &[], "ignored: a blank rule leaves the default")]
#[case::ignored_namespaces("default.istioServiceEntryIgnoredNamespaces", "a, b", &[], "analysis.naming.istioServiceEntryIgnoredNamespaces: a,b")]
#[case::host("default.gRPCHost", "10.0.0.1", &["gRPCPort"], "listen.grpc: 10.0.0.1:11801")]
#[case::host_v6("default.gRPCHost", "::", &["gRPCPort"], "listen.grpc: [::]:11801")]
#[case::host_name("default.gRPCHost", "localhost", &["gRPCPort"], "refused: `NAME` in PLACE is `localhost`; write an IP address, as in 0.0.0.0 or ::")]
#[case::host_without_port("default.gRPCHost", "10.0.0.1", &[], "ignored: it counts only with a gRPCPort of its own; without one, access logs come in on the shared port")]
#[case::port("default.gRPCPort", "11802", &[], "listen.grpc: [::]:11802")]
#[case::bad_port("default.gRPCPort", "70000", &[], "refused: `NAME` in PLACE is `70000`; write a port from 1 to 65535")]
#[case::blank_port("default.gRPCPort", "", &[], "refused: `NAME` in PLACE is ``; write a port from 1 to 65535")]
#[case::calls("default.maxConcurrentCallsPerConnection", "7", &["gRPCPort"], "limits.streamsPerConnection: 7")]
#[case::bad_calls("default.maxConcurrentCallsPerConnection", "-1", &["gRPCPort"], "refused: `NAME` in PLACE is `-1`; write a whole number from 1 to 4294967295, without a unit")]
#[case::calls_without_port("default.maxConcurrentCallsPerConnection", "7", &[], "ignored: it counts only with a gRPCPort of its own; without one, access logs come in on the shared port")]
#[case::message_size("default.maxMessageSize", "4194304", &["gRPCPort"], "limits.messageBytes: 4194304")]
#[case::pool("default.gRPCThreadPoolSize", "4", &[], "ignored: it counts Java threads; `workers` counts threads that each take a whole core")]
#[case::tls("default.gRPCSslEnabled", "true", &["gRPCPort"], "refused: `NAME` in PLACE is `true`; TLS is not in this version; set it to false and let proxies connect in plain text")]
#[case::tls_without_port("default.gRPCSslEnabled", "true", &[], "ignored: it counts only with a gRPCPort of its own; without one, access logs come in on the shared port")]
#[case::tls_key("default.gRPCSslKeyPath", "/key.pem", &["gRPCPort"], "ignored: TLS is not in this version")]
#[case::tls_chain("default.gRPCSslCertChainPath", "/chain.pem", &["gRPCPort"], "ignored: TLS is not in this version")]
#[case::tls_authorities("default.gRPCSslTrustedCAsPath", "/ca.pem", &["gRPCPort"], "ignored: TLS is not in this version")]
fn setting_of_the_section_means_the_same_by_every_way(
    #[case] key: &str,
    #[case] value: &str,
    #[case] beside: &[&str],
    #[case] expected: &str,
) {
    let mapping = MAPPINGS
        .iter()
        .find(|mapping| mapping.key.strip_prefix("envoy-metric.") == Some(key));
    let mapping = mapping.expect("the table has the key");
    let port = !beside.is_empty();
    // Without a port of its own the section's listener is not the one that receives, so the port is told in the way that
    // is tested.
    let with_port = |told: String| {
        let port = "listen.grpc: [::]:11801; ";
        told.strip_prefix(port).map(str::to_owned).unwrap_or(told)
    };
    let lines = |name: &str| {
        let (depth, name) = match name.strip_prefix("default.") {
            Some(name) => ("  default:\n    ", name),
            None => ("  ", name),
        };
        let beside = if port { "\n    gRPCPort: 11801" } else { "" };
        format!("envoy-metric:\n{depth}{name}: '{value}'{beside}\n")
    };
    let line = if key == "selector" { 1 } else { 2 };
    let expects = |name: &str, place: &str| expected.replace("NAME", name).replace("PLACE", place);

    let section = lines(key);
    let by_file = own(&format!("{DIRECTORY}{section}"), &Environment::default());
    assert_eq!(
        with_port(told_of(by_file, mapping.key)),
        expects(mapping.key, &format!("collector.yaml line {}", line + 2))
    );

    let port_variable = if port {
        [("SW_ALS_GRPC_PORT", "11801")].as_slice()
    } else {
        &[]
    };
    let environment = variables(&[port_variable, &[(mapping.variable, value)]].concat());
    assert_eq!(
        with_port(told_of(own(DIRECTORY, &environment), mapping.variable)),
        expects(mapping.variable, "the environment")
    );

    let report = report(&section, &Environment::default());
    let row = report
        .rows
        .iter()
        .find(|row| row.key == mapping.key)
        .expect("a row");
    assert_eq!(row.value, value);
    let expected = match expects(mapping.key, &format!("application.yml line {}", line + 1)) {
        nothing if nothing.is_empty() => "ignored: the collector does so anyway".to_owned(),
        expected => expected,
    };
    assert_eq!(told(&row.outcome), expected);
    assert_eq!(report.is_accepted(), !expected.starts_with("refused"));
}

#[rstest]
#[case::core_port(&[("SW_CORE_GRPC_PORT", "11900")], "listen.grpc: [::]:11900")]
#[case::core_host(&[("SW_CORE_GRPC_HOST", "127.0.0.1")], "listen.grpc: 127.0.0.1:11800")]
#[case::core_port_zero(&[("SW_CORE_GRPC_PORT", "0")], "refused: `SW_CORE_GRPC_PORT` in the environment is `0`; write a port from 1 to 65535")]
#[case::core_tls(&[("SW_CORE_GRPC_SSL_ENABLED", "true")], "refused: `SW_CORE_GRPC_SSL_ENABLED` in the environment is `true`; TLS is not in this version; set it to false and let proxies connect in plain text")]
#[case::shared_port_before_the_cores(&[("SW_RECEIVER_GRPC_PORT", "11901"), ("SW_CORE_GRPC_PORT", "11900")], "listen.grpc: [::]:11901")]
#[case::shared_host_is_of_the_shared_port(&[("SW_RECEIVER_GRPC_HOST", "127.0.0.1"), ("SW_RECEIVER_GRPC_PORT", "11901")], "listen.grpc: 127.0.0.1:11901")]
#[case::hosts_of_other_listeners(&[("SW_CORE_GRPC_HOST", "127.0.0.1"), ("SW_ALS_GRPC_HOST", "127.0.0.2"), ("SW_RECEIVER_GRPC_PORT", "11901")], "listen.grpc: [::]:11901")]
#[case::own_port_before_all(&[("SW_ALS_GRPC_PORT", "11902"), ("SW_RECEIVER_GRPC_PORT", "11901"), ("SW_CORE_GRPC_PORT", "11900")], "listen.grpc: [::]:11902")]
#[case::shared_port_zero(&[("SW_RECEIVER_GRPC_PORT", "0"), ("SW_CORE_GRPC_PORT", "11900")], "listen.grpc: [::]:11900")]
#[case::shared_tls_on_another_port(&[("SW_RECEIVER_GRPC_SSL_ENABLED", "true")], "")]
#[case::shared_tls(&[("SW_RECEIVER_GRPC_SSL_ENABLED", "true"), ("SW_RECEIVER_GRPC_PORT", "11901")], "refused: `SW_RECEIVER_GRPC_SSL_ENABLED` in the environment is `true`; TLS is not in this version; set it to false and let proxies connect in plain text")]
#[case::token(&[("SW_AUTHENTICATION", "token")], "refused: `SW_AUTHENTICATION` in the environment is `token`; authentication is not in this version; limit who can reach the port with a NetworkPolicy")]
#[case::quotes_around_a_value(&[("SW_ENVOY_METRIC_ALS_HTTP_ANALYSIS", "\"k8s-mesh\"")], "analysis.http: k8s-mesh")]
#[case::message_over_buffer(&[("SW_ALS_GRPC_PORT", "11902"), ("SW_ALS_GRPC_MAX_MESSAGE_SIZE", "536870912")], "refused: `limits.messageBytes` in collector.yaml is 536870912, more than `limits.bufferedBytes` 67108864; raise the second")]
fn listeners_are_taken_in_skywalkings_order(#[case] environment: &[(&str, &str)], #[case] expected: &str) {
    assert_eq!(
        told_of(own(DIRECTORY, &variables(environment)), "no such name"),
        expected
    );
}

#[rstest]
#[case(
    "SW_RECEIVER_GRPC_HOST",
    "it counts only if access logs come in on this port: envoy-metric's gRPCPort is 0, and this one is not"
)]
#[case(
    "SW_RECEIVER_GRPC_MAX_CONCURRENT_CALL",
    "it limits everything that agents send; `limits` here limits access logs alone"
)]
#[case(
    "SW_RECEIVER_GRPC_MAX_MESSAGE_SIZE",
    "it limits everything that agents send; `limits` here limits access logs alone"
)]
#[case(
    "SW_RECEIVER_GRPC_THREAD_POOL_SIZE",
    "it counts Java threads; `workers` counts threads that each take a whole core"
)]
#[case("SW_RECEIVER_GRPC_SSL_KEY_PATH", "TLS is not in this version")]
#[case("SW_RECEIVER_GRPC_SSL_CERT_CHAIN_PATH", "TLS is not in this version")]
#[case("SW_RECEIVER_GRPC_SSL_TRUSTED_CAS_PATH", "TLS is not in this version")]
#[case(
    "SW_CORE_GRPC_MAX_CONCURRENT_CALL",
    "it limits everything that agents send; `limits` here limits access logs alone"
)]
#[case(
    "SW_CORE_GRPC_MAX_MESSAGE_SIZE",
    "it limits everything that agents send; `limits` here limits access logs alone"
)]
#[case("SW_SERVICE_NAME_MAX_LENGTH", "SkyWalking's back end cuts names itself")]
#[case("SW_INSTANCE_NAME_MAX_LENGTH", "SkyWalking's back end cuts names itself")]
#[case("SW_ENDPOINT_NAME_MAX_LENGTH", "SkyWalking's back end cuts names itself")]
#[case(
    "SW_CORE_MAX_HTTP_URIS_NUMBER_PER_SVR",
    "it limits the endpoints that SkyWalking's back end tells apart; `analysis.endpoints.perService` limits them here"
)]
#[case("SW_SEARCHABLE_LOGS_TAG_KEYS", "it is a setting of SkyWalking's storage")]
#[case(
    "SW_LOG_LAL_FILES",
    "there are no LAL rules here; `analysis.persistence` says which entries are kept"
)]
#[case("SW_SERVICE_MESH", "no other module is needed here")]
fn variable_without_effect_is_told_with_the_reason(#[case] variable: &str, #[case] reason: &str) {
    let config = own(DIRECTORY, &variables(&[(variable, "10")])).expect("a configuration");
    let expected = format!("`{variable}` in the environment is ignored: {reason}");
    assert_eq!(config.ignored, std::slice::from_ref(&expected));
    assert!(config.warnings().contains(&expected), "{:?}", config.warnings());
    let unchanged = Config {
        ignored: Vec::new(),
        ..config
    };
    assert_eq!(unchanged, Config::default());
}

#[test]
fn every_variable_has_its_shipped_value_without_effect() {
    for mapping in MAPPINGS {
        let config = own(DIRECTORY, &variables(&[(mapping.variable, mapping.shipped)]));
        assert_eq!(
            config.expect("a configuration"),
            Config::default(),
            "{}",
            mapping.variable
        );
    }
}

#[test]
fn table_has_the_variables_and_defaults_of_the_shipped_section() {
    let lines = SHIPPED_SECTION.lines().filter_map(|line| line.split_once(": ${"));
    let written: Vec<(&str, &str, &str)> = lines
        .map(|(key, placeholder)| {
            let (variable, default) = placeholder.split_once(':').expect("a default");
            (
                key.trim(),
                variable,
                default.strip_suffix('}').expect("a brace").trim_matches('"'),
            )
        })
        .collect();
    let of_the_section = MAPPINGS.iter().filter(|mapping| mapping.is_of_the_section());
    let table: Vec<(&str, &str, &str)> = of_the_section
        .map(|mapping| {
            let (_, key) = mapping.key.rsplit_once('.').expect("a key with a module");
            (key, mapping.variable, mapping.shipped)
        })
        .collect();
    assert_eq!(table, written);
    assert_eq!(table.len(), 17);
}

#[test]
fn shipped_section_is_the_default_configuration() {
    let config =
        own(&format!("{DIRECTORY}{SHIPPED_SECTION}"), &Environment::default()).expect("a configuration");
    assert_eq!(config, Config::default());
    assert_eq!(config.analysis.http, []);
}

#[test]
fn shipped_section_with_the_usual_variables_is_the_usual_configuration() {
    let environment = variables(&[
        ("SW_ENVOY_METRIC_ALS_HTTP_ANALYSIS", "k8s-mesh"),
        ("SW_ENVOY_METRIC_ALS_TCP_ANALYSIS", "k8s-mesh"),
        ("SW_ALS_GRPC_PORT", "11802"),
        ("SW_ALS_GRPC_MAX_CONCURRENT_CALL", "16"),
        ("SW_ENVOY_METRIC_SERVICE", "false"),
    ]);
    let config = own(&format!("{DIRECTORY}{SHIPPED_SECTION}"), &environment).expect("a configuration");
    let mut expected = Config::default();
    expected.analysis.http = vec![Analyzer::K8sMesh];
    expected.analysis.tcp = vec![Analyzer::K8sMesh];
    expected.listen.grpc = "[::]:11802".parse().expect("an address");
    expected.limits.streams_per_connection = 16;
    expected.accept_metrics_service = false;
    assert_eq!(config, expected);
}

#[rstest]
#[case::nothing("", &[], None)]
#[case::variable("", &[("SW_ALS_GRPC_PORT", "1")], Some(1))]
#[case::text_before_variable("envoy-metric: { default: { gRPCPort: 2 } }", &[("SW_ALS_GRPC_PORT", "1")], Some(2))]
#[case::placeholder_takes_the_variable("envoy-metric:\n  default:\n    gRPCPort: ${SW_ALS_GRPC_PORT:2}", &[("SW_ALS_GRPC_PORT", "1")], Some(1))]
#[case::placeholder_takes_another_variable("envoy-metric:\n  default:\n    gRPCPort: ${PORT:2}", &[("SW_ALS_GRPC_PORT", "1"), ("PORT", "3")], Some(3))]
#[case::default_of_the_placeholder_before_variable("envoy-metric:\n  default:\n    gRPCPort: ${PORT:2}", &[("SW_ALS_GRPC_PORT", "1")], Some(2))]
#[case::section_without_the_key("envoy-metric: { default: { gRPCHost: \"0.0.0.0\" } }", &[("SW_ALS_GRPC_PORT", "1")], Some(1))]
#[case::section_with_nothing_under_the_key("envoy-metric:\n  default:\n    gRPCPort:\n", &[("SW_ALS_GRPC_PORT", "1")], Some(1))]
#[case::own_key_before_all("listen: { grpc: \"0.0.0.0:4\" }\nenvoy-metric: { default: { gRPCPort: 2 } }", &[("SW_ALS_GRPC_PORT", "1")], Some(4))]
#[case::own_key_with_a_placeholder("listen: { grpc: \"0.0.0.0:${PORT:5}\" }", &[("SW_ALS_GRPC_PORT", "1"), ("PORT", "6")], Some(6))]
fn own_key_comes_before_the_section_and_that_before_the_environment(
    #[case] text: &str,
    #[case] environment: &[(&str, &str)],
    #[case] port: Option<u16>,
) {
    let config = own(&format!("{text}\n{DIRECTORY}"), &variables(environment)).expect("a configuration");
    assert_eq!(config.listen.grpc.port(), port.unwrap_or(11800));
}

#[test]
fn bad_value_that_an_own_key_replaces_is_no_refusal() {
    let environment = variables(&[
        ("SW_CORE_GRPC_HOST", "oap.example"),
        ("SW_ENVOY_METRIC_ALS_HTTP_ANALYSIS", "mx-mesh"),
    ]);
    let text =
        "{ directory: { kubernetes: {} }, listen: { grpc: \"[::]:1\" }, analysis: { http: k8s-mesh } }";
    let config = own(text, &environment).expect("a configuration");
    assert_eq!(config.listen.grpc.to_string(), "[::]:1");
    assert_eq!(config.analysis.http, [Analyzer::K8sMesh]);
}

#[test]
fn environment_is_no_part_of_a_parse_without_it() {
    let config = Config::parse(DIRECTORY, Path::new("collector.yaml")).expect("a configuration");
    assert_eq!(config, Config::default());
}
