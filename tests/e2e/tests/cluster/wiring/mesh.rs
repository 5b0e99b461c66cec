//! The collector in a real mesh: its counters are what was called.

use std::collections::BTreeMap;
use std::time::Duration;

use alscope_e2e::bookinfo::{CONNECTIONS, Counted, Hop, REQUESTS, THOUSAND, check_topology, deploy, load};
use alscope_e2e::cluster::{Namespace, kubectl, relay, until};
use alscope_e2e::collector::Collector;
use alscope_e2e::envoy::{AccessLogs, all_access_logs};
use alscope_e2e::exposition::Exposition;
use alscope_e2e::operator;
use anyhow::{Context, ensure};
use comfy_table::Table;
use serde_json::{Value, json};

use super::wired;

#[test]
fn every_hop_of_a_thousand_requests_is_counted_exactly_by_both_sides() -> anyhow::Result<()> {
    observed(
        "hops",
        &json!({"analysis": {"http": ["k8s-mesh", "persistence"]}}),
        |collector, namespace| thousand(collector, namespace, LoggerOfTcp::Tcp),
    )
}

/// The logger that Envoy has for TCP. Its counter of written entries has only those of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LoggerOfTcp {
    /// The switch of mesh config brings one of its own.
    Tcp,
    /// A provider has one for both.
    Http,
}

/// Runs a test against bookinfo in a wired mesh, and the collector that the operator runs.
fn observed(
    name: &str,
    spec: &Value,
    test: impl FnOnce(&Collector, &Namespace) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    wired(
        spec,
        || deploy(name),
        |namespace| test(&Collector::observed()?, namespace),
    )
}

/// Makes a thousand requests, and compares what the collector, the Envoys and the generator count.
pub(super) fn thousand(
    collector: &Collector,
    namespace: &Namespace,
    logger: LoggerOfTcp,
) -> anyhow::Result<()> {
    let before = all_access_logs(namespace)?;
    let received_before = collector.metrics()?.sum("alscope_entries_received_total", &[]);
    load(namespace)?;
    let sent = namespace.kubectl(&["logs", "job/load"])?;
    let sent: Value = serde_json::from_str(sent.lines().last().context("the generator said nothing")?)?;
    ensure!(
        sent["requests"] == 1000 && sent["transportErrors"] == 0,
        "the generator says {sent}"
    );

    let (http, tcp) = (entries_of_thousand(REQUESTS), entries_of_thousand(CONNECTIONS));
    let entries_made = http + tcp;
    let metrics = until("every entry to arrive", Duration::from_secs(30), || {
        let metrics = collector.metrics()?;
        let received = metrics.sum("alscope_entries_received_total", &[]) - received_before;
        Ok((received >= entries_made).then_some(metrics))
    })?;
    let after = all_access_logs(namespace)?;
    print_hops(&metrics, &namespace.name);
    print_envoys(&before, &after);

    for hop in THOUSAND {
        hop.check(hop.counted(&metrics, &namespace.name))?;
    }
    let sum =
        |logs: &BTreeMap<String, AccessLogs>, of: fn(&AccessLogs) -> u64| logs.values().map(of).sum::<u64>();
    let written = sum(&after, |logs| logs.written) - sum(&before, |logs| logs.written);
    let of_http = match logger {
        LoggerOfTcp::Tcp => http,
        LoggerOfTcp::Http => entries_made,
    };
    ensure!(
        written == of_http,
        "the Envoys wrote {written} entries by a logger of HTTP, {of_http} were made"
    );
    let flushed = sum(&after, |logs| logs.flushed) - sum(&before, |logs| logs.flushed);
    let received = metrics.sum("alscope_entries_received_total", &[]) - received_before;
    ensure!(
        sum(&after, |logs| logs.dropped + logs.flush_failed) == 0,
        "an Envoy lost entries: {after:?}"
    );
    ensure!(
        received == flushed,
        "received {received} entries, the Envoys flushed {flushed}"
    );
    ensure!(
        flushed == entries_made,
        "the Envoys flushed {flushed} entries, {entries_made} were made"
    );
    ensure!(
        metrics.sum("alscope_entries_unattributed_total", &[]) == 0,
        "an entry has an unknown party"
    );
    a_doubled_reporter_is_noticed(&metrics, &namespace.name)?;
    every_failed_call_is_printed(collector)?;
    check_topology(collector, &namespace.name)?;
    the_page_is_served(collector)
}

