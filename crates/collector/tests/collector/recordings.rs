//! Streams of a real client are recorded and replayed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use als_proto::messages::envoy::data::accesslog::v3::HttpAccessLogEntry;
use als_proto::messages::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use als_proto::{RecordedMessage, Recording};
use alscope_analysis::accounting::KeepReason;
use alscope_analysis::names::redact::Redaction;
use alscope_collector::envoy_metrics::Proxies;
use alscope_collector::export::prometheus::Prometheus;
use alscope_collector::export::prometheus::families::ScrapeGauges;
use alscope_collector::export::prometheus::format::Format;
use alscope_collector::record::{self, RecordError, RecordOptions, Recorded};
use alscope_collector::replay::replay;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::methods::{Answered, SATELLITE, V3, of_cluster};
use crate::running::*;

const SECRET: &str = "hunter2-s3cr3t";

struct Recorder {
    address: SocketAddr,
    file: PathBuf,
    stop: CancellationToken,
    task: JoinHandle<Result<Recorded, RecordError>>,
    folder: tempfile::TempDir,
}

impl Recorder {
    fn start(redaction: Redaction, bytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("streams.als");
        let socket = record::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        let stop = CancellationToken::new();
        let options = RecordOptions {
            file: file.clone(),
            bytes,
            redaction,
        };
        #[expect(clippy::disallowed_methods, reason = "the test awaits the task in `stop`")]
        let task = tokio::spawn(record::record(socket, options, stop.clone()));
        Self {
            address,
            file,
            stop,
            task,
            folder,
        }
    }

    async fn send(&self, path: &'static str, messages: Vec<StreamAccessLogsMessage>) {
        let answered: Answered = send_to(self.address, path, messages, None).await;
        answered.unwrap();
    }

    /// Ends the recording. Returns its result and the file's bytes.
    async fn stop(self) -> (Recorded, Vec<u8>, tempfile::TempDir) {
        self.stop.cancel();
        let recorded = self.task.await.unwrap().unwrap();
        (recorded, std::fs::read(&self.file).unwrap(), self.folder)
    }
}

/// Returns a call with a secret in every place that can hold one.
fn with_secrets() -> HttpAccessLogEntry {
    let mut entry = entry("10.0.0.2");
    let request = entry.request.as_mut().unwrap();
    request.path = format!("/login?password={SECRET}");
    request.original_path = request.path.clone();
    request.authority = format!("user:{SECRET}@shop.example");
    request.referer = format!("http://shop.example/?token={SECRET}");
    let authorization = ("authorization".to_owned(), format!("Bearer {SECRET}"));
    request.request_headers = [authorization].into();
    let response = entry.response.as_mut().unwrap();
    let cookie = ("set-cookie".to_owned(), format!("session={SECRET}"));
    response.response_headers = [cookie.clone()].into();
    response.response_trailers = [cookie].into();
    let common = entry.common_properties.as_mut().unwrap();
    common.custom_tags = [("tag".to_owned(), SECRET.to_owned())].into();
    entry
}

/// Returns the samples of requests after a replay.
async fn requests(folder: &Path, more: &str, file: PathBuf) -> Vec<String> {
    let replayed = replay(&configuration(folder, more), file).await.unwrap();
    assert!(!replayed.is_cut_off);
    let gauges = ScrapeGauges {
        analyzers: 1,
        streams: 0,
        directory_version: replayed.directory_version,
        ..ScrapeGauges::default()
    };
    let pieces = Prometheus::default().render(
        replayed.snapshot.into(),
        Format::Text,
        &gauges,
        &Proxies::default(),
    );
    lines(&pieces.collect::<String>())
}

fn lines(exposition: &str) -> Vec<String> {
    let requests = exposition
        .lines()
        .filter(|line| line.starts_with("alscope_requests_total{"));
    let mut lines: Vec<String> = requests.map(str::to_owned).collect();
    lines.sort();
    lines
}

