//! A virtual machine, of which only a `WorkloadEntry` tells: the collector finds it by the real API server, with no more rights
//! than its pods have.

use std::time::Duration;

use als_proto::messages::envoy::config::core::v3::{Address, Node, SocketAddress, address, socket_address};
use als_proto::messages::envoy::data::accesslog::v3::{
    AccessLogCommon, HttpAccessLogEntry, HttpRequestProperties, HttpResponseProperties,
};
use als_proto::messages::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use als_proto::messages::envoy::service::accesslog::v3::access_log_service_client::AccessLogServiceClient;
use als_proto::messages::envoy::service::accesslog::v3::stream_access_logs_message::{
    HttpAccessLogEntries, Identifier, LogEntries,
};
use alscope_e2e::cluster::until;
use alscope_e2e::meshes;
use alscope_e2e::operator::{self, apply_object};
use alscope_e2e::process::Collector;
use anyhow::ensure;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

const NAMESPACE: &str = "virtual-machines";
const LISTED: &str = "192.0.2.1";
const WATCHED: &str = "192.0.2.2";

#[test]
fn workload_entries_are_listed_and_watched_with_the_collectors_own_rights() -> anyhow::Result<()> {
    operator::installed()?;
    meshes::make(&[(NAMESPACE.to_owned(), vec![machine("listed", LISTED)])])?;
    let collector = Collector::start()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;

    // The list is complete when it is ready; the other machine is not there yet.
    runtime.block_on(call(&collector))?;
    until_called(&collector, "unknown", None)?;
    apply_object(&in_namespace(machine("watched", WATCHED)))?;
    until_called(&collector, "watched", Some(&runtime))?;

    let failures = collector.metrics()?.sum("alscope_directory_failures_total", &[]);
    ensure!(
        failures == 0,
        "the collector lacks rights: {failures} lists and watches failed"
    );
    meshes::delete(&[NAMESPACE])
}

fn machine(name: &str, address: &str) -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1beta1", "kind": "WorkloadEntry",
        "metadata": {"name": name},
        "spec": {"address": address, "labels": {"app": name}},
    })
}

fn in_namespace(mut object: Value) -> Value {
    object["metadata"]["namespace"] = json!(NAMESPACE);
    object
}

/// Waits for a call of the machine that is listed to that workload, by the one's own proxy. With a runtime, calls again each time.
fn until_called(collector: &Collector, workload: &str, again: Option<&Runtime>) -> anyhow::Result<()> {
    let labels = [
        ("reporter", "source"),
        ("source_workload", "listed"),
        ("source_workload_namespace", NAMESPACE),
        ("destination_workload", workload),
    ];
    until(&format!("a call of {workload}"), Duration::from_secs(20), || {
        if let Some(runtime) = again {
            runtime.block_on(call(collector))?;
        }
        let calls = collector.metrics()?.sum("alscope_requests_total", &labels);
        Ok((calls > 0).then_some(()))
    })
}

/// What the proxy of the one machine logs of a call to the other.
async fn call(collector: &Collector) -> anyhow::Result<()> {
    let entry = HttpAccessLogEntry {
        common_properties: Some(AccessLogCommon {
            downstream_remote_address: Some(socket(LISTED)),
            downstream_local_address: Some(socket("192.0.2.9")),
            upstream_remote_address: Some(socket(WATCHED)),
            upstream_cluster: "outbound|9080||watched.virtual-machines.svc.cluster.local".into(),
            ..AccessLogCommon::default()
        }),
        request: Some(HttpRequestProperties::default()),
        response: Some(HttpResponseProperties {
            response_code: Some(200),
            ..HttpResponseProperties::default()
        }),
        ..HttpAccessLogEntry::default()
    };
    let node = Node {
        id: format!("sidecar~{LISTED}~listed.{NAMESPACE}~{NAMESPACE}.svc.cluster.local"),
        ..Node::default()
    };
    let message = StreamAccessLogsMessage {
        identifier: Some(Identifier {
            node: Some(node),
            ..Identifier::default()
        }),
        log_entries: Some(LogEntries::HttpLogs(HttpAccessLogEntries {
            log_entry: vec![entry],
        })),
    };
    let mut client = AccessLogServiceClient::connect(format!("http://{}", collector.grpc)).await?;
    client
        .stream_access_logs(futures::stream::iter([message]))
        .await?;
    Ok(())
}

fn socket(address: &str) -> Address {
    let port_specifier = Some(socket_address::PortSpecifier::PortValue(9080));
    let socket = SocketAddress {
        address: address.into(),
        port_specifier,
        ..SocketAddress::default()
    };
    Address {
        address: Some(address::Address::SocketAddress(socket)),
    }
}
