//! The configuration of a resource's collector: each key of the collector's file has a field in the resource, or is the operator's.

use std::net::SocketAddr;
use std::path::Path;

use alscope_collector_config::{Config, ConfigError, Directory, GivenValue, Kubernetes, Setting, settings};
use serde_json::Value;

use crate::api::{MeshObservability, MeshObservabilitySpec};

use super::settings::{OperatorSettings, WEB_PORT};

/// The configuration that a resource asks for. An error names the field of the resource, and says what to write.
pub fn collector_config(
    resource: &MeshObservability,
    settings: &OperatorSettings,
) -> Result<Config, ConfigError> {
    let spec = &resource.spec;
    let directory = if spec.analysis.looks_up() {
        Directory::Kubernetes(Kubernetes::default())
    } else {
        Directory::None
    };
    let mut config = Config::of_values(directory, &given_values(spec), Path::new("the resource"))?;
    if spec.collector.web.expose {
        config.listen.web = SocketAddr::new(config.listen.grpc.ip(), WEB_PORT);
        config.web_hosts.extend(settings.service_hosts(resource.name()));
    }
    Ok(config)
}

/// The field of a resource for a key of the collector's file, as in `spec.collector.limits.samples`.
pub fn field_of(key: &str) -> String {
    let block = if key.starts_with("analysis.") {
        "spec"
    } else {
        "spec.collector"
    };
    format!("{block}.{key}")
}

/// The values of a resource for the keys of the collector's file.
fn given_values(spec: &MeshObservabilitySpec) -> Vec<GivenValue> {
    let resource = serde_json::json!({ "spec": spec });
    let given = |setting: &'static Setting| {
        let name = field_of(setting.key);
        let value = resource.pointer(&format!("/{}", name.replace('.', "/")))?;
        let texts = match value {
            Value::Array(items) => items.iter().filter_map(text).collect(),
            value => vec![text(value)?],
        };
        Some(GivenValue { setting, name, texts })
    };
    settings().filter_map(given).collect()
}

/// A value as the collector's file spells it.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(switch) => Some(switch.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
