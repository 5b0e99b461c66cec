//! `analysis`: which rules read the entries, and what they are told.

use std::time::Duration;

use alscope_naming::kubernetes_name::{
    KubernetesPath, default_istio_service_name, default_k8s_service_name, istio_service_name,
    k8s_service_name,
};
use alscope_naming::template::Template;

use crate::Analyzer;
use crate::field::Field;
use crate::setting::{Setting, setting};

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

/// The keys of the block `analysis`.
pub(crate) const SETTINGS: &[Setting] = &[
    setting(
        "analysis.http",
        Field::Analyzers(|config| &mut config.analysis.http),
        "The analyzers of HTTP entries, the first with the most say. An empty text is none: entries are counted and skipped. `persistence` after one of them keeps single entries, which are printed as JSON lines. A name that is not known, or is listed twice, is refused.",
    ),
    setting(
        "analysis.tcp",
        Field::Analyzers(|config| &mut config.analysis.tcp),
        "The same for TCP entries.",
    ),
    setting(
        "analysis.naming.k8sServiceNameRule",
        Field::NamingRule(
            |config| &mut config.analysis.naming.k8s_service_name_rule,
            k8s_service_name,
        ),
        "The name of a pod's service. The objects of the rule are `pod` and `service`, the oldest Service that sends to the pod. Metrics have Istio's labels and not this name.",
    ),
    setting(
        "analysis.naming.istioServiceNameRule",
        Field::NamingRule(
            |config| &mut config.analysis.naming.istio_service_name_rule,
            istio_service_name,
        ),
        "The name of the service of a host outside the mesh. The object of the rule is `serviceEntry`.",
    ),
    setting(
        "analysis.naming.istioServiceEntryIgnoredNamespaces",
        Field::Names(|config| &mut config.analysis.naming.istio_service_entry_ignored_namespaces),
        "Namespaces whose ServiceEntries name nothing.",
    ),
    setting(
        "analysis.endpoints.rules",
        Field::List(
            |config| &mut config.analysis.endpoints.rules,
            endpoint_rule,
            "write the template of a path without its query, as in /users/{id} or GET /users/{id}",
        ),
        "Templates of paths, tried before any other, for every method or for one. `{…}` stands for one segment, a last `**` for any further ones, as in `GET /users/{id}/**`.",
    ),
    setting(
        "analysis.endpoints.perService",
        Field::Number(|config| &mut config.analysis.endpoints.per_service),
        "Endpoints of one service; further ones are one endpoint together. One that no kept entry was for in `limits.idleSeries` goes, at most as long again later, and leaves its place to others.",
    ),
    setting(
        "analysis.persistence.errors",
        Field::Switch(|config| &mut config.analysis.persistence.errors),
        "Whether `persistence` keeps the entries of failed calls and client errors (`outcomes.md`), and those with a response flag.",
    ),
    setting(
        "analysis.persistence.slowMilliseconds",
        Field::Milliseconds(|config| &mut config.analysis.persistence.slow),
        "From which duration on `persistence` keeps a request's entry because it was slow. The default is never.",
    ),
    setting(
        "analysis.persistence.sampledShare",
        Field::Share(|config| &mut config.analysis.persistence.sampled_share),
        "The share of all the other entries that `persistence` keeps.",
    ),
    setting(
        "analysis.persistence.entriesPerMinute",
        Field::Number(|config| &mut config.analysis.persistence.entries_per_minute),
        "Entries of one service with one response code, or with the same flags, that `persistence` keeps in a minute for one reason.",
    ),
    setting(
        "analysis.redaction.enabled",
        Field::Switch(|config| &mut config.analysis.redaction.enabled),
        "Whether secrets stay in the collector: values of queries, userinfo, tokens, e-mail addresses, `authorization`, `cookie` and the headers that follow.",
    ),
    setting(
        "analysis.redaction.headers",
        Field::List(
            |config| &mut config.analysis.redaction.headers,
            header_name,
            "write the name of a header, as in x-api-key",
        ),
        "Further headers whose values stay in the collector.",
    ),
    setting(
        "analysis.trustForwardedAddress",
        Field::Switch(|config| &mut config.analysis.trust_forwarded_address),
        "Whether a gateway's caller is who Envoy says a request was forwarded for (X-Forwarded-For, PROXY protocol), not whom the connection came from. Envoy believes as many hops as Istio's `numTrustedProxies` says.",
    ),
];

/// The template of a path without a query, for every method or for one.
fn endpoint_rule(text: &str) -> Option<String> {
    let (_, path) = text.split_once(' ').unwrap_or(("", text));
    let is_path = path.starts_with('/')
        && !path.contains(|letter: char| letter.is_whitespace() || "?#".contains(letter));
    is_path.then(|| text.to_owned())
}

/// A header's name (a token of RFC 9110, section 5.6.2) in lower case.
fn header_name(text: &str) -> Option<String> {
    let is_token = |letter: char| letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(letter);
    let is_name = !text.is_empty() && text.chars().all(is_token);
    is_name.then(|| text.to_ascii_lowercase())
}
