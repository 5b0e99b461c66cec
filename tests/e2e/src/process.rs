//! The collector as a process of this machine, which follows the cluster's objects with the rights that its pods have.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStderr, Command, Stdio};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::cluster::kubectl;
use crate::exposition::{Exposition, get};
use crate::operator::NAMESPACE;
use crate::programs;

/// The `ServiceAccount` that the chart makes for the collector's pods.
const SERVICE_ACCOUNT: &str = "alscope-collector";

/// A collector that is ready. It is killed at the end.
#[derive(Debug)]
pub struct Collector {
    /// Where it takes access logs.
    pub grpc: String,
    admin: String,
    process: Child,
    // It goes on logging: with its error output closed, it could not.
    log: BufReader<ChildStderr>,
    _folder: tempfile::TempDir,
}

impl Collector {
    /// Starts one, and waits until it knows the cluster's objects.
    pub fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let kubeconfig = folder.path().join("kubeconfig");
        std::fs::write(&kubeconfig, its_kubeconfig()?.to_string())?;
        let configuration = json!({
            "listen": {"grpc": "127.0.0.1:0", "web": "127.0.0.1:0", "admin": "127.0.0.1:0"},
            "directory": {"kubernetes": {"kubeconfig": kubeconfig}},
            "analysis": {"http": "k8s-mesh", "tcp": "k8s-mesh"},
        });
        let file = folder.path().join("collector.yaml");
        std::fs::write(&file, configuration.to_string())?;
        let mut process = Command::new(programs::program("alscope-collector"))
            .arg("--config")
            .arg(&file)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let log = process.stderr.take().context("the collector has no log")?;
        let mut collector = Self {
            grpc: String::new(),
            admin: String::new(),
            process,
            log: BufReader::new(log),
            _folder: folder,
        };
        let mut said = String::new();
        while !said.contains("receiving access logs") {
            let read = collector.log.read_line(&mut said)?;
            ensure!(read > 0, "the collector ended: {said}");
        }
        let address = |name: &str| {
            let (_, rest) = said.split_once(&format!(" {name}="))?;
            rest.split_whitespace().next().map(str::to_owned)
        };
        collector.grpc = address("address").context("no address of access logs")?;
        collector.admin = address("admin").context("no address of metrics")?;
        Ok(collector)
    }

    /// A scrape of its metrics.
    pub fn metrics(&self) -> anyhow::Result<Exposition> {
        Exposition::parse(&get(&format!("http://{}/metrics", self.admin))?)
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        if self.process.kill().is_ok() {
            drop(self.process.wait());
        }
    }
}

/// The way to the API server, with the token of the collector's `ServiceAccount` in place of the administrator's certificate.
fn its_kubeconfig() -> anyhow::Result<Value> {
    let token = kubectl(&["create", "token", SERVICE_ACCOUNT, "--namespace", NAMESPACE])?;
    let mut kubeconfig: Value = serde_json::from_str(&kubectl(&[
        "config",
        "view",
        "--raw",
        "--minify",
        "--output=json",
    ])?)?;
    kubeconfig["users"][0]["user"] = json!({"token": token.trim()});
    Ok(kubeconfig)
}
