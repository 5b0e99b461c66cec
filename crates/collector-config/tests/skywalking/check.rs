//! The report of `check` about a file of `SkyWalking`.

use std::path::Path;

use alscope_collector_config::{Analyzer, Checked, Config, Environment};
use rstest::rstest;

use crate::{DIRECTORY, report, told, variables};

#[test]
fn check_tells_of_every_setting_of_a_whole_file() {
    let text = "\
cluster:
  selector: ${SW_CLUSTER:standalone}
  standalone:
core:
  selector: ${SW_CORE:default}
  default:
    gRPCHost: ${SW_CORE_GRPC_HOST:0.0.0.0}
    gRPCPort: ${SW_CORE_GRPC_PORT:11800}
    downsampling:
      - Hour
      - Day
    unknown.key: { to: us }
storage:
  selector: ${SW_STORAGE}
envoy-metric:
  selector: ${SW_ENVOY_METRIC:default}
  default:
    alsHTTPAnalysis: ${SW_ENVOY_METRIC_ALS_HTTP_ANALYSIS:\"\"}
    alsTCPAnalysis: persistence
    enabledEnvoyMetricsRules:
";
    let environment = variables(&[
        ("SW_ENVOY_METRIC_ALS_HTTP_ANALYSIS", "k8s-mesh"),
        ("SW_ENVOY_METRIC_ALS_TCP_ANALYSIS", "k8s-mesh"),
        ("SW_ALS_GRPC_PORT", "11801"),
    ]);
    let report = report(text, &environment);
    let rows: Vec<(&str, &str, String)> = report
        .rows
        .iter()
        .map(|row| (row.key, row.value.as_str(), told(&row.outcome)))
        .collect();
    let expected = [
        (
            "envoy-metric.selector",
            "default",
            "ignored: the collector does so anyway",
        ),
        (
            "envoy-metric.default.alsHTTPAnalysis",
            "k8s-mesh",
            "analysis.http: k8s-mesh",
        ),
        (
            "envoy-metric.default.alsTCPAnalysis",
            "persistence",
            "refused: `envoy-metric.default.alsTCPAnalysis` in application.yml line 19: the analyzer `persistence` needs an \
             analyzer before it; write it after k8s-mesh or mx-mesh, as in k8s-mesh,persistence",
        ),
        ("core.default.gRPCHost", "0.0.0.0", "listen.grpc: [::]:11800"),
        ("core.default.gRPCPort", "11800", "listen.grpc: [::]:11800"),
    ];
    assert_eq!(
        rows,
        expected.map(|(key, value, outcome)| (key, value, outcome.to_owned()))
    );
    assert_eq!(report.other_modules, 2);
    assert!(!report.is_accepted());
}

#[rstest]
#[case::in_the_section(
    "core: {}\nenvoy-metric:\n  default:\n    alsHTTPAnalysys: a",
    "unknown key `envoy-metric.default.alsHTTPAnalysys` in application.yml line 4; the nearest is `alsHTTPAnalysis`, of \
     acceptMetricsService, enabledEnvoyMetricsRules, alsHTTPAnalysis, alsTCPAnalysis, k8sServiceNameRule, \
     istioServiceNameRule, istioServiceEntryIgnoredNamespaces, gRPCHost, gRPCPort, maxConcurrentCallsPerConnection, \
     maxMessageSize, gRPCThreadPoolSize, gRPCSslEnabled, gRPCSslKeyPath, gRPCSslCertChainPath, gRPCSslTrustedCAsPath"
)]
#[case::beside_the_provider(
    "envoy-metric:\n  selecter: default",
    "unknown key `envoy-metric.selecter` in application.yml line 2; the nearest is `selector`, of selector, default"
)]
#[case::variable_that_is_not_set(
    "envoy-metric:\n  default:\n    gRPCPort: ${PORT}",
    "`envoy-metric.default.gRPCPort` in application.yml line 3 takes the environment variable PORT, which is not set; set \
     it, or write a default as in ${PORT:default}"
)]
#[case::wrong_form(
    "envoy-metric:\n  default:\n    gRPCPort: [1]",
    "`envoy-metric.default.gRPCPort` in application.yml line 3 has the wrong form; write one value"
)]
#[case::not_yaml(
    "envoy-metric:\n  \"",
    "application.yml line 2 is not YAML: unclosed quote; correct the line"
)]
#[case::no_section(
    "core: {}",
    "unknown key `core` in application.yml line 1; use listen, directory, analysis, acceptMetricsService, workers, limits, web, ending, envoy-metric"
)]
fn check_refuses_what_it_does_not_know(#[case] text: &str, #[case] message: &str) {
    let refusal = Checked::parse(text, Path::new("application.yml"), &Environment::default());
    assert_eq!(refusal.expect_err("the text is refused").to_string(), message);
}

#[test]
fn file_with_our_own_keys_is_our_own() {
    let text = format!("{DIRECTORY}envoy-metric: {{ default: {{ alsHTTPAnalysis: k8s-mesh }} }}");
    let checked = Checked::parse(&text, Path::new("collector.yaml"), &Environment::default());
    let mut expected = Config::default();
    expected.analysis.http = vec![Analyzer::K8sMesh];
    assert_eq!(
        checked.expect("a configuration"),
        Checked::Collector(Box::new(expected))
    );
}

#[test]
fn empty_section_is_a_file_of_skywalking() {
    let report = report("envoy-metric:", &Environment::default());
    assert_eq!(report.rows, []);
    assert!(report.is_accepted());
}
