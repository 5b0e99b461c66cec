//! Redacts a message so that it may leave its mesh. It hides what is hidden wherever entries are shown, and
//! removes what no rule reads.
//!
//! It removes the values of queries, credentials, headers with secrets, dynamic metadata, custom tags,
//! and all node metadata that does not name the node's workload. It also removes fields that Envoy added
//! after this version was built.

use als_proto::messages::envoy::config::core::v3::Node;
use als_proto::messages::envoy::data::accesslog::v3::{
    AccessLogCommon, HttpAccessLogEntry, HttpRequestProperties, HttpResponseProperties,
};
use als_proto::messages::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use als_proto::messages::envoy::service::accesslog::v3::stream_access_logs_message::LogEntries;
use alscope_analysis::names::redact::Redaction;
use prost::{DecodeError, Message as _};

/// The node metadata that names the workload.
const NAMES: [&str; 8] = [
    "NAME",
    "NAMESPACE",
    "WORKLOAD_NAME",
    "OWNER",
    "LABELS",
    "CLUSTER_ID",
    "MESH_ID",
    "ISTIO_VERSION",
];

/// Returns the encoded message without what must stay in the mesh.
pub fn message(bytes: &[u8], redaction: &Redaction) -> Result<Vec<u8>, DecodeError> {
    let mut message = StreamAccessLogsMessage::decode(bytes)?;
    if let Some(identifier) = &mut message.identifier {
        identifier.node.as_mut().map(node);
    }
    match &mut message.log_entries {
        Some(LogEntries::HttpLogs(logs)) => {
            for entry in &mut logs.log_entry {
                http(entry, redaction);
            }
        }
        Some(LogEntries::TcpLogs(logs)) => {
            for entry in &mut logs.log_entry {
                entry.common_properties.as_mut().map(common);
            }
        }
        None => {}
    }
    Ok(message.encode_to_vec())
}

fn node(node: &mut Node) {
    if let Some(metadata) = &mut node.metadata {
        metadata.fields.retain(|name, _| NAMES.contains(&name.as_str()));
    }
    node.extensions.clear();
}

fn common(common: &mut AccessLogCommon) {
    common.metadata = None;
    common.custom_tags.clear();
}

fn http(entry: &mut HttpAccessLogEntry, redaction: &Redaction) {
    entry.common_properties.as_mut().map(common);
    if let Some(request) = &mut entry.request {
        http_request(request, redaction);
    }
    if let Some(response) = &mut entry.response {
        http_response(response, redaction);
    }
}

fn http_request(request: &mut HttpRequestProperties, redaction: &Redaction) {
    let replace = |text: &mut String, redact: fn(&Redaction, &[u8], &mut String)| {
        let mut shown = String::new();
        redact(redaction, text.as_bytes(), &mut shown);
        *text = shown;
    };
    replace(&mut request.path, Redaction::target);
    replace(&mut request.original_path, Redaction::target);
    replace(&mut request.authority, Redaction::authority);
    for (name, text) in [
        ("user-agent", &mut request.user_agent),
        ("referer", &mut request.referer),
        ("x-forwarded-for", &mut request.forwarded_for),
        ("x-request-id", &mut request.request_id),
    ] {
        *text = header(redaction, name, text);
    }
    for (name, value) in &mut request.request_headers {
        *value = header(redaction, name, value);
    }
}

fn http_response(response: &mut HttpResponseProperties, redaction: &Redaction) {
    let headers = response.response_headers.iter_mut();
    for (name, value) in headers.chain(&mut response.response_trailers) {
        *value = header(redaction, name, value);
    }
}

fn header(redaction: &Redaction, name: &str, value: &str) -> String {
    let mut shown = String::new();
    redaction.header(name.as_bytes(), value.as_bytes(), &mut shown);
    shown
}
