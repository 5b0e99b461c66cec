//! What the operator would change in a stock Istio, by its own `plan` and the examples of the documentation.

use std::path::Path;

use anyhow::{Context as _, ensure};
use tokio::process::Command;

const RESOURCE: &str = include_str!("../../docs/examples/minimal.yaml");
const CLUSTER: &str = include_str!("../../docs/examples/stock-istio.yaml");

/// Runs `alscope-operator plan` without a cluster and returns what it printed. Files will be in `state`.
pub(crate) async fn of_stock_istio(operator: &Path, state: &Path) -> anyhow::Result<String> {
    let (resource, cluster) = (state.join("minimal.yaml"), state.join("stock-istio.yaml"));
    for (file, text) in [(&resource, RESOURCE), (&cluster, CLUSTER)] {
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let output = Command::new(operator)
        .arg("plan")
        .arg("--file")
        .arg(resource)
        .arg("--state")
        .arg(cluster)
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("cannot run {}", operator.display()))?;
    ensure!(
        output.status.success(),
        "the operator's plan failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8(output.stdout)?)
}
