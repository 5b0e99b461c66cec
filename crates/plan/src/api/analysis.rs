//! The part `spec.analysis` of a resource. Its fields have the names of the keys below `analysis` in the collector's file.

use alscope_collector_config::{Analysis, Endpoints, Naming, Persistence, Redaction};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The largest number that the collector takes. HTTP/2 and gRPC count in 32 bits.
pub(super) const MAX_NUMBER: i64 = 4_294_967_295;

/// The rules of a chain of analyzers, which hold for an empty one, too.
const ONCE: &str = "self.all(analyzer, self.exists_one(other, other == analyzer))";
const FINDER_FIRST: &str = "self.size() == 0 || self[0] != 'persistence'";
const ONCE_MESSAGE: &str = "an analyzer is listed twice; list it once";
const FINDER_FIRST_MESSAGE: &str = "persistence needs an analyzer before it; list it after k8s-mesh or mx-mesh, as in [k8s-mesh, persistence]";

/// How the collector finds out who called whom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AnalysisSpec {
    /// The analyzers of HTTP entries, by their names in `SkyWalking`. What an earlier one finds is final, and a later one adds what is
    /// missing. `persistence` after another one also prints single entries as JSON lines. If the list is empty, entries are counted and
    /// skipped.
    #[schemars(length(max = 3), extend("x-kubernetes-validations" = [
        {"rule": ONCE, "message": ONCE_MESSAGE},
        {"rule": FINDER_FIRST, "message": FINDER_FIRST_MESSAGE},
    ]))]
    pub http: Vec<AnalyzerName>,
    /// The analyzers of TCP entries, in the same way.
    #[schemars(length(max = 3), extend("x-kubernetes-validations" = [
        {"rule": ONCE, "message": ONCE_MESSAGE},
        {"rule": FINDER_FIRST, "message": FINDER_FIRST_MESSAGE},
    ]))]
    pub tcp: Vec<AnalyzerName>,
    /// The rules that give services their names.
    pub naming: NamingSpec,
    /// The rules that give endpoints their names.
    pub endpoints: EndpointsSpec,
    /// Which entries the analyzer `persistence` keeps.
    pub persistence: PersistenceSpec,
    /// Which values are hidden wherever single entries are shown.
    pub redaction: RedactionSpec,
    /// Which address is a gateway's caller: `true` takes the one that Envoy derives from X-Forwarded-For or the PROXY protocol, `false`
    /// the one that the connection came from. Istio's `numTrustedProxies` says how many hops Envoy trusts.
    pub trust_forwarded_address: bool,
}

impl AnalysisSpec {
    /// Whether the collector needs the Kubernetes API.
    pub fn looks_up(&self) -> bool {
        self.http.contains(&AnalyzerName::K8sMesh) || self.tcp.contains(&AnalyzerName::K8sMesh)
    }
}

impl Default for AnalysisSpec {
    fn default() -> Self {
        Self {
            http: vec![AnalyzerName::K8sMesh],
            tcp: vec![AnalyzerName::K8sMesh],
            naming: NamingSpec::default(),
            endpoints: EndpointsSpec::default(),
            persistence: PersistenceSpec::default(),
            redaction: RedactionSpec::default(),
            trust_forwarded_address: Analysis::default().trust_forwarded_address,
        }
    }
}

/// An analyzer, by its name in the collector's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AnalyzerName {
    /// Finds the parties of a call by their addresses, in what the Kubernetes API says.
    K8sMesh,
    /// Finds the parties of a call by what Istio's proxies tell each other.
    MxMesh,
    /// Keeps single entries of the calls whose parties an analyzer before it found.
    Persistence,
}

/// How services are named, by `SkyWalking`'s templates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct NamingSpec {
    /// The rule for the name of a pod's service, as in `${pod.metadata.labels.app}.${pod.metadata.namespace}`. Its objects are `pod`
    /// and `service`, which is the oldest Service that selects the pod. Metrics do not carry this name; they have Istio's labels.
    #[schemars(length(min = 1, max = 1024))]
    pub k8s_service_name_rule: String,
    /// The rule for the name of a host outside the mesh. Its object is `serviceEntry`.
    #[schemars(length(min = 1, max = 1024))]
    pub istio_service_name_rule: String,
    /// Namespaces whose `ServiceEntries` name no service.
    #[schemars(
        length(max = 256),
        inner(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))
    )]
    pub istio_service_entry_ignored_namespaces: Vec<String>,
}

impl Default for NamingSpec {
    fn default() -> Self {
        let naming = Naming::default();
        Self {
            k8s_service_name_rule: naming.k8s_service_name_rule.text().to_owned(),
            istio_service_name_rule: naming.istio_service_name_rule.text().to_owned(),
            istio_service_entry_ignored_namespaces: naming.istio_service_entry_ignored_namespaces,
        }
    }
}

/// How endpoints are named: by the method and a template of the path without its query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointsSpec {
    /// Templates of paths that are tried before any built-in one. A template is for every method, or for the one that it begins with.
    /// `{…}` stands for one segment and `**` at the end for any further segments, as in `GET /users/{id}/**`.
    #[schemars(
        length(max = 512),
        inner(length(max = 1024), regex(pattern = r"^([A-Za-z]+ )?/[^\s?#]*$"))
    )]
    pub rules: Vec<String>,
    /// How many endpoints of one service are told apart. All further ones share one endpoint.
    #[schemars(range(min = 1, max = MAX_NUMBER))]
    pub per_service: i64,
}

impl Default for EndpointsSpec {
    fn default() -> Self {
        let endpoints = Endpoints::default();
        Self {
            rules: endpoints.rules,
            per_service: number(endpoints.per_service),
        }
    }
}

/// Which entries the analyzer `persistence` keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PersistenceSpec {
    /// Whether the entries of failed calls, of client errors and of calls with a response flag are kept.
    pub errors: bool,
    /// The entry of a request that took at least so many milliseconds is kept. Without a value none is kept for being slow.
    #[schemars(range(min = 1, max = MAX_NUMBER))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_milliseconds: Option<i64>,
    /// The share of all the other entries that is kept, from 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub sampled_share: f64,
    /// How many entries are kept in a minute for one reason, one service and one response code or set of flags.
    #[schemars(range(min = 1, max = MAX_NUMBER))]
    pub entries_per_minute: i64,
}

impl Default for PersistenceSpec {
    fn default() -> Self {
        let persistence = Persistence::default();
        Self {
            errors: persistence.errors,
            slow_milliseconds: None,
            sampled_share: persistence.sampled_share,
            entries_per_minute: number(persistence.entries_per_minute),
        }
    }
}

/// Which values are hidden wherever single entries are shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RedactionSpec {
    /// Whether secrets are hidden: values of queries, userinfo, tokens, e-mail addresses, and the headers `authorization`, `cookie` and
    /// those of `headers`.
    pub enabled: bool,
    /// Further headers whose values are hidden.
    #[schemars(
        length(max = 128),
        inner(length(max = 256), regex(pattern = "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"))
    )]
    pub headers: Vec<String>,
}

impl Default for RedactionSpec {
    fn default() -> Self {
        let redaction = Redaction::default();
        Self {
            enabled: redaction.enabled,
            headers: redaction.headers,
        }
    }
}

/// A number of the collector's configuration, none of which is above [`MAX_NUMBER`].
pub(super) fn number(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(MAX_NUMBER)
}
