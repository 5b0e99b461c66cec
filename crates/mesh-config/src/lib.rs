//! Reads and edits Istio's mesh config: the YAML text under the key `mesh` of its `ConfigMap`.
//!
//! Text goes in and text comes out. Whatever an edit does not write stays byte for byte. Where that is not certain, the edit is an
//! error that names the line and says what to do. This crate never panics, and expands no alias.
//!
//! [`wire`] makes proxies stream their access logs, and [`restore`] takes that back. [`insert`] and [`remove`] do the same for
//! any value, also for one in an item of a list; [`add_provider`] and [`remove_provider`] do it for an extension provider.
//!
//! ```
//! let before = "# ours\ndefaultConfig:\n  concurrency: 2\n";
//! let after = alscope_mesh_config::wire(before, "alscope.logs.svc:11800")?;
//! assert_eq!(
//!     after,
//!     "# ours\ndefaultConfig:\n  concurrency: 2\n  envoyAccessLogService:\n    address: alscope.logs.svc:11800\n\
//!      enableEnvoyAccessLogService: true\n"
//! );
//! let restored = alscope_mesh_config::restore(&after, before, "alscope.logs.svc:11800")?;
//! assert_eq!(restored.text, before);
//! # Ok::<(), alscope_mesh_config::MeshConfigError>(())
//! ```

mod address;
mod comparison;
mod document;
mod edit;
mod error;
mod insert;
mod insertion;
mod lines;
mod mesh_config;
mod parse;
mod path;
mod provider;
mod restore;
mod wire;
mod writing;

pub use address::check_address;
pub use error::MeshConfigError;
pub use insert::{holds, insert};
pub use path::{Path, Segment, Value};
pub use provider::{GrpcAccessLogService, PROVIDER_NAME, ProviderWiring, add_provider, remove_provider};
pub use restore::{Restored, remove, restore};
pub use wire::wire;

/// What one mesh config says about access-log streaming, and who else may decide about it. A key with null is as good as no key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessLogSettings {
    /// `enableEnvoyAccessLogService`: whether proxies stream, with immediate effect. istiod reads it by YAML 1.1, so `yes`
    /// and `on` are true.
    pub enabled: Option<bool>,
    /// `defaultConfig.envoyAccessLogService`: where to; a proxy reads it when it starts.
    pub service: Option<AccessLogService>,
    /// `defaultProviders.accessLogging`: the mesh-wide logging providers. With one that logs, istiod ignores
    /// `enableEnvoyAccessLogService`.
    pub access_logging_providers: Option<Vec<String>>,
    /// `extensionProviders`, in their order.
    pub extension_providers: Vec<ExtensionProvider>,
    /// `accessLogFile`: the file to which proxies log where no provider is listed. Empty means none.
    pub access_log_file: Option<String>,
    /// `rootNamespace`: whose Telemetry is the whole mesh's.
    pub root_namespace: Option<String>,
}

/// One of `extensionProviders`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtensionProvider {
    /// `name`.
    pub name: String,
    /// Whether access logs can go to it: `envoyFileAccessLog`, `envoyHttpAls`, `envoyTcpAls` or `envoyOtelAls` is set.
    pub logs: bool,
    /// `envoyHttpAls` or `envoyTcpAls`.
    pub grpc: Option<GrpcAccessLogService>,
}

/// `defaultConfig.envoyAccessLogService`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessLogService {
    /// `address`, as in `name:port`.
    pub address: Option<String>,
    /// Whether something stands beside the address: `tlsSettings`, `tcpKeepalive`, or a key that istiod does not know.
    pub has_other_keys: bool,
}

impl AccessLogSettings {
    /// The address that proxies stream to.
    pub fn address(&self) -> Option<&str> {
        self.service.as_ref()?.address.as_deref()
    }

    /// Whether proxies are told to stream to `address`, and nothing else stands beside it.
    pub fn stream_to(&self, address: &str) -> bool {
        self.enabled == Some(true) && self.service_is(address)
    }

    /// Whether the provider [`PROVIDER_NAME`] is there and streams to a service, with whatever it logs.
    pub fn streams_by_provider(&self, service: &str, port: u16) -> bool {
        self.provider()
            .is_some_and(|provider| provider.is_to(service, port))
    }

    /// Whether the provider [`PROVIDER_NAME`] streams everything to a service and, unless Telemetries name it, is listed in
    /// `defaultProviders.accessLogging`.
    pub fn has_provider(&self, wiring: &ProviderWiring<'_>) -> bool {
        let wanted = GrpcAccessLogService::of_collector(wiring.service, wiring.port);
        let listed = self.access_logging_providers.as_deref().unwrap_or_default();
        let is_listed = |name: &str| listed.iter().any(|one| one == name);
        // Beside the collector's provider alone, what the mesh logs to without the list would be lost.
        let inherits =
            |inherited: &[String]| listed.len() > 1 || inherited.iter().all(|name| is_listed(name));
        self.provider() == Some(&wanted)
            && wiring
                .inherited
                .is_none_or(|inherited| is_listed(PROVIDER_NAME) && inherits(inherited))
    }

