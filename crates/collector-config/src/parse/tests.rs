//! Reads every key of the file with a value that is not its default.

use std::time::Duration;

use rstest::rstest;

use super::*;
use crate::{Setting, ValueKind};

const ORIGIN: &str = "/etc/alscope/collector.yaml";

/// Every key that has a value of its own: the key, a text for it, and the value that is then described.
const VALUES: [(&str, &str, &str); 35] = [
    ("listen.grpc", "'127.0.0.1:1'", "127.0.0.1:1"),
    ("listen.web", "'[::]:2'", "[::]:2"),
    ("listen.admin", "'127.0.0.1:3'", "127.0.0.1:3"),
    (
        "directory.kubernetes.kubeconfig",
        "admin.conf",
        "kubernetes by /etc/alscope/admin.conf",
    ),
    ("directory.file", "cluster.yaml", "file /etc/alscope/cluster.yaml"),
    ("analysis.http", "' k8s-mesh '", "k8s-mesh"),
    ("analysis.tcp", "k8s-mesh", "k8s-mesh"),
    (
        "analysis.naming.k8sServiceNameRule",
        "' ${pod.metadata.name} '",
        "${pod.metadata.name}",
    ),
    (
        "analysis.naming.istioServiceNameRule",
        "'${serviceEntry.metadata.name}'",
        "${serviceEntry.metadata.name}",
    ),
    (
        "analysis.naming.istioServiceEntryIgnoredNamespaces",
        "' a, ,b,'",
        "a,b",
    ),
    (
        "analysis.endpoints.rules",
        "[' GET /users/{id} ', /]",
        "GET /users/{id},/",
    ),
    ("analysis.endpoints.perService", "501", "501"),
    ("analysis.persistence.errors", "false", "false"),
    ("analysis.persistence.slowMilliseconds", "1500", "1500"),
    ("analysis.persistence.sampledShare", "0.25", "0.25"),
    ("analysis.persistence.entriesPerMinute", "60", "60"),
    ("analysis.redaction.enabled", "false", "false"),
    (
        "analysis.redaction.headers",
        "[X-API-Key, x-token]",
        "x-api-key,x-token",
    ),
    ("analysis.trustForwardedAddress", "true", "true"),
    ("acceptMetricsService", "false", "false"),
    ("workers", "3", "3"),
    ("limits.messageBytes", "10", "10"),
    ("limits.entriesPerMessage", "11", "11"),
    ("limits.stringBytes", "12", "12"),
    ("limits.connections", "17", "17"),
    ("limits.streamsPerConnection", "13", "13"),
    ("limits.streamsPerPeer", "14", "14"),
    ("limits.samples", "16", "16"),
    ("limits.idleSeries", "1h30m", "1h 30m"),
    ("limits.outsideHosts", "17", "17"),
    ("limits.connectionAge", "1h 30m", "1h 30m"),
    (
        "web.hosts",
        "[Alscope.Example.com., '[::1]', 10.0.0.7]",
        "alscope.example.com,::1,10.0.0.7",
    ),
    ("ending.quiet", "0s", "0s"),
    ("ending.accept", "1500ms", "1s 500ms"),
    ("ending.scrape", "1m", "1m"),
];

/// Builds a file that sets `key` to `value`. The directory is Kubernetes unless another one is given.
fn file(key: &str, value: &str) -> String {
    let names: Vec<&str> = key.split('.').collect();
    let indented = |(depth, name): (usize, &&str)| format!("{}{name}:", "  ".repeat(depth));
    let lines: Vec<String> = names.iter().enumerate().map(indented).collect();
    let directory = if key.starts_with("directory") {
        ""
    } else {
        "\ndirectory: { kubernetes: {} }\n"
    };
    format!("{} {value}{directory}", lines.join("\n"))
}

/// Returns the description under a key. The sources of the directory are described as one.
fn described(key: &str, config: &Config) -> Option<String> {
    let key = if key.starts_with("directory") {
        "directory"
    } else {
        key
    };
    Setting::find(key).and_then(|setting| setting.value(config))
}

#[test]
fn every_key_decides_what_is_described_under_it() {
    for (key, value, expected) in VALUES {
        let config =
            Config::parse(&file(key, value), Path::new(ORIGIN)).expect("the file is a configuration");
        assert_eq!(described(key, &config).as_deref(), Some(expected), "{key}");
        assert_ne!(
            described(key, &Config::default()).as_deref(),
            Some(expected),
            "{key}"
        );
    }
}

#[test]
fn every_key_of_the_table_has_a_value_above() {
    let has_value = |setting: &&Setting| setting.kind() != ValueKind::Keys;
    let keys: Vec<&str> = settings().filter(has_value).map(|setting| setting.key).collect();
    let above: Vec<&str> = VALUES.iter().map(|(key, ..)| *key).collect();
    let at = keys.iter().position(|key| *key == "limits.bufferedBytes");
    let mut keys = keys;
    assert_eq!(at.map(|at| keys.remove(at)), Some("limits.bufferedBytes"));
    assert_eq!(above, keys);
    let largest = Config::parse(&file("limits.bufferedBytes", "4294967295"), Path::new(ORIGIN))
        .expect("a configuration");
    assert_eq!(largest.limits.buffered_bytes, 4_294_967_295);
}

