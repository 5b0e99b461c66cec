//! Every refusal by its exact text: what is wrong, where, and what to do next.

#![expect(clippy::expect_used, reason = "a test may fail")]

use std::error::Error as _;
use std::path::Path;

use alscope_collector_config::{Config, ConfigError};
use rstest::rstest;

fn refusal(text: &str) -> String {
    Config::parse(text, Path::new("collector.yaml"))
        .expect_err("the text is refused")
        .to_string()
}

const DIRECTORY: &str = "directory: { kubernetes: {} }\n";

#[rstest]
#[case::unknown_key(
    "directory: { kubernetes: {} }\nlistn: {}",
    "unknown key `listn` in collector.yaml line 2; the nearest is `listen`, of listen, directory, analysis, acceptMetricsService, workers, limits, web, ending, envoy-metric"
)]
#[case::unknown_inner_key(
    "listen:\n  web: 127.0.0.1:1\n  grcp: 127.0.0.1:2",
    "unknown key `listen.grcp` in collector.yaml line 3; the nearest is `grpc`, of grpc, web, admin"
)]
#[case::unknown_limit(
    "limits: { messagebytes: 1 }",
    "unknown key `limits.messagebytes` in collector.yaml line 1; the nearest is `messageBytes`, of messageBytes, entriesPerMessage, stringBytes, \
     connections, streamsPerConnection, streamsPerPeer, samples, idleSeries, outsideHosts, bufferedBytes, connectionAge"
)]
#[case::unknown_directory(
    "directory: { consul: {} }",
    "unknown key `directory.consul` in collector.yaml line 1; use kubernetes, file, none"
)]
#[case::unknown_kubernetes_key(
    "directory: { kubernetes: { kubeconfg: a } }",
    "unknown key `directory.kubernetes.kubeconfg` in collector.yaml line 1; use kubeconfig"
)]
#[case::key_twice(
    "limits:\n  stringBytes: 4\n  stringBytes: 5",
    "`limits.stringBytes` stands twice in collector.yaml line 3; keep one of them"
)]
#[case::unknown_key_of_another_block(
    "http: k8s-mesh",
    "unknown key `http` in collector.yaml line 1; use listen, directory, analysis, acceptMetricsService, workers, limits, web, ending, envoy-metric"
)]
#[case::key_with_a_dot(
    "listen.grpc: \"127.0.0.1:1\"",
    "unknown key `listen.grpc` in collector.yaml line 1; use listen, directory, analysis, acceptMetricsService, workers, limits, web, ending, envoy-metric"
)]
#[case::unknown_analysis(
    "analysis:\n  nameing: {}",
    "unknown key `analysis.nameing` in collector.yaml line 2; the nearest is `naming`, of http, tcp, naming, endpoints, \
     persistence, redaction, trustForwardedAddress"
)]
#[case::unknown_rule(
    "analysis:\n  naming:\n    k8sServiceNameRules: a",
    "unknown key `analysis.naming.k8sServiceNameRules` in collector.yaml line 3; the nearest is `k8sServiceNameRule`, of \
     k8sServiceNameRule, istioServiceNameRule, istioServiceEntryIgnoredNamespaces"
)]
#[case::unknown_key_of_skywalking(
    "envoy-metric:\n  default:\n    alsHttpAnalysis: k8s-mesh",
    "unknown key `envoy-metric.default.alsHttpAnalysis` in collector.yaml line 3; the nearest is `alsHTTPAnalysis`, of \
     acceptMetricsService, enabledEnvoyMetricsRules, alsHTTPAnalysis, alsTCPAnalysis, k8sServiceNameRule, \
     istioServiceNameRule, istioServiceEntryIgnoredNamespaces, gRPCHost, gRPCPort, maxConcurrentCallsPerConnection, \
     maxMessageSize, gRPCThreadPoolSize, gRPCSslEnabled, gRPCSslKeyPath, gRPCSslCertChainPath, gRPCSslTrustedCAsPath"
)]
#[case::unknown_provider_of_skywalking(
    "envoy-metric:\n  defualt: {}",
    "unknown key `envoy-metric.defualt` in collector.yaml line 2; the nearest is `default`, of selector, default"
)]
#[case::key_twice_at_the_top(
    "workers: 1\nworkers: 2",
    "`workers` stands twice in collector.yaml line 2; keep one of them"
)]
fn keys_are_checked(#[case] text: &str, #[case] message: &str) {
    assert_eq!(refusal(text), message);
}