#[tokio::test]
async fn a_replay_counts_what_a_collector_counts_that_gets_the_same_streams() {
    let streams = [
        (
            V3,
            vec![of_cluster("one", 3), message(vec![entry("10.0.0.2"); 4])],
        ),
        (SATELLITE, vec![of_cluster("two", 5), of_cluster("three", 6)]),
        (V3, vec![of_cluster("four", 7), of_cluster("five", 8)]),
    ];
    let collector = Collector::start().await;
    let recorder = Recorder::start(Redaction::default(), u64::MAX);
    for (path, messages) in &streams {
        recorder.send(path, messages.clone()).await;
        let answered: Answered = collector.send(path, messages.clone(), None).await;
        answered.unwrap();
    }
    collector
        .until_sample("alscope_entries_observed_total", 33.0)
        .await;
    let file = recorder.file.clone();
    let (summary, bytes, folder) = recorder.stop().await;
    assert_eq!((summary.messages, summary.left_out), (6, 0));
    assert_eq!(summary.bytes, bytes.len() as u64);
    let live = lines(&collector.get(collector.admin, "/metrics").await.1);
    let replayed = requests(folder.path(), "", file).await;
    assert_eq!(replayed, live);
    assert_eq!(live.len(), 4, "a cluster each, the fifth is none of its stream's");
    collector.stop().await;
}

#[tokio::test]
async fn secrets_do_not_get_into_a_recording_and_its_calls_stay_the_same() {
    let node = with_metadata(
        productpage(),
        [
            ("CLUSTER_ID", "one"),
            ("ANNOTATIONS", SECRET),
            ("NAME", "productpage"),
        ],
    );
    let messages = vec![message_of(node, vec![with_secrets(); 3])];
    let mut replays = Vec::new();
    for (redaction, expected) in [(Redaction::Off, true), (Redaction::default(), false)] {
        let recorder = Recorder::start(redaction, u64::MAX);
        recorder.send(V3, messages.clone()).await;
        let file = recorder.file.clone();
        let (_, bytes, folder) = recorder.stop().await;
        let holds_secret = bytes
            .windows(SECRET.len())
            .any(|window| window == SECRET.as_bytes());
        assert_eq!(holds_secret, expected);
        replays.push(requests(folder.path(), "", file).await);
    }
    assert_eq!(replays[0].len(), 1);
    assert!(replays[0][0].ends_with("} 3"), "{}", replays[0][0]);
    assert_eq!(replays[0], replays[1]);
}

#[tokio::test]
async fn a_replay_counts_what_a_collector_keeps() {
    let recorder = Recorder::start(Redaction::default(), u64::MAX);
    let mut failed = entry("10.0.0.2");
    failed.response.as_mut().unwrap().response_code = Some(503);
    let messages = vec![first_message(vec![failed.clone(), entry("10.0.0.2"), failed])];
    recorder.send(V3, messages).await;
    let file = recorder.file.clone();
    let (_, _, folder) = recorder.stop().await;
    let config = configuration(folder.path(), "");
    let analysis = "{ directory: { file: cluster.yaml }, analysis: { http: 'k8s-mesh,persistence' } }";
    let keeping = alscope_collector_config::Config::parse(analysis, &folder.path().join("a.yaml")).unwrap();
    for (config, expected) in [(config, 0), (keeping, 2)] {
        let replayed = replay(&config, file.clone()).await.unwrap();
        assert_eq!(replayed.snapshot.accounting.kept(KeepReason::Error), expected);
    }
}

#[tokio::test]
async fn configured_headers_do_not_get_into_a_recording() {
    for (redaction, expected) in [
        (Redaction::default(), true),
        (Redaction::with_headers(["x-tenant"]), false),
    ] {
        let recorder = Recorder::start(redaction, u64::MAX);
        let mut entry = entry("10.0.0.2");
        let header = ("x-tenant".to_owned(), SECRET.to_owned());
        entry.request.as_mut().unwrap().request_headers = [header].into();
        recorder.send(V3, vec![first_message(vec![entry])]).await;
        let (_, bytes, _folder) = recorder.stop().await;
        let holds_secret = bytes
            .windows(SECRET.len())
            .any(|window| window == SECRET.as_bytes());
        assert_eq!(holds_secret, expected);
    }
}