#[test]
fn values_have_their_units() {
    let slow = Config::parse(
        &file("analysis.persistence.slowMilliseconds", "1500"),
        Path::new(ORIGIN),
    )
    .expect("a configuration");
    assert_eq!(slow.analysis.persistence.slow, Some(Duration::from_millis(1500)));
    for (text, seconds) in [("10s", 10), ("90m", 5400), ("1h 30m", 5400), ("2 hours", 7200)] {
        let config = Config::parse(&file("limits.idleSeries", text), Path::new(ORIGIN)).expect(text);
        assert_eq!(config.limits.idle_series, Duration::from_secs(seconds), "{text}");
    }
    let share = Config::parse(&file("analysis.persistence.sampledShare", "1"), Path::new(ORIGIN))
        .expect("a configuration");
    assert_eq!(share.analysis.persistence.sampled_share, 1.0);
}

#[test]
fn defaults_are_those_of_the_design() {
    let analysis = Config::parse("directory: { kubernetes: {} }", Path::new(ORIGIN))
        .expect("a configuration")
        .analysis;
    assert_eq!(
        analysis.naming.k8s_service_name_rule.text(),
        "${pod.metadata.labels.(service.istio.io/canonical-name)}.${pod.metadata.namespace}"
    );
    assert_eq!(
        analysis.naming.istio_service_name_rule.text(),
        "${serviceEntry.metadata.name}.${serviceEntry.metadata.namespace}"
    );
    assert_eq!(analysis.endpoints.per_service, 500);
    assert_eq!(analysis.persistence.entries_per_minute, 6000);
    assert!(analysis.persistence.errors && analysis.redaction.enabled);
    assert!(!analysis.trust_forwarded_address);
    assert_eq!(analysis.persistence.slow, None);
    assert_eq!(analysis.persistence.sampled_share, 0.0);
}

#[rstest]
#[case::blank_rule(
    "analysis.naming.k8sServiceNameRule",
    "' '",
    "write a rule as in ${pod.metadata.name}"
)]
#[case::relative_path("analysis.endpoints.rules", "[users]", ENDPOINT)]
#[case::path_with_query("analysis.endpoints.rules", "['/a?b']", ENDPOINT)]
#[case::path_with_fragment("analysis.endpoints.rules", "['/a#b']", ENDPOINT)]
#[case::path_with_blank("analysis.endpoints.rules", "['/a b']", ENDPOINT)]
#[case::two_methods("analysis.endpoints.rules", "['GET POST /a']", ENDPOINT)]
#[case::no_endpoints("analysis.endpoints.perService", "0", NUMBER)]
#[case::yes("analysis.persistence.errors", "yes", "write true or false")]
#[case::capital("analysis.redaction.enabled", "True", "write true or false")]
#[case::never_slow("analysis.persistence.slowMilliseconds", "0", MILLISECONDS)]
#[case::slow_with_unit("analysis.persistence.slowMilliseconds", "1s", MILLISECONDS)]
#[case::share_in_percent("analysis.persistence.sampledShare", "5", SHARE)]
#[case::negative_share("analysis.persistence.sampledShare", "-0.1", SHARE)]
#[case::share_that_is_no_number("analysis.persistence.sampledShare", "NaN", SHARE)]
#[case::no_rate("analysis.persistence.entriesPerMinute", "0", NUMBER)]
#[case::blank_header("analysis.redaction.headers", "['']", HEADER)]
#[case::header_with_colon("analysis.redaction.headers", "[':path']", HEADER)]
#[case::no_age("limits.connectionAge", "0s", TIME)]
#[case::age_without_unit("limits.connectionAge", "30", TIME)]
#[case::negative_time("ending.quiet", "-1s", TIME)]
#[case::too_long("ending.scrape", "8761h", TIME)]
#[case::host_with_port("web.hosts", "['alscope.example.com:8080']", HOST)]
#[case::host_with_scheme("web.hosts", "['http://alscope']", HOST)]
#[case::any_host("web.hosts", "['*']", HOST)]
#[case::blank_host("web.hosts", "['']", HOST)]
#[case::idle_without_unit("limits.idleSeries", "3600", IDLE)]
#[case::idle_too_short("limits.idleSeries", "9s", IDLE)]
#[case::idle_backwards("limits.idleSeries", "-1h", IDLE)]
#[case::idle_in_words("limits.idleSeries", "never", IDLE)]
#[case::trust_in_words("analysis.trustForwardedAddress", "2", "write true or false")]
fn bad_value_says_what_to_write(#[case] key: &str, #[case] value: &str, #[case] remedy: &str) {
    let error = Config::parse(&file(key, value), Path::new(ORIGIN)).expect_err("the value is bad");
    let line = key.split('.').count();
    let value = value.trim_matches(['[', ']']).trim_matches('\'');
    assert_eq!(
        error.to_string(),
        format!("`{key}` in {ORIGIN} line {line} is `{value}`; {remedy}")
    );
}

const ENDPOINT: &str = "write the template of a path without its query, as in /users/{id} or GET /users/{id}";
const NUMBER: &str = "write a whole number from 1 to 4294967295, without a unit";
const MILLISECONDS: &str = "write a whole number of milliseconds from 1 on, or leave the key out";
const SHARE: &str = "write a number from 0 to 1, as in 0.01";
const TIME: &str = "write a time with its unit, as in 30m, 90s or 500ms, at most 365 days";
const HOST: &str = "write a host without scheme, port and path, as in alscope.example.com or 10.0.0.7";
const IDLE: &str = "write a time with its unit, as in 30m, 90s or 500ms, at least 10s and at most 365 days";
const HEADER: &str = "write the name of a header, as in x-api-key";