#[rstest]
#[case::text_for_keys(
    "listen: 5",
    "`listen` in collector.yaml line 1 has the wrong form; write keys"
)]
#[case::list_for_value(
    "analysis:\n  http: [k8s-mesh]",
    "`analysis.http` in collector.yaml line 2 has the wrong form; write one value"
)]
#[case::directory_as_text(
    "directory: cluster.yaml",
    "`directory` in collector.yaml line 1 has the wrong form; write keys"
)]
#[case::keys_for_value(
    "workers: { number: 3 }",
    "`workers` in collector.yaml line 1 has the wrong form; write one value"
)]
#[case::text_for_list(
    "analysis: { redaction: { headers: x-api-key } }",
    "`analysis.redaction.headers` in collector.yaml line 1 has the wrong form; write a list of values"
)]
#[case::list_for_keys(
    "- listen",
    "collector.yaml line 1 holds no keys; write at least `directory: { kubernetes: {} }`"
)]
#[case::no_keys(
    "hello",
    "collector.yaml line 1 holds no keys; write at least `directory: { kubernetes: {} }`"
)]
#[case::open_quote(
    "listen:\n  web: \"127",
    "collector.yaml line 2 is not YAML: unclosed quote; correct the line"
)]
#[case::second_document(
    "listen: {}\n---\nlisten: {}",
    "collector.yaml line 3 is not YAML: a second document starts; correct the line"
)]
fn form_is_checked(#[case] text: &str, #[case] message: &str) {
    assert_eq!(refusal(text), message);
}