    /// The service of the provider [`PROVIDER_NAME`].
    pub fn provider(&self) -> Option<&GrpcAccessLogService> {
        let mut providers = self.extension_providers.iter();
        providers.find(|one| one.name == PROVIDER_NAME)?.grpc.as_ref()
    }

    /// The provider of another name in `defaultProviders.accessLogging` that streams to a service.
    pub fn other_provider_to(&self, service: &str, port: u16) -> Option<&str> {
        let listed = self.access_logging_providers.as_deref().unwrap_or_default();
        let mut others = self.extension_providers.iter().filter(|one| {
            one.name != PROVIDER_NAME && listed.iter().any(|name| name.eq_ignore_ascii_case(&one.name))
        });
        let is_to = |grpc: &GrpcAccessLogService| grpc.is_to(service, port);
        let found = others.find(|one| one.grpc.as_ref().is_some_and(is_to))?;
        Some(&found.name)
    }

    /// Whether istiod finds a provider of this name to which access logs can go. It looks for the first whose name is the same but
    /// for case, in its own (`prometheus`, `stackdriver` and `envoy`) and then in `extensionProviders`, where one of
    /// exactly the same name takes the place of its own (istio/istio, `pkg/config/mesh/mesh.go` and
    /// `pilot/pkg/model/telemetry.go`).
    pub fn has_logger(&self, name: &str) -> bool {
        let built_in = [("prometheus", false), ("stackdriver", false), ("envoy", true)];
        let listed = self.extension_providers.iter();
        let mut all = built_in
            .into_iter()
            .chain(listed.map(|one| (one.name.as_str(), one.logs)));
        let found = all.clone().find(|(other, _)| other.eq_ignore_ascii_case(name));
        let last = found.and_then(|(exact, _)| all.rfind(|(other, _)| *other == exact));
        last.is_some_and(|(_, logs)| logs)
    }

    fn service_is(&self, address: &str) -> bool {
        let is_ours = |service: &AccessLogService| {
            service.address.as_deref() == Some(address) && !service.has_other_keys
        };
        self.service.as_ref().is_some_and(is_ours)
    }
}

/// What the mesh config `text` says about access-log streaming. An empty text says nothing, which is valid.
///
/// By istiod's rules: booleans are those of YAML 1.1, null is as good as no key, and `defaultConfig` and `defaultProviders` count
/// in this spelling only. What istiod would refuse, or where its answer depends on the spelling of a key, is an error.
pub fn read(text: &str) -> Result<AccessLogSettings, MeshConfigError> {
    let document = parse::document(text)?;
    Ok(mesh_config::MeshConfig::of(&document)?.settings)
}

/// Whether [`wire`] with `address` would leave `text` as it is.
pub fn is_wired(text: &str, address: &str) -> Result<bool, MeshConfigError> {
    Ok(read(text)?.stream_to(address))
}

/// What counts when istiod has a shared mesh config too: defaults < `shared` < `primary`.
///
/// istiod's `ApplyMeshConfig`: a field of the later source replaces that of the earlier one, `defaultConfig` and
/// `defaultProviders` field by field. `envoyAccessLogService` is one such field: it is replaced as a whole, so a primary with
/// only `tlsSettings` hides a shared address. A list replaces a list, but for `extensionProviders`, which are merged by name:
/// one of the same name takes the earlier one's place.
#[must_use]
pub fn merged(shared: &AccessLogSettings, primary: &AccessLogSettings) -> AccessLogSettings {
    let providers = primary.access_logging_providers.as_ref();
    AccessLogSettings {
        enabled: primary.enabled.or(shared.enabled),
        service: primary.service.as_ref().or(shared.service.as_ref()).cloned(),
        access_logging_providers: providers.or(shared.access_logging_providers.as_ref()).cloned(),
        extension_providers: merged_providers(&shared.extension_providers, &primary.extension_providers),
        access_log_file: primary
            .access_log_file
            .as_ref()
            .or(shared.access_log_file.as_ref())
            .cloned(),
        root_namespace: primary
            .root_namespace
            .as_ref()
            .or(shared.root_namespace.as_ref())
            .cloned(),
    }
}

/// The providers of both, each name once.
pub(crate) fn merged_providers(
    earlier: &[ExtensionProvider],
    later: &[ExtensionProvider],
) -> Vec<ExtensionProvider> {
    let mut merged: Vec<ExtensionProvider> = earlier.to_vec();
    for provider in later {
        match merged.iter_mut().find(|one| one.name == provider.name) {
            Some(one) => one.clone_from(provider),
            None => merged.push(provider.clone()),
        }
    }
    merged
}
