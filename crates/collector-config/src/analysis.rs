//! What the rules that read the entries are told.

use std::time::Duration;

use alscope_naming::kubernetes_name::{KubernetesPath, default_istio_service_name, default_k8s_service_name};
use alscope_naming::template::Template;

use crate::Analyzer;

/// The analyzers for each kind of entry, in order of precedence, and what they are told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Analysis {
    /// For HTTP entries; empty means that they are counted and skipped.
    pub http: Vec<Analyzer>,
    /// For TCP entries; empty means that they are counted and skipped.
    pub tcp: Vec<Analyzer>,
    /// How services are named.
    pub naming: Naming,
    /// How endpoints are named.
    pub endpoints: Endpoints,
    /// Which entries the analyzer `persistence` keeps.
    pub persistence: Persistence,
    /// What never leaves the collector.
    pub redaction: Redaction,
    /// Whether a gateway's caller is who Envoy says the request was forwarded for (`downstream_remote_address`, from
    /// X-Forwarded-For or the PROXY protocol), not whom the connection came from (`downstream_direct_remote_address`).
    pub trust_forwarded_address: bool,
}

/// How services are named, by `SkyWalking`'s templates: `${…}` holds comma-separated paths into the objects' metadata,
/// of which the first that has a text is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naming {
    /// The name of a pod's service; the template's objects are `pod` and `service`, the oldest Service that sends to the pod.
    pub k8s_service_name_rule: Template<KubernetesPath>,
    /// The name of the service of a host outside the mesh; the template's object is `serviceEntry`.
    pub istio_service_name_rule: Template<KubernetesPath>,
    /// Namespaces whose `ServiceEntry` objects name nothing.
    pub istio_service_entry_ignored_namespaces: Vec<String>,
}

impl Default for Naming {
    fn default() -> Self {
        Self {
            k8s_service_name_rule: default_k8s_service_name(),
            istio_service_name_rule: default_istio_service_name(),
            istio_service_entry_ignored_namespaces: Vec::new(),
        }
    }
}

/// How endpoints are named: the method, and a template of the path without its query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// Templates of paths, tried before any other; `{…}` stands for one segment, as in `/users/{id}`.
    pub rules: Vec<String>,
    /// Endpoints of one service that are known at a time; further ones are one endpoint together.
    pub per_service: usize,
}

impl Default for Endpoints {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            per_service: 500,
        }
    }
}

/// Which entries the analyzer `persistence` keeps.
#[derive(Clone, Debug, PartialEq)]
pub struct Persistence {
    /// Whether those of calls that failed are kept: a response code from 400 on, or a response flag.
    pub errors: bool,
    /// From which duration on a call is slow, so that its entry is kept; `None` is never.
    pub slow: Option<Duration>,
    /// The share of all the other entries that is kept, from 0 to 1.
    pub sampled_share: f64,
    /// Entries of one service with one response code, or with the same flags, that are kept in a minute.
    pub entries_per_minute: usize,
}

impl Default for Persistence {
    fn default() -> Self {
        Self {
            errors: true,
            slow: None,
            sampled_share: 0.0,
            entries_per_minute: 6000,
        }
    }
}

/// What never leaves the collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redaction {
    /// Whether the values of queries and of headers that may hold secrets are left out.
    pub enabled: bool,
    /// Headers whose values are left out beside those of `authorization` and `cookie`, in lower case.
    pub headers: Vec<String>,
}

impl Default for Redaction {
    fn default() -> Self {
        Self {
            enabled: true,
            headers: Vec::new(),
        }
    }
}