#[rstest]
#[case::host_name(
    "listen: { web: \"localhost:8080\" }",
    "`listen.web` in collector.yaml line 1 is `localhost:8080`; write an IP address and a port, as in 127.0.0.1:8080 or \
     [::1]:8080"
)]
#[case::port_alone(
    "listen: { grpc: 11800 }",
    "`listen.grpc` in collector.yaml line 1 is `11800`; write an IP address and a port, as in 127.0.0.1:8080 or [::1]:8080"
)]
#[case::zero_workers(
    "workers: 0",
    "`workers` in collector.yaml line 1 is `0`; write a number of threads from 1 to 1024, or leave the key out for one \
     for each core"
)]
#[case::too_many_workers(
    "workers: 1025",
    "`workers` in collector.yaml line 1 is `1025`; write a number of threads from 1 to 1024, or leave the key out for \
     one for each core"
)]
#[case::zero_limit(
    "limits:\n  stringBytes: 0",
    "`limits.stringBytes` in collector.yaml line 2 is `0`; write a whole number from 1 to 4294967295, without a unit"
)]
#[case::limit_with_unit(
    "limits: { messageBytes: 1Mi }",
    "`limits.messageBytes` in collector.yaml line 1 is `1Mi`; write a whole number from 1 to 4294967295, without a unit"
)]
// proves: chain/unknown-analyzer
#[case::unknown_analyzer(
    "analysis:\n  http: k8s-mesh, als",
    "`analysis.http` in collector.yaml line 2: `als` is not an analyzer; use k8s-mesh, mx-mesh, persistence"
)]
#[case::nothing_to_keep(
    "analysis:\n  tcp: persistence",
    "`analysis.tcp` in collector.yaml line 2: the analyzer `persistence` needs an analyzer before it; write it after \
     k8s-mesh or mx-mesh, as in k8s-mesh,persistence"
)]
#[case::analyzer_twice(
    "analysis: { http: \"k8s-mesh,k8s-mesh\" }",
    "`analysis.http` in collector.yaml line 1: the analyzer `k8s-mesh` is listed twice; list it once"
)]
#[case::path_of_no_object(
    "analysis:\n  naming:\n    k8sServiceNameRule: ' ${pod.metadata.name}.${pods.metadata.name}'",
    "`analysis.naming.k8sServiceNameRule` in collector.yaml line 3: the naming rule knows no path `pods.metadata.name`, at \
     byte 23; write `pod` or `service` with `.metadata.name`, `.metadata.namespace`, `.metadata.labels.KEY` or \
     `.metadata.annotations.KEY`, a KEY with dots in parentheses"
)]
#[case::object_of_the_other_rule(
    "analysis: { naming: { istioServiceNameRule: '${service.metadata.name}' } }",
    "`analysis.naming.istioServiceNameRule` in collector.yaml line 1: the naming rule knows no path \
     `service.metadata.name`, at byte 2; write `serviceEntry` with `.metadata.name`, `.metadata.namespace`, \
     `.metadata.labels.KEY` or `.metadata.annotations.KEY`, a KEY with dots in parentheses"
)]
#[case::open_variable(
    "analysis: { naming: { k8sServiceNameRule: '${pod.metadata.name' } }",
    "`analysis.naming.k8sServiceNameRule` in collector.yaml line 1: the variable at byte 0 of the naming rule has no end; \
     write `}` after it"
)]
#[case::placeholder_without_a_value(
    "analysis:\n  http: \"${CHAIN}\"",
    "`analysis.http` in collector.yaml line 2 takes the environment variable CHAIN, which is not set; set it, or write a \
     default as in ${CHAIN:default}"
)]
#[case::placeholder_with_a_bad_default(
    "workers: ${WORKERS:none}",
    "`workers` in collector.yaml line 1 is `none`; write a number of threads from 1 to 1024, or leave the key out for one \
     for each core"
)]
#[case::same_port(
    "listen: { grpc: \"0.0.0.0:8080\" }",
    "`listen.grpc` and `listen.web` in collector.yaml are both on port 8080; give each a port of its own"
)]
#[case::message_over_buffer(
    "limits: { bufferedBytes: 1000 }",
    "`limits.messageBytes` in collector.yaml is 1048576, more than `limits.bufferedBytes` 1000; raise the second"
)]
fn values_are_checked(#[case] text: &str, #[case] message: &str) {
    assert_eq!(refusal(&format!("{text}\n{DIRECTORY}")), message);
}

#[rstest]
#[case::empty("", "collector.yaml has no source")]
#[case::comments("# nothing yet\n", "collector.yaml has no source")]
#[case::bare("\ndirectory: {}", "collector.yaml line 2 has no source")]
#[case::both(
    "directory: { kubernetes: {}, file: a }",
    "collector.yaml line 1 has more than one source"
)]
#[case::none_and_another(
    "directory: { none: {}, file: a }",
    "collector.yaml line 1 has more than one source"
)]
fn one_source_of_the_directory_is_demanded(#[case] text: &str, #[case] start: &str) {
    let rest = " for `directory`; write one of `directory: { kubernetes: {} }`, `directory: { file: PATH }` and \
                `directory: { none: {} }`";
    assert_eq!(refusal(text), format!("{start}{rest}"));
}

#[test]
fn empty_path_is_refused() {
    let message = "`directory.file` in collector.yaml line 1 is ``; write the path of a file";
    assert_eq!(refusal("directory: { file: \"\" }"), message);
}

#[test]
fn missing_file_is_named_with_its_cause() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("absent.yaml");
    let error = Config::load(&path).expect_err("the file is missing");
    assert_eq!(
        error.to_string(),
        format!(
            "cannot read the configuration file {}; check that it exists and is readable",
            path.display()
        )
    );
    let cause = error.source().expect("the system's word").to_string();
    assert!(cause.starts_with("No such file or directory"), "{cause}");
    assert!(matches!(error, ConfigError::Unreadable { .. }));
}
