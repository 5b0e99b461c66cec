//! The collector in the cluster.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cluster::{Namespace, kubectl, run, until};
use crate::exposition::{Exposition, get};

/// A deployed collector, reached from the host through the cluster's relay.
#[derive(Debug)]
pub struct Collector {
    web: String,
    admin: String,
}

/// Loads the images of the collector and of bookinfo from the release binaries in cargo's target directory.
pub fn load_images() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    for (name, binary) in [("collector", "alscope-collector"), ("bookinfo", "bookinfo")] {
        let containerfile = root.join(format!("deploy/images/{name}.Containerfile"));
        let binary = target.join("release").join(binary);
        let image = format!("alscope/{name}");
        let paths = [containerfile.to_string_lossy(), binary.to_string_lossy()];
        run("load-image", &[&image, "e2e", &paths[0], &paths[1]])?;
    }
    Ok(())
}

impl Collector {
    /// Deploys the collector anew: its counters start at 0.
    pub fn deploy() -> anyhow::Result<Self> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/collector.yaml");
        let system = Namespace {
            name: "alscope-system".to_owned(),
        };
        system.kubectl(&[
            "delete",
            "deployment",
            "alscope-collector",
            "--ignore-not-found",
            "--timeout=60s",
        ])?;
        kubectl(&["apply", "--filename", &manifest.to_string_lossy()])?;
        system.available(60)?;
        let address = system.kubectl(&[
            "get",
            "service",
            "alscope-collector",
            "--output=jsonpath={.spec.clusterIP}",
        ])?;
        let relay = |name: &str, port: u16| {
            let port = run("relay", &["add", name, &format!("{address}:{port}")])?;
            anyhow::Ok(format!("http://127.0.0.1:{}", port.trim()))
        };
        let collector = Collector {
            web: relay("web", 8080)?,
            admin: relay("admin", 9090)?,
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
        get(&format!("{}{path}", self.web))
    }

    /// The page's address on the host.
    pub fn page(&self) -> &str {
        &self.web
    }
}
