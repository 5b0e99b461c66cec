//! A rendered configuration reads back as the same configuration.

#![expect(clippy::expect_used, reason = "a test may fail")]

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use alscope_collector_config::{
    Analysis, Analyzer, Config, Directory, Ending, Endpoints, Kubernetes, Limits, Listen, Naming,
    Persistence, Redaction,
};
use alscope_naming::kubernetes_name::{istio_service_name, k8s_service_name};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

const FILE: &str = "collector.yaml";

fn parsed(text: &str) -> Config {
    Config::parse(text, Path::new(FILE)).expect("the text is a configuration")
}

#[test]
fn what_is_at_its_default_is_left_out() {
    assert_eq!(Config::default().render(), "directory:\n  kubernetes: {}\n");
    let none = Config {
        directory: Directory::None,
        ..Config::default()
    };
    assert_eq!(none.render(), "directory:\n  none: {}\n");
}

#[test]
fn what_differs_is_a_block_of_its_keys() {
    let config = parsed(
        "{ directory: { kubernetes: { kubeconfig: /etc/admin.conf } }, workers: 3, web: { hosts: [alscope.example.com] }, \
         analysis: { tcp: mx-mesh, http: 'k8s-mesh,persistence', persistence: { slowMilliseconds: 1500 } }, \
         limits: { idleSeries: 90m } }",
    );
    let expected = r#"analysis:
  http: k8s-mesh,persistence
  persistence:
    slowMilliseconds: "1500"
  tcp: mx-mesh
directory:
  kubernetes:
    kubeconfig: /etc/admin.conf
limits:
  idleSeries: 1h 30m
web:
  hosts:
  - alscope.example.com
workers: "3"
"#;
    assert_eq!(config.render(), expected);
}

fn number() -> impl Strategy<Value = usize> {
    (1..=u32::MAX).prop_map(|number| number as usize)
}

fn time(least: Duration) -> impl Strategy<Value = Duration> {
    (0..1000 * 3600 * 24_u64, 0..1_000_000_u32).prop_map(move |(milliseconds, nanos)| {
        Duration::from_millis(milliseconds) + Duration::from_nanos(nanos.into()) + least
    })
}

/// Three addresses with a port each.
fn listen() -> impl Strategy<Value = Listen> {
    (any::<[std::net::IpAddr; 3]>(), 1..65_000_u16).prop_map(|([grpc, web, admin], port)| Listen {
        grpc: SocketAddr::new(grpc, port),
        web: SocketAddr::new(web, port + 1),
        admin: SocketAddr::new(admin, port + 2),
    })
}

/// A path as a person writes it, with letters that YAML has a meaning for.
fn path() -> impl Strategy<Value = PathBuf> {
    "[a-z/~#:é '\"{}&*!|>%@-]{0,12}[a-z]".prop_map(|text| PathBuf::from(text.trim()))
}

fn directory() -> impl Strategy<Value = Directory> {
    prop_oneof![
        Just(Directory::None),
        path().prop_map(Directory::File),
        option::of(path()).prop_map(|kubeconfig| Directory::Kubernetes(Kubernetes { kubeconfig })),
    ]
}

fn chain() -> impl Strategy<Value = Vec<Analyzer>> {
    subsequence(Analyzer::ALL.to_vec(), 0..=3).prop_filter("`persistence` is not alone", |chain| {
        chain.first() != Some(&Analyzer::Persistence)
    })
}

fn naming() -> impl Strategy<Value = Naming> {
    let service = select(vec![
        "${pod.metadata.name}",
        "mesh::${service.metadata.labels.app}",
        "true",
    ]);
    let entry = select(vec!["${serviceEntry.metadata.name}", "a: b", "'"]);
    (service, entry, vec("[a-z0-9-]{1,6}", 0..3)).prop_map(|(service, entry, ignored)| Naming {
        k8s_service_name_rule: k8s_service_name(service).expect("a rule"),
        istio_service_name_rule: istio_service_name(entry).expect("a rule"),
        istio_service_entry_ignored_namespaces: ignored,
    })
}

fn persistence() -> impl Strategy<Value = Persistence> {
    (any::<bool>(), option::of(1..=u32::MAX), 0.0..=1.0, number()).prop_map(
        |(errors, slow, sampled_share, entries_per_minute)| Persistence {
            errors,
            slow: slow.map(|milliseconds| Duration::from_millis(milliseconds.into())),
            sampled_share,
            entries_per_minute,
        },
    )
}

fn analysis() -> impl Strategy<Value = Analysis> {
    let endpoints = (vec("(GET )?/[a-z{}*'\"-]{0,8}", 0..3), number());
    let redaction = (any::<bool>(), vec("[a-z0-9!#$%&'*+.^_`|~-]{1,6}", 0..3));
    (
        chain(),
        chain(),
        naming(),
        persistence(),
        endpoints,
        redaction,
        any::<bool>(),
    )
        .prop_map(
            |(
                http,
                tcp,
                naming,
                persistence,
                (rules, per_service),
                (enabled, headers),
                trust_forwarded_address,
            )| Analysis {
                http,
                tcp,
                naming,
                persistence,
                endpoints: Endpoints { rules, per_service },
                redaction: Redaction { enabled, headers },
                trust_forwarded_address,
            },
        )
}

fn limits() -> impl Strategy<Value = Limits> {
    let numbers = vec(number(), 8);
    (
        numbers,
        number(),
        time(Duration::from_secs(10)),
        time(Duration::from_millis(1)),
    )
        .prop_map(|(numbers, message_bytes, idle_series, connection_age)| {
            let at = |index: usize| numbers.get(index).copied().unwrap_or(1);
            Limits {
                message_bytes,
                buffered_bytes: message_bytes.max(at(0)),
                entries_per_message: at(1),
                string_bytes: at(2),
                connections: at(3),
                streams_per_connection: at(4),
                streams_per_peer: at(5),
                samples: at(6),
                outside_hosts: at(7),
                idle_series,
                connection_age,
            }
        })
}

fn ending() -> impl Strategy<Value = Ending> {
    let time = || time(Duration::ZERO);
    (time(), time(), time()).prop_map(|(quiet, accept, scrape)| Ending {
        quiet,
        accept,
        scrape,
    })
}

fn config() -> impl Strategy<Value = Config> {
    let workers =
        option::of((1..=1024_usize).prop_map(|workers| NonZeroUsize::new(workers).expect("from 1 on")));
    let hosts = vec("[a-z0-9_-]{1,8}(\\.[a-z0-9]{1,3})?", 0..3);
    (
        listen(),
        directory(),
        analysis(),
        any::<bool>(),
        workers,
        limits(),
        hosts,
        ending(),
    )
        .prop_map(
            |(listen, directory, analysis, accept_metrics_service, workers, limits, web_hosts, ending)| {
                Config {
                    listen,
                    directory,
                    analysis,
                    accept_metrics_service,
                    workers,
                    limits,
                    web_hosts,
                    ending,
                    ignored: Vec::new(),
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_rendered_configuration_is_read_as_it_was(config in config()) {
        prop_assert_eq!(parsed(&config.render()), config);
    }
}
