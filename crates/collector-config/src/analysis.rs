//! `analysis`: which analyzers read the entries, and the settings of those analyzers.

use std::time::Duration;

use alscope_naming::kubernetes_name::{
    KubernetesPath, default_istio_service_name, default_k8s_service_name, istio_service_name,
    k8s_service_name,
};
use alscope_naming::template::Template;

use crate::Analyzer;
use crate::field::Field;
use crate::setting::{Setting, setting};

/// The block `analysis`: the analyzers for each kind of entry, and their settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Analysis {
    /// The analyzers for HTTP entries, the one with precedence first. If the list is empty, HTTP
    /// entries are counted and skipped.
    pub http: Vec<Analyzer>,
    /// The analyzers for TCP entries, the one with precedence first. If the list is empty, TCP
    /// entries are counted and skipped.
    pub tcp: Vec<Analyzer>,
    /// The rules that give services their names.
    pub naming: Naming,
    /// The rules that give endpoints their names.
    pub endpoints: Endpoints,
    /// The rules by which the analyzer `persistence` keeps entries.
    pub persistence: Persistence,
    /// The values that never leave the collector.
    pub redaction: Redaction,
    /// Decides which address is a gateway's caller. `true` takes the address that Envoy derives from
    /// X-Forwarded-For or the PROXY protocol (`downstream_remote_address`). `false` takes the address that
    /// the connection came from (`downstream_direct_remote_address`).
    pub trust_forwarded_address: bool,
}

/// How services are named, by `SkyWalking`'s templates. A variable `${…}` holds comma-separated paths into
/// the metadata of objects; the first path that leads to a text gives the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naming {
    /// The rule for the name of a pod's service. Its objects are `pod` and `service`, which is the oldest
    /// Service that selects the pod.
    pub k8s_service_name_rule: Template<KubernetesPath>,
    /// The rule for the name of a host outside the mesh. Its object is `serviceEntry`.
    pub istio_service_name_rule: Template<KubernetesPath>,
    /// Namespaces whose `ServiceEntry` objects name no service.
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

/// How endpoints are named: by the method and a template of the path without its query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// Templates of paths that are tried before any built-in one. `{…}` stands for
    /// one segment, as in `/users/{id}`.
    pub rules: Vec<String>,
    /// How many endpoints of one service are known at a time. All further ones share one endpoint.
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

/// The rules by which the analyzer `persistence` keeps entries.
#[derive(Clone, Debug, PartialEq)]
pub struct Persistence {
    /// Whether the entries of failed calls are kept: those with a response code of 400 or more,
    /// or with a response flag.
    pub errors: bool,
    /// The duration from which on a call is slow and its entry is kept. `None` means that no call is slow.
    pub slow: Option<Duration>,
    /// The share of all other entries that is kept, from 0 to 1.
    pub sampled_share: f64,
    /// How many entries are kept in a minute for one service and one response code, or for one service
    /// and one set of flags.
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

/// The values that never leave the collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redaction {
    /// Whether the values of queries, and of headers that may hold secrets, are left out.
    pub enabled: bool,
    /// Headers whose values are left out in addition to `authorization` and `cookie`, in lower case.
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

/// The keys of the block `analysis`, in the order of docs/configuration.md.
pub(crate) const SETTINGS: &[Setting] = &[
    setting(
        "analysis.http",
        Field::Analyzers(|config| &mut config.analysis.http),
        "The analyzers of HTTP entries; an earlier one takes precedence over a later one. If the text is empty, entries are counted and skipped. `persistence` after another analyzer also keeps single entries, which the collector prints as JSON lines. The collector refuses a name that it does not know and a name that is listed twice.",
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
        "The rule for the name of a pod's service. Its objects are `pod` and `service`, which is the oldest Service that selects the pod. Metrics do not carry this name; they have Istio's labels.",
    ),
    setting(
        "analysis.naming.istioServiceNameRule",
        Field::NamingRule(
            |config| &mut config.analysis.naming.istio_service_name_rule,
            istio_service_name,
        ),
        "The rule for the name of a host outside the mesh. Its object is `serviceEntry`.",
    ),
    setting(
        "analysis.naming.istioServiceEntryIgnoredNamespaces",
        Field::Names(|config| &mut config.analysis.naming.istio_service_entry_ignored_namespaces),
        "Namespaces whose ServiceEntries name no service.",
    ),
    setting(
        "analysis.endpoints.rules",
        Field::List(
            |config| &mut config.analysis.endpoints.rules,
            endpoint_rule,
            "write the template of a path without its query, as in /users/{id} or GET /users/{id}",
        ),
        "Templates of paths that are tried before any built-in one. A template is for every method, or for the one that it begins with. `{…}` stands for one segment and `**` at the end for any further segments, as in `GET /users/{id}/**`.",
    ),
    setting(
        "analysis.endpoints.perService",
        Field::Number(|config| &mut config.analysis.endpoints.per_service),
        "How many endpoints of one service are told apart; all further ones share one endpoint. An endpoint without a kept entry for `limits.idleSeries` is removed, at the latest after twice that time, and makes room for another.",
    ),
    setting(
        "analysis.persistence.errors",
        Field::Switch(|config| &mut config.analysis.persistence.errors),
        "Whether `persistence` keeps the entries of failed calls, of client errors (see `outcomes.md`) and of calls with a response flag.",
    ),
    setting(
        "analysis.persistence.slowMilliseconds",
        Field::Milliseconds(|config| &mut config.analysis.persistence.slow),
        "`persistence` keeps the entry of a request that took at least this long. By default it keeps none for being slow.",
    ),
    setting(
        "analysis.persistence.sampledShare",
        Field::Share(|config| &mut config.analysis.persistence.sampled_share),
        "The share of all the other entries that `persistence` keeps.",
    ),
    setting(
        "analysis.persistence.entriesPerMinute",
        Field::Number(|config| &mut config.analysis.persistence.entries_per_minute),
        "How many entries `persistence` keeps in a minute for one reason, one service and one response code or set of flags.",
    ),
    setting(
        "analysis.redaction.enabled",
        Field::Switch(|config| &mut config.analysis.redaction.enabled),
        "Whether secrets are hidden wherever single entries are shown: values of queries, userinfo, tokens, e-mail addresses, and the headers `authorization`, `cookie` and those of `analysis.redaction.headers`.",
    ),
    setting(
        "analysis.redaction.headers",
        Field::List(
            |config| &mut config.analysis.redaction.headers,
            header_name,
            "write the name of a header, as in x-api-key",
        ),
        "Further headers whose values are hidden.",
    ),
    setting(
        "analysis.trustForwardedAddress",
        Field::Switch(|config| &mut config.analysis.trust_forwarded_address),
        "Which address is a gateway's caller: `true` takes the one that Envoy derives from X-Forwarded-For or the PROXY protocol, `false` the one that the connection came from. Istio's `numTrustedProxies` says how many hops Envoy trusts.",
    ),
];

/// Reads a path template for every method, or for one. Returns `None` if it holds a query.
fn endpoint_rule(text: &str) -> Option<String> {
    let (_, path) = text.split_once(' ').unwrap_or(("", text));
    let is_path = path.starts_with('/')
        && !path.contains(|letter: char| letter.is_whitespace() || "?#".contains(letter));
    is_path.then(|| text.to_owned())
}

/// Reads a header's name (a token of RFC 9110, section 5.6.2) and puts it in lower case.
fn header_name(text: &str) -> Option<String> {
    let is_token = |letter: char| letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(letter);
    let is_name = !text.is_empty() && text.chars().all(is_token);
    is_name.then(|| text.to_ascii_lowercase())
}
