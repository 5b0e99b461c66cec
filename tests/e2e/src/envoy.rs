//! What an Envoy says of its own access logs.

use std::collections::BTreeMap;

use anyhow::Context;

use crate::cluster::Namespace;

/// Envoy's counters of its gRPC access loggers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccessLogs {
    /// HTTP entries that it handed to its loggers; Envoy's TCP logger does not count here.
    pub written: u64,
    /// Entries that it dropped because a buffer was full.
    pub dropped: u64,
    /// HTTP and TCP entries that it sent.
    pub flushed: u64,
    /// Flushes that failed.
    pub flush_failed: u64,
}

/// What the Envoy of one pod runs with, as its admin port dumps it.
pub fn config(namespace: &Namespace, pod: &str) -> anyhow::Result<String> {
    get(namespace, pod, "config_dump")
}

/// The counters of the Envoy of one pod, from its admin port.
pub fn access_logs(namespace: &Namespace, pod: &str) -> anyhow::Result<AccessLogs> {
    let stats = get(namespace, pod, "stats?filter=grpc_access_log")?;
    let counter = |name: &str| {
        let suffix = format!("grpc_access_log.{name}: ");
        let line = stats.lines().find_map(|line| line.split_once(&suffix));
        line.map_or(Ok(0), |(_, value)| {
            value.trim().parse().with_context(|| format!("{pod}: {value}"))
        })
    };
    Ok(AccessLogs {
        written: counter("logs_written")?,
        dropped: counter("logs_dropped")?,
        flushed: counter("grpc_entries_flushed")?,
        flush_failed: counter("grpc_entries_flush_failed")?,
    })
}

fn get(namespace: &Namespace, pod: &str, path: &str) -> anyhow::Result<String> {
    namespace.kubectl(&[
        "exec",
        pod,
        "--container=istio-proxy",
        "--",
        "pilot-agent",
        "request",
        "GET",
        path,
    ])
}

/// The pods that have an Envoy, by name.
pub fn pods(namespace: &Namespace) -> anyhow::Result<Vec<String>> {
    let names = namespace.kubectl(&[
        "get",
        "pods",
        "--field-selector=status.phase=Running",
        "--selector=service.istio.io/canonical-name,app!=load-generator",
        "--output=jsonpath={range .items[*]}{.metadata.name}{\"\\n\"}{end}",
    ])?;
    Ok(names.lines().map(str::to_owned).collect())
}

/// The counters of all of them.
pub fn all_access_logs(namespace: &Namespace) -> anyhow::Result<BTreeMap<String, AccessLogs>> {
    pods(namespace)?
        .into_iter()
        .map(|pod| {
            let logs = access_logs(namespace, &pod)?;
            Ok((pod, logs))
        })
        .collect()
}
