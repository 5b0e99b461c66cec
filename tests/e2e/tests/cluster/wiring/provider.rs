//! A mesh that is wired by a provider: its pods run on, and report at once.

use std::collections::BTreeMap;
use std::time::Duration;

use alscope_e2e::baseline::Baseline;
use alscope_e2e::bookinfo::deploy;
use alscope_e2e::cluster::{Namespace, kubectl, now, until};
use alscope_e2e::collector::Collector;
use alscope_e2e::envoy;
use alscope_e2e::operator::{self, RESOURCE, explain, reaches};
use alscope_e2e::programs::load_images;
use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::mesh::{LoggerOfTcp, thousand};

/// The cluster of the collector's Service in an access logger, as `config_dump` writes it.
const LOGGER: &str =
    "\"cluster_name\": \"outbound|11800||alscope-collector.alscope-system.svc.cluster.local\"";

#[test]
fn by_a_provider_every_hop_is_counted_exactly_and_no_pod_restarts() -> anyhow::Result<()> {
    load_images()?;
    operator::install()?;
    let baseline = Baseline::unwired()?;
    let namespace = deploy("provider")?;
    let result = observed(&namespace);
    if result.is_err() {
        namespace.dump();
        explain();
    }
    result?;
    namespace.delete()?;
    baseline.check()
}

fn observed(namespace: &Namespace) -> anyhow::Result<()> {
    let before = pods(namespace)?;
    operator::apply(
        RESOURCE,
        &json!({"mesh": {"wiring": "TelemetryProvider"}, "analysis": {"http": ["k8s-mesh", "persistence"]}}),
    )?;
    reaches(RESOURCE, "Ready", ("True", "Ready"), Duration::from_mins(1))?;
    until_loggers(namespace, true)?;
    reaches(
        RESOURCE,
        "ProxiesUpToDate",
        ("True", "UpToDate"),
        Duration::from_secs(10),
    )?;
    thousand(&Collector::observed()?, namespace, LoggerOfTcp::Http)?;
    a_telemetry_that_silences_is_named(namespace)?;
    operator::delete_all()?;
    until_loggers(namespace, false)?;
    let after = pods(namespace)?;
    ensure!(after == before, "pods have changed: {before:?}, {after:?}");
    Ok(())
}

/// A Telemetry of the namespace that names other providers ends the logging there, and the condition says which line to add.
fn a_telemetry_that_silences_is_named(namespace: &Namespace) -> anyhow::Result<()> {
    let telemetry = json!({
        "apiVersion": "telemetry.istio.io/v1", "kind": "Telemetry", "metadata": {"name": "logs"},
        "spec": {"accessLogging": [{"providers": [{"name": "envoy"}]}]},
    });
    namespace.apply_text(&telemetry.to_string())?;
    until_loggers(namespace, false)?;
    let condition = reaches(
        RESOURCE,
        "ProxiesUpToDate",
        ("False", "SilencedByTelemetry"),
        Duration::from_secs(20),
    )?;
    let line = format!(
        "add `- name: alscope` to the providers of accessLogging in {}/logs",
        namespace.name
    );
    ensure!(condition.message.contains(&line), "{}", condition.message);
    let telemetry = telemetry.to_string().replace(
        "{\"name\":\"envoy\"}",
        "{\"name\":\"envoy\"},{\"name\":\"alscope\"}",
    );
    namespace.apply_text(&telemetry)?;
    until_loggers(namespace, true)?;
    reaches(
        RESOURCE,
        "ProxiesUpToDate",
        ("True", "UpToDate"),
        Duration::from_secs(20),
    )
    .map(drop)
}

/// Waits until every Envoy has a logger to the collector, or none has.
fn until_loggers(namespace: &Namespace, wanted: bool) -> anyhow::Result<()> {
    let begin = now();
    until("the loggers of the Envoys", Duration::from_secs(30), || {
        for pod in envoy::pods(namespace)? {
            if envoy::config(namespace, &pod)?.contains(LOGGER) != wanted {
                return Ok(None);
            }
        }
        Ok(Some(()))
    })?;
    println!(
        "  every Envoy {} after {:.1} s",
        if wanted { "logs" } else { "logs nothing" },
        begin.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Each pod's uid, and how often its containers were restarted.
fn pods(namespace: &Namespace) -> anyhow::Result<BTreeMap<String, i64>> {
    let pods = kubectl(&[
        "get",
        "pods",
        "--namespace",
        &namespace.name,
        "--selector=app!=load-generator",
        "--output=json",
    ])?;
    let pods: Value = serde_json::from_str(&pods)?;
    let items = pods["items"].as_array().context("no list of pods")?;
    let found = items
        .iter()
        .filter(|pod| pod["metadata"]["labels"]["batch.kubernetes.io/job-name"].is_null());
    Ok(found
        .map(|pod| {
            let statuses = ["containerStatuses", "initContainerStatuses"];
            let statuses = statuses
                .iter()
                .filter_map(|key| pod["status"][key].as_array())
                .flatten();
            let restarts = statuses
                .filter_map(|status| status["restartCount"].as_i64())
                .sum();
            (
                pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned(),
                restarts,
            )
        })
        .collect())
}
