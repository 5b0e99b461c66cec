//! The collector as a process, with its output.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::running::{AT_ONCE, CLUSTER, get};

pub(crate) struct Process {
    pub(crate) grpc: SocketAddr,
    pub(crate) web: SocketAddr,
    pub(crate) admin: SocketAddr,
    child: Running,
    stdout: JoinHandle<String>,
    stderr: JoinHandle<String>,
    _folder: tempfile::TempDir,
}

/// A process that is killed when the test ends, even if it fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // A process that has already ended may be killed again without harm.
        drop((self.0.kill(), self.0.wait()));
    }
}

/// The output of a process.
pub(crate) struct Printed {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

fn read_to_end(mut stream: impl Read + Send + 'static, mut said: String) -> JoinHandle<String> {
    std::thread::spawn(move || {
        stream.read_to_string(&mut said).unwrap();
        said
    })
}

/// Returns the address after `name=` in a log.
fn address(log: &str, name: &str) -> SocketAddr {
    let (_, rest) = log.split_once(&format!("{name}=")).unwrap();
    rest.split_whitespace().next().unwrap().parse().unwrap()
}

/// Runs the collector with this configuration until `holds`, and ends it in order. Returns its output.
pub(crate) async fn printed_until(configuration: &Path, holds: impl Fn() -> bool) -> String {
    let child = Command::new(env!("CARGO_BIN_EXE_alscope-collector"))
        .arg("--config")
        .arg(configuration)
        .env("RUST_LOG", "info")
        .stderr(Stdio::piped())
        .spawn();
    let mut child = Running(child.unwrap());
    let stderr = read_to_end(child.0.stderr.take().unwrap(), String::new());
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "it never holds");
        sleep(Duration::from_millis(20)).await;
    }
    let terminated = Command::new("kill").arg(child.0.id().to_string()).status();
    assert!(terminated.unwrap().success());
    child.0.wait().unwrap();
    stderr.join().unwrap()
}

impl Process {
    /// Starts the collector with `analysis` on free ports, with all log levels on.
    pub(crate) fn start(analysis: &str) -> Self {
        Self::read_by(analysis, "unlimited", |stdout| read_to_end(stdout, String::new()))
    }

    /// Starts it with a limit of open files, as `ulimit` takes it.
    pub(crate) fn with_open_files(analysis: &str, files: &str) -> Self {
        Self::read_by(analysis, files, |stdout| read_to_end(stdout, String::new()))
    }

    /// Starts it so that nobody reads its standard output.
    pub(crate) fn start_unread(analysis: &str) -> Self {
        Self::read_by(analysis, "unlimited", |stdout| {
            drop(stdout);
            std::thread::spawn(String::new)
        })
    }

    fn read_by(analysis: &str, files: &str, read: impl Fn(ChildStdout) -> JoinHandle<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("cluster.yaml"), CLUSTER).unwrap();
        let file = folder.path().join("collector.yaml");
        let configuration = format!(
            "listen: {{ grpc: \"127.0.0.1:0\", web: \"127.0.0.1:0\", admin: \"127.0.0.1:0\" }}\n\
             directory: {{ file: cluster.yaml }}\nanalysis: {{ {analysis} }}\n{AT_ONCE}\n"
        );
        std::fs::write(&file, configuration).unwrap();
        // A limit that can't be raised stays as it is.
        let limited = format!("ulimit -n {files}; exec \"$@\"");
        let child = Command::new("sh")
            .args([
                "-c",
                &limited,
                "sh",
                env!("CARGO_BIN_EXE_alscope-collector"),
                "--config",
            ])
            .arg(&file)
            .env("RUST_LOG", "info,alscope_collector=trace,alscope_analysis=trace")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = Running(child.unwrap());
        let mut log = BufReader::new(child.0.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("receiving access logs") {
            assert_ne!(log.read_line(&mut said).unwrap(), 0, "{said}");
        }
        Process {
            grpc: address(&said, "address"),
            web: address(&said, "web"),
            admin: address(&said, "admin"),
            stdout: read(child.0.stdout.take().unwrap()),
            stderr: read_to_end(log, said),
            child,
            _folder: folder,
        }
    }

    /// Returns the resident memory in bytes (`VmRSS`).
    pub(crate) fn resident_bytes(&self) -> usize {
        self.status("VmRSS:") * 1024
    }

    /// Returns the number after `name` in the process's status under `/proc`. Memory is in KiB.
    pub(crate) fn status(&self, name: &str) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Returns how many files the process has open.
    pub(crate) fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.0.id()))
            .unwrap()
            .count()
    }

    /// Returns the metrics once these samples have these values.
    pub(crate) async fn metrics_with(&self, samples: &[(&str, usize)]) -> String {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let (_, metrics) = get(self.admin, "/metrics").await;
            let is_there = |(name, value): &(&str, usize)| metrics.contains(&format!("\n{name} {value}\n"));
            if samples.iter().all(is_there) {
                return metrics;
            }
            assert!(Instant::now() < deadline, "never: {samples:?}\n{metrics}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends the process in order, and returns its output.
    pub(crate) fn stop(mut self) -> Printed {
        let terminated = Command::new("kill").arg(self.child.0.id().to_string()).status();
        assert!(terminated.unwrap().success());
        assert!(self.child.0.wait().unwrap().success());
        Printed {
            stdout: self.stdout.join().unwrap(),
            stderr: self.stderr.join().unwrap(),
        }
    }
}