#[tokio::test]
async fn without_redaction_the_bytes_are_those_that_came() {
    let recorder = Recorder::start(Redaction::Off, u64::MAX);
    let messages = vec![
        first_message(vec![with_secrets()]),
        message(vec![entry("10.0.0.2")]),
    ];
    recorder.send(SATELLITE, messages.clone()).await;
    let (_, bytes, _folder) = recorder.stop().await;
    let records: Vec<RecordedMessage<'_>> = Recording::read(&bytes).unwrap().map(Result::unwrap).collect();
    let read: Vec<Vec<u8>> = records.iter().map(|record| record.message.to_vec()).collect();
    let sent: Vec<Vec<u8>> = messages.iter().map(prost::Message::encode_to_vec).collect();
    assert_eq!(read, sent);
    assert!(
        records
            .iter()
            .all(|record| record.satellite && record.stream == 0)
    );
}

#[tokio::test]
async fn a_recording_ends_when_it_is_as_large_as_it_may_be() {
    let recorder = Recorder::start(Redaction::default(), 1000);
    let messages = vec![first_message(vec![entry("10.0.0.2"); 4]); 100];
    let stop = recorder.stop.clone();
    // The recorder ends the stream in its middle.
    let answered: Answered = send_to(recorder.address, V3, messages, None).await;
    drop(answered);
    stop.cancelled().await;
    let (summary, bytes, _folder) = recorder.stop().await;
    assert!((1000..2500).contains(&bytes.len()), "{}", bytes.len());
    assert_eq!(
        Recording::read(&bytes).unwrap().flatten().count() as u64,
        summary.messages
    );
}

#[tokio::test]
async fn metrics_are_not_recorded() {
    let recorder = Recorder::start(Redaction::default(), u64::MAX);
    let path = "/envoy.service.metrics.v3.MetricsService/StreamMetrics";
    let answered: Answered = send_to(recorder.address, path, vec![first_message(vec![])], None).await;
    assert_eq!(answered.unwrap_err().code(), Code::Unimplemented);
    let (summary, ..) = recorder.stop().await;
    assert_eq!(summary.messages, 0);
}

#[tokio::test]
async fn a_recording_that_was_cut_off_is_replayed_up_to_there() {
    let recorder = Recorder::start(Redaction::default(), u64::MAX);
    let messages = vec![
        first_message(vec![entry("10.0.0.2"); 4]),
        message(vec![entry("10.0.0.2")]),
    ];
    recorder.send(V3, messages).await;
    let file = recorder.file.clone();
    let (_, bytes, folder) = recorder.stop().await;
    std::fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
    let replayed = replay(&configuration(folder.path(), ""), file).await.unwrap();
    assert!(replayed.is_cut_off);
    assert_eq!(replayed.snapshot.accounting.received, 4);
}

#[tokio::test]
async fn what_can_not_be_replayed_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("streams.als");
    let config = configuration(folder.path(), "");
    let missing = replay(&config, file.clone()).await.unwrap_err().to_string();
    assert!(missing.contains("streams.als: No such file"), "{missing}");
    std::fs::write(&file, "something else").unwrap();
    let other = replay(&config, file.clone()).await.unwrap_err().to_string();
    assert!(other.contains("this is not a recording"), "{other}");
    std::fs::write(&file, Recording::BEGINNING).unwrap();
    let text = "directory: { kubernetes: {} }";
    let live = alscope_collector_config::Config::parse(text, Path::new("collector.yaml")).unwrap();
    let live = replay(&live, file).await.unwrap_err().to_string();
    assert!(live.contains("name it in directory.file"), "{live}");
}
