//! The directory's sources in a running collector.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::StatusCode;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::process::printed_until;
use crate::running::{CLUSTER, Collector, configuration};

const VERSION: &str = "alscope_directory_version";
const FAILURES: &str = "alscope_directory_failures_total{kind=\"Pod\"}";
const SKIPPED: &str = "alscope_directory_objects_skipped_total{kind=\"Pod\"}";
const AGE: &str = "alscope_directory_age_seconds{kind=\"Pod\"}";

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_file_is_followed_while_the_collector_runs() {
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "");
    let file = folder.path().join("cluster.yaml");
    let collector = Collector::running(config, folder).await;
    assert_eq!(collector.sample(VERSION).await, 1.0);

    let bad = "- {kind: Pod, metadata: {name: bad}, spec: {containers: secret}}";
    fs::write(&file, format!("{CLUSTER}{bad}\n").replace("10.0.0.2", "10.0.0.3")).unwrap();
    collector.until_sample(VERSION, 2.0).await;
    collector.until_sample(SKIPPED, 1.0).await;

    fs::write(&file, "items: [").unwrap();
    collector.until_sample(FAILURES, 1.0).await;
    assert!(collector.sample(AGE).await < 10.0);
    let (status, text) = collector.get(collector.admin, "/readyz?verbose").await;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((status, lines.len(), lines[0]), (200, 7, "ok"), "{text}");
    assert!(lines[1].starts_with("[+]Pod listed, "), "{text}");
    assert!(lines[1].contains(" s ago: directory file "), "{text}");
    assert_eq!(
        collector.get(collector.admin, "/readyz").await,
        (200, "ok\n".to_owned())
    );
    assert_eq!(collector.sample(VERSION).await, 2.0);
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_fails_does_not_fill_the_log() {
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = requests.clone();
    let router = Router::new().fallback(move || async move {
        counted.fetch_add(1, Ordering::Relaxed);
        (StatusCode::INTERNAL_SERVER_ERROR, "out of order")
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });

    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = json!({
        "clusters": [{ "name": "test", "cluster": { "server": format!("http://{address}") } }],
        "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "test" } }],
        "users": [{ "name": "test", "user": {} }],
        "current-context": "test",
    });
    fs::write(folder.path().join("kubeconfig"), kubeconfig.to_string()).unwrap();
    let configuration = "listen: { grpc: \"127.0.0.1:0\", web: \"127.0.0.1:0\", admin: \"127.0.0.1:0\" }\n\
         directory: { kubernetes: { kubeconfig: kubeconfig } }\n";
    let file = folder.path().join("collector.yaml");
    fs::write(&file, configuration).unwrap();
    let log = printed_until(&file, || requests.load(Ordering::Relaxed) >= 20).await;
    assert!(!log.contains("kube_client"), "{log}");
    let failures: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("500: out of order"))
        .collect();
    assert_eq!(failures.len(), 6, "{log}");
}
