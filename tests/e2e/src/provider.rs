//! A telemetry provider in mesh config, put there by hand: every proxy sends its entries through it at once, without a restart.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::cluster::kubectl;
use crate::operator::{MESH, config_map, mesh};

/// The field manager of these writes, which does not stay in mesh config.
const MANAGER: &str = "by-hand";

/// Mesh config before it had the provider.
#[derive(Debug)]
pub struct WiredByHand {
    original: String,
}

/// Makes a Service the provider of access logs of the whole mesh, with all that the rules read.
pub fn wire(host: &str, port: u16) -> anyhow::Result<WiredByHand> {
    const PROVIDERS: &str = "defaultProviders:\n";
    let original = mesh(MESH)?;
    ensure!(
        original.contains(PROVIDERS)
            && !original.contains("accessLogging")
            && !original.contains("extensionProviders"),
        "mesh config has other providers: {original}"
    );
    let listed = original.replace(PROVIDERS, "defaultProviders:\n  accessLogging: [by-hand]\n");
    let provider = json!([{
        "name": "by-hand",
        "envoyHttpAls": {
            "service": host,
            "port": port,
            "additionalRequestHeadersToLog": ["content-type"],
            "additionalResponseHeadersToLog": ["content-type", "grpc-status"],
            "additionalResponseTrailersToLog": ["grpc-status", "grpc-message"],
            "filterStateObjectsToLog": [
                "upstream_peer", "downstream_peer",
                "wasm.upstream_peer", "wasm.downstream_peer", "wasm.upstream_peer_id", "wasm.downstream_peer_id",
                "envoy.filters.http.grpc_stats", "io.istio.peer_principal", "io.istio.local_principal",
            ],
        },
    }]);
    write(&format!(
        "{}\nextensionProviders: {provider}\n",
        listed.trim_end()
    ))?;
    Ok(WiredByHand { original })
}

impl WiredByHand {
    /// Gives mesh config its text back, and its field managers.
    pub fn unwire(self) -> anyhow::Result<()> {
        write(&self.original)?;
        let object = config_map(MESH, "istio")?.context("there is no ConfigMap istio")?;
        let entries = object["metadata"]["managedFields"].as_array();
        let mut entries = entries.into_iter().flatten();
        let ours = entries.position(|entry| entry["manager"] == MANAGER);
        let ours = ours.context("nobody wrote mesh config by hand")?;
        let entry = format!("/metadata/managedFields/{ours}");
        patch(
            "--type=json",
            &json!([
                {"op": "test", "path": format!("{entry}/manager"), "value": MANAGER},
                {"op": "remove", "path": entry},
            ]),
        )
    }
}

fn write(text: &str) -> anyhow::Result<()> {
    patch("--type=merge", &json!({"data": {"mesh": text}}))
}

fn patch(kind: &str, patch: &Value) -> anyhow::Result<()> {
    let (patch, manager) = (format!("--patch={patch}"), format!("--field-manager={MANAGER}"));
    kubectl(&[
        "patch",
        "configmap",
        "istio",
        "--namespace",
        MESH,
        kind,
        &patch,
        &manager,
    ])
    .map(drop)
}