/// Each call is logged by the caller's proxy, if it has one, and by the called one's; a gateway's one entry is both its own
/// server side and its client side.
fn entries_of_thousand(metric: &str) -> u64 {
    let entries = |hop: &Hop| match (hop.source, hop.source_reports) {
        ("bookinfo-gateway", _) | (_, false) => hop.calls,
        _ => 2 * hop.calls,
    };
    THOUSAND
        .iter()
        .filter(|hop| hop.metric == metric)
        .map(entries)
        .sum()
}

/// With one reporter's counter doubled the comparison must fail: else it compares nothing.
fn a_doubled_reporter_is_noticed(metrics: &Exposition, namespace: &str) -> anyhow::Result<()> {
    for hop in THOUSAND {
        let counted = hop.counted(metrics, namespace);
        let doubled = [
            Counted {
                source: counted.source.map(|calls| 2 * calls),
                ..counted
            },
            Counted {
                destination: 2 * counted.destination,
                ..counted
            },
        ];
        for doubled in doubled.into_iter().filter(|doubled| *doubled != counted) {
            ensure!(hop.check(doubled).is_err(), "{hop:?}: {doubled:?} went unnoticed");
        }
    }
    Ok(())
}

/// 34 of the requests fail at ratings: logged by the gateway, by productpage as called, and by both sides of two hops behind it.
fn every_failed_call_is_printed(collector: &Collector) -> anyhow::Result<()> {
    let failed = 34 + 34 + 2 * (34 + 34);
    let kept = collector.metrics()?.sum("alscope_entries_kept_total", &[]);
    ensure!(kept == failed, "kept {kept} entries, {failed} failed");
    until("a line of each failed call", Duration::from_secs(10), || {
        let logs = kubectl(&[
            "logs",
            "deployment/alscope-collector",
            "--namespace",
            operator::NAMESPACE,
            "--tail=-1",
        ])?;
        let lines = logs.lines().filter(|line| line.starts_with("{\"start_time\""));
        let lines: Vec<Value> = lines.map(serde_json::from_str).collect::<Result<_, _>>()?;
        ensure!(lines.len() as u64 == failed, "{} lines of {failed}", lines.len());
        for line in &lines {
            ensure!(line["kept"] == "error" && line["response_code"] == 503, "{line}");
        }
        Ok(Some(()))
    })
}

fn the_page_is_served(collector: &Collector) -> anyhow::Result<()> {
    let page = collector.web("/")?;
    ensure!(
        page.contains("page.js"),
        "{} serves no page: {page}",
        collector.page()
    );
    Ok(())
}

fn print_hops(metrics: &Exposition, namespace: &str) {
    let mut table = Table::new();
    table.set_header(["source", "destination", "made", "by source", "by destination"]);
    for hop in THOUSAND {
        let counted = hop.counted(metrics, namespace);
        let by_source = counted
            .source
            .map_or_else(|| "no proxy".to_owned(), |calls| calls.to_string());
        let row = [hop.calls.to_string(), by_source, counted.destination.to_string()];
        table.add_row([&[hop.source.to_owned(), hop.destination.to_owned()][..], &row].concat());
    }
    println!("{table}");
}

fn print_envoys(before: &BTreeMap<String, AccessLogs>, after: &BTreeMap<String, AccessLogs>) {
    let mut table = Table::new();
    table.set_header(["Envoy", "logs_written", "grpc_entries_flushed", "logs_dropped"]);
    for (pod, logs) in after {
        let old = before.get(pod).copied().unwrap_or_default();
        let numbers = [
            logs.written - old.written,
            logs.flushed - old.flushed,
            logs.dropped,
        ];
        table.add_row([&[pod.clone()][..], &numbers.map(|number| number.to_string())].concat());
    }
    println!("{table}");
}

