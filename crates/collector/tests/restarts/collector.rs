//! A collector process, with the exact number of entries that it received.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Short, but longer than the service needs to send proxies elsewhere.
const ENDING: &str = "ending: { quiet: 1s, accept: 10s, scrape: 10s }";

pub(crate) struct Collector {
    pub(crate) grpc: SocketAddr,
    admin: SocketAddr,
    child: Child,
    log: Option<JoinHandle<String>>,
    _folder: tempfile::TempDir,
}

impl Drop for Collector {
    fn drop(&mut self) {
        // A process that has already ended may be killed again without harm.
        drop((self.child.kill(), self.child.wait()));
    }
}

/// Returns the address after `name=` in a log.
fn address(log: &str, name: &str) -> SocketAddr {
    let (_, rest) = log.split_once(&format!("{name}=")).unwrap();
    rest.split_whitespace().next().unwrap().parse().unwrap()
}

impl Collector {
    /// Starts a collector whose connections reach this age, and waits until it is ready.
    pub(crate) async fn start(connection_age: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("collector.yaml");
        let configuration = format!(
            "listen: {{ grpc: \"127.0.0.1:0\", web: \"127.0.0.1:0\", admin: \"127.0.0.1:0\" }}\n\
             directory: {{ none: {{}} }}\nanalysis: {{ http: mx-mesh, tcp: mx-mesh }}\n\
             limits: {{ connectionAge: {connection_age} }}\n{ENDING}\n"
        );
        std::fs::write(&file, configuration).unwrap();
        let start = move || {
            let mut child = Command::new(env!("CARGO_BIN_EXE_alscope-collector"))
                .arg("--config")
                .arg(&file)
                .env_remove("RUST_LOG")
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut log = BufReader::new(child.stderr.take().unwrap());
            let mut said = String::new();
            while !said.contains("receiving access logs") {
                assert_ne!(log.read_line(&mut said).unwrap(), 0, "{said}");
            }
            Collector {
                grpc: address(&said, "address"),
                admin: address(&said, "admin"),
                child,
                log: Some(std::thread::spawn(move || {
                    log.read_to_string(&mut said).unwrap();
                    said
                })),
                _folder: folder,
            }
        };
        let collector = tokio::task::spawn_blocking(start).await.unwrap();
        // The collector waits at its end for a client that has scraped before.
        collector.sample("alscope_streams").await.unwrap();
        collector
    }

    /// Returns a sample, or `None` once the metrics are not served any more.
    async fn sample(&self, name: &'static str) -> Option<u64> {
        let metrics = super::envoy::get(format!("http://{}/metrics", self.admin)).await?;
        let (_, rest) = metrics.split_once(&format!("\n{name} ")).unwrap();
        rest.lines().next().unwrap().parse().ok()
    }

    async fn until(&self, name: &'static str, least: u64) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.sample(name).await.unwrap() < least {
            assert!(Instant::now() < deadline, "never: {name} {least}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the collector has at least this many streams.
    pub(crate) async fn until_streams(&self, least: u64) {
        self.until("alscope_streams", least).await;
    }

    /// Waits until the collector has received at least this many entries.
    pub(crate) async fn until_received(&self, least: u64) {
        self.until("alscope_entries_received_total", least).await;
    }

    /// Tells the collector to end.
    pub(crate) fn terminate(&self) {
        let sent = Command::new("kill").arg(self.child.id().to_string()).status();
        assert!(sent.unwrap().success());
    }

    /// Returns the number of all entries received, once the collector has ended in order: its last scrape
    /// has them.
    pub(crate) async fn ended(mut self) -> u64 {
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut received = None;
        loop {
            match self.sample("alscope_entries_received_total").await {
                Some(newer) => received = Some(newer),
                None if self.child.try_wait().unwrap().is_some() => break,
                None => {}
            }
            assert!(Instant::now() < deadline, "it does not end");
            sleep(Duration::from_millis(20)).await;
        }
        let status = self.child.wait().unwrap();
        let log = self.log.take().unwrap().join().unwrap();
        assert!(status.success() && log.trim_end().ends_with("stopped"), "{log}");
        received.unwrap()
    }

    /// Kills the collector. Returns the number of entries that it had received and shown.
    pub(crate) async fn kill(mut self) -> u64 {
        let received = self.sample("alscope_entries_received_total").await.unwrap();
        self.child.kill().unwrap();
        received
    }
}
