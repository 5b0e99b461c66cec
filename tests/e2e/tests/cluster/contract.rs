//! The real API server passes the contract that the tests' own one passes.

use alscope_e2e::cluster::kubectl;
use alscope_test_api_server::contract;
use anyhow::ensure;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

/// A client of the local cluster, as kubectl is one.
async fn client() -> anyhow::Result<Client> {
    let kubeconfig: Kubeconfig =
        serde_json::from_str(&kubectl(&["config", "view", "--raw", "--output=json"])?)?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}

#[tokio::test]
async fn every_case_passes() -> anyhow::Result<()> {
    let client = client().await?;
    contract::prepare(&client).await?;
    let cases = contract::cases();
    ensure!(cases.len() >= 60, "{} cases", cases.len());
    let mut failed = Vec::new();
    for case in &cases {
        if let Err(error) = case.run(&client, "contract-").await {
            failed.push(format!("{}: {error:#}", case.name));
        }
    }
    contract::clean_up(&client).await?;
    println!("  {} of {} cases pass", cases.len() - failed.len(), cases.len());
    ensure!(
        failed.is_empty(),
        "the real API server does not do what is relied on:\n{}",
        failed.join("\n")
    );
    Ok(())
}