#[test]
fn a_replaced_pod_keeps_its_calls_and_the_new_one_gets_its_own() -> anyhow::Result<()> {
    observed("replaced", &json!({}), replaced)
}

/// Replaces details' pod by one of version v2 while requests run. Each answer says which version gave it: that is the truth
/// that both reporters are compared with.
fn replaced(collector: &Collector, namespace: &Namespace) -> anyhow::Result<()> {
    let gateway = relay("bookinfo", &namespace.name, "bookinfo-gateway", 80)?;
    let url = format!("{gateway}/productpage");
    let mut truth: BTreeMap<String, u64> = BTreeMap::new();
    request(&url, 100, &mut truth)?;
    namespace.kubectl(&["patch", "deployment", "details-v1", "--patch", VERSION_2])?;
    until("an answer of version v2", Duration::from_mins(1), || {
        request(&url, 10, &mut truth)?;
        Ok(truth.contains_key("v2").then_some(()))
    })?;
    namespace.kubectl(&["rollout", "status", "deployment/details-v1", "--timeout=60s"])?;
    request(&url, 100, &mut truth)?;
    println!("  details answered: {truth:?}");
    ensure!(truth.len() == 2, "both versions must have answered: {truth:?}");

    let counted = |metrics: &Exposition, reporter: &str, version: &str| {
        let labels = [
            ("reporter", reporter),
            ("source_workload", "productpage-v1"),
            ("source_workload_namespace", namespace.name.as_str()),
            ("destination_workload", "details-v1"),
            ("destination_version", version),
            ("response_code", "200"),
        ];
        metrics.sum("alscope_requests_total", &labels)
    };
    let metrics = until(
        "both reporters to agree with the answers",
        Duration::from_secs(30),
        || {
            let metrics = collector.metrics()?;
            let agrees = truth.iter().all(|(version, calls)| {
                ["source", "destination"]
                    .iter()
                    .all(|reporter| counted(&metrics, reporter, version) == *calls)
            });
            Ok(agrees.then_some(metrics))
        },
    )?;
    let to_nobody = [
        ("source_workload", "productpage-v1"),
        ("destination_workload", "unknown"),
        ("response_code", "200"),
    ];
    ensure!(
        metrics.sum("alscope_requests_total", &to_nobody) == 0,
        "a call to details went to nobody"
    );
    Ok(())
}

const VERSION_2: &str = r#"{"spec": {"template": {
    "metadata": {"labels": {"app.kubernetes.io/version": "v2"}},
    "spec": {"containers": [{"name": "details", "env": [{"name": "BOOKINFO_VERSION", "value": "v2"}]}]}}}}"#;

/// Makes requests one after the other and counts which version of details answered. A request that met no pod was answered by
/// none.
fn request(url: &str, requests: u64, truth: &mut BTreeMap<String, u64>) -> anyhow::Result<()> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(10)))
        .build()
        .into();
    for id in 0..requests {
        let text = agent
            .get(format!("{url}?id={id}"))
            .call()?
            .body_mut()
            .read_to_string()?;
        let Ok(answer) = serde_json::from_str::<Value>(&text) else {
            continue;
        };
        if let Some(version) = details_version(&answer) {
            *truth.entry(version).or_default() += 1;
        }
    }
    Ok(())
}

fn details_version(answer: &Value) -> Option<String> {
    let details = answer["calls"]
        .as_array()?
        .iter()
        .find_map(|call| find_details(call))?;
    Some(details["version"].as_str()?.to_owned())
}

fn find_details(call: &Value) -> Option<&Value> {
    if call["service"] == "details" {
        Some(call)
    } else {
        call.as_object()?.values().find_map(find_details)
    }
}
