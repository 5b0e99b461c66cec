//! The meaning of a configuration file's values once it is read.

#![expect(clippy::expect_used, reason = "a test may fail")]

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use alscope_collector_config::{Analyzer, Config, Directory, Ending, Kubernetes, Limits, Listen};

fn config(text: &str) -> Config {
    Config::parse(text, Path::new("/etc/alscope/collector.yaml")).expect("the text is a configuration")
}

#[test]
fn every_key_is_read() {
    let text = r#"
listen: { grpc: "127.0.0.1:1", web: "127.0.0.1:2", admin: "[::1]:3" }
directory: { file: mesh/cluster.yaml }
analysis: { http: " k8s-mesh ", tcp: k8s-mesh }
workers: 2
limits: { messageBytes: 10, entriesPerMessage: 11, stringBytes: 12, connections: 18, streamsPerConnection: 13, streamsPerPeer: 14, samples: 16, outsideHosts: 17, idleSeries: 20m, bufferedBytes: 15, connectionAge: 90s }
web: { hosts: [alscope.example.com] }
ending: { quiet: 1s, accept: 2s, scrape: 1m 3s }
"#;
    let config = config(text);
    assert_eq!(config.listen.grpc.to_string(), "127.0.0.1:1");
    assert_eq!(config.listen.web.to_string(), "127.0.0.1:2");
    assert_eq!(config.listen.admin.to_string(), "[::1]:3");
    assert_eq!(
        config.directory,
        Directory::File(PathBuf::from("/etc/alscope/mesh/cluster.yaml"))
    );
    assert_eq!(config.analysis.http, [Analyzer::K8sMesh]);
    assert_eq!(config.analysis.tcp, [Analyzer::K8sMesh]);
    assert_eq!(config.workers, NonZeroUsize::new(2));
    let limits = Limits {
        message_bytes: 10,
        entries_per_message: 11,
        string_bytes: 12,
        connections: 18,
        streams_per_connection: 13,
        streams_per_peer: 14,
        samples: 16,
        outside_hosts: 17,
        idle_series: Duration::from_mins(20),
        buffered_bytes: 15,
        connection_age: Duration::from_secs(90),
    };
    assert_eq!(config.limits, limits);
    assert_eq!(config.web_hosts, ["alscope.example.com"]);
    let ending = Ending {
        quiet: Duration::from_secs(1),
        accept: Duration::from_secs(2),
        scrape: Duration::from_secs(63),
    };
    assert_eq!(config.ending, ending);
}

#[test]
fn what_the_file_leaves_out_is_the_default() {
    let config = config("directory: { kubernetes: {} }");
    assert_eq!(config.listen, Listen::default());
    assert_eq!(config.listen.grpc.to_string(), "[::]:11800");
    assert_eq!(config.listen.web.to_string(), "127.0.0.1:8080");
    assert_eq!(config.listen.admin.to_string(), "[::]:9090");
    assert_eq!(
        config.directory,
        Directory::Kubernetes(Kubernetes { kubeconfig: None })
    );
    assert_eq!(config.analysis.http, []);
    assert_eq!(config.analysis.tcp, []);
    assert_eq!(config.workers, None);
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.web_hosts, Vec::<String>::new());
    assert_eq!(config.ending, Ending::default());
}

#[test]
fn block_with_every_line_commented_out_is_the_default() {
    let config = config("listen:\n  # web: 127.0.0.1:1\nlimits:\nanalysis:\ndirectory: { kubernetes: {} }\n");
    assert_eq!(config.listen, Listen::default());
    assert_eq!(config.limits, Limits::default());
}

#[test]
fn paths_are_relative_to_the_file_unless_absolute() {
    let kubeconfig =
        |path: &str| config(&format!("directory: {{ kubernetes: {{ kubeconfig: {path} }} }}")).directory;
    let at = |path: &str| {
        Directory::Kubernetes(Kubernetes {
            kubeconfig: Some(PathBuf::from(path)),
        })
    };
    assert_eq!(kubeconfig("admin.conf"), at("/etc/alscope/admin.conf"));
    assert_eq!(
        kubeconfig("/etc/kubernetes/admin.conf"),
        at("/etc/kubernetes/admin.conf")
    );
}

#[test]
fn free_ports_of_the_systems_choice_do_not_collide() {
    let text = "listen: { grpc: \"127.0.0.1:0\", web: \"127.0.0.1:0\", admin: \"127.0.0.1:0\" }";
    let config = config(&format!("{text}\ndirectory: {{ kubernetes: {{}} }}"));
    assert_eq!(config.listen.grpc.port(), 0);
}

#[test]
fn file_is_loaded_and_its_paths_joined() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("collector.yaml");
    std::fs::write(&path, "directory: { file: cluster.yaml }").expect("the file is written");
    let config = Config::load(&path).expect("the file is a configuration");
    assert_eq!(
        config.directory,
        Directory::File(folder.path().join("cluster.yaml"))
    );
}

#[test]
fn file_in_the_readme_has_the_defaults_that_it_claims() {
    let readme = include_str!("../../../README.md");
    let blocks = readme
        .split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next());
    let example = blocks
        .into_iter()
        .find(|block| block.starts_with("listen:"))
        .expect("the README has the file");
    let config = config(example);
    assert_eq!(config.listen, Listen::default());
    assert_eq!(config.limits, Limits::default());
    assert_eq!(
        config.directory,
        Directory::Kubernetes(Kubernetes { kubeconfig: None })
    );
    assert_eq!(config.analysis.http, [Analyzer::K8sMesh]);
    assert_eq!(config.analysis.tcp, [Analyzer::K8sMesh]);
}
