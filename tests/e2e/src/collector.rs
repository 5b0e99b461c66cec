//! The collector in the cluster.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;

use crate::cluster::{kubectl, programs, run, until};
use crate::exposition::{Exposition, get};
use crate::operator;

/// A collector that the operator runs, reached from the host.
#[derive(Debug)]
pub struct Collector {
    admin: String,
    page: Forward,
}

/// Loads the images of the operator, the collector and bookinfo from the release binaries in cargo's target directory.
pub fn load_images() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let images = [
        ("operator", "alscope-operator"),
        ("collector", "alscope-collector"),
        ("bookinfo", "bookinfo"),
    ];
    for (name, binary) in images {
        let containerfile = root.join(format!("deploy/images/{name}.Containerfile"));
        let binary = target.join("release").join(binary);
        let image = format!("alscope/{name}");
        let paths = [containerfile.to_string_lossy(), binary.to_string_lossy()];
        run("load-image", &[&image, "e2e", &paths[0], &paths[1]])?;
    }
    Ok(())
}

impl Collector {
    /// The collector that the operator runs, of which the resource is ready.
    pub fn observed() -> anyhow::Result<Self> {
        let service = [
            "get",
            "service",
            "alscope-collector",
            "--namespace",
            operator::NAMESPACE,
            "--output=jsonpath={.spec.clusterIP}",
        ];
        let address = kubectl(&service)?;
        let port = run("relay", &["add", "admin", &format!("{address}:9090")])?;
        let collector = Collector {
            admin: format!("http://127.0.0.1:{}", port.trim()),
            page: Forward::start("deployment/alscope-collector", 8080)?,
        };
        until("the collector's admin port", Duration::from_secs(20), || {
            Ok(get(&format!("{}/readyz", collector.admin)).ok())
        })?;
        Ok(collector)
    }

    /// A scrape of its metrics.
    pub fn metrics(&self) -> anyhow::Result<Exposition> {
        Exposition::parse(&get(&format!("{}/metrics", self.admin))?)
    }

    /// The body of a page or an API call on its web port.
    pub fn web(&self, path: &str) -> anyhow::Result<String> {
        get(&format!("http://{}{path}", self.page.address))
    }

    /// The page's address on the host.
    pub fn page(&self) -> &str {
        &self.page.address
    }
}

/// `kubectl port-forward`, for as long as it lives.
#[derive(Debug)]
struct Forward {
    address: String,
    process: Child,
    _output: BufReader<ChildStdout>,
}

impl Forward {
    fn start(what: &str, port: u16) -> anyhow::Result<Self> {
        let mut process = Command::new(programs().join("kubectl"))
            .args([
                "port-forward",
                "--namespace",
                operator::NAMESPACE,
                what,
                &format!(":{port}"),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        // It goes on printing: with its output closed, it would end.
        let mut output = BufReader::new(process.stdout.take().context("kubectl has no output")?);
        let mut line = String::new();
        let read = output.read_line(&mut line);
        let mut forward = Forward {
            address: String::new(),
            process,
            _output: output,
        };
        read?;
        let address = line
            .strip_prefix("Forwarding from ")
            .and_then(|rest| rest.split(' ').next());
        address
            .with_context(|| format!("kubectl port-forward says {line}"))?
            .clone_into(&mut forward.address);
        Ok(forward)
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        // A process that has ended can't be killed, and is not waited for long.
        if self.process.kill().is_ok() {
            drop(self.process.wait());
        }
    }
}
