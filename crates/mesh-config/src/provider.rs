//! The extension provider through which proxies stream their access logs to the collector, without a restart.

use crate::document::YamlNode;
use crate::insert::insert;
use crate::mesh_config::{self, MeshConfig};
use crate::path::{Path, Segment, Value};
use crate::restore::{Restored, aside, restore_all};
use crate::writing::Quotes;
use crate::{MeshConfigError, parse, read};

/// The name of the collector's provider in `extensionProviders`.
pub const PROVIDER_NAME: &str = "alscope";

/// `extensionProviders[name=alscope]`.
const PROVIDER: Path<'_> = Path(&[Segment::Key("extensionProviders"), Segment::Item(PROVIDER_NAME)]);

/// The peers, the gRPC message counts and the principals that a proxy notes beside a call, under the names of all versions of Istio.
/// An explicit list replaces istiod's own.
const FILTER_STATE_OBJECTS: [&str; 9] = [
    "upstream_peer",
    "downstream_peer",
    "wasm.upstream_peer",
    "wasm.downstream_peer",
    "wasm.upstream_peer_id",
    "wasm.downstream_peer_id",
    "envoy.filters.http.grpc_stats",
    "io.istio.peer_principal",
    "io.istio.local_principal",
];
/// The content type tells gRPC from other HTTP. The status of gRPC is a header where the answer has nothing but trailers.
const REQUEST_HEADERS: [&str; 1] = ["content-type"];
const RESPONSE_HEADERS: [&str; 2] = ["content-type", "grpc-status"];
const RESPONSE_TRAILERS: [&str; 2] = ["grpc-status", "grpc-message"];

/// `envoyHttpAls` or `envoyTcpAls` of an extension provider: a service that takes access logs over Envoy's gRPC. Either takes those of
/// HTTP and of TCP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrpcAccessLogService {
    /// Whether it is `envoyTcpAls`, which makes an entry of TCP of each call.
    pub is_tcp: bool,
    /// `service`: the host name of a service in istiod's registry, perhaps with its namespace before a `/`.
    pub service: String,
    /// `port`.
    pub port: u32,
    /// `filterStateObjectsToLog`.
    pub filter_state_objects: Vec<String>,
    /// `additionalRequestHeadersToLog`.
    pub request_headers: Vec<String>,
    /// `additionalResponseHeadersToLog`.
    pub response_headers: Vec<String>,
    /// `additionalResponseTrailersToLog`.
    pub response_trailers: Vec<String>,
    /// Whether there is a key beside these, such as `logName`.
    pub has_other_keys: bool,
}

/// The wiring of a mesh by a provider.
#[derive(Clone, Copy, Debug)]
pub struct ProviderWiring<'a> {
    /// The host name of the collector's service.
    pub service: &'a str,
    /// The port of the collector.
    pub port: u16,
    /// What the mesh logs to where the edited text lists no provider in `defaultProviders.accessLogging`. `None` if that list is to stay
    /// as it is, because Telemetries name the provider.
    pub inherited: Option<&'a [String]>,
}

impl GrpcAccessLogService {
    /// The provider that streams everything which the analysis reads to the collector.
    pub fn of_collector(service: &str, port: u16) -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            is_tcp: false,
            service: service.to_owned(),
            port: u32::from(port),
            filter_state_objects: owned(&FILTER_STATE_OBJECTS),
            request_headers: owned(&REQUEST_HEADERS),
            response_headers: owned(&RESPONSE_HEADERS),
            response_trailers: owned(&RESPONSE_TRAILERS),
            has_other_keys: false,
        }
    }

    /// Whether it streams to this service: with its namespace before a `/`, or without.
    pub fn is_to(&self, service: &str, port: u16) -> bool {
        let host = self
            .service
            .rsplit_once('/')
            .map_or(&*self.service, |(_, host)| host);
        host == service && self.port == u32::from(port)
    }

    /// The YAML of it, on one line.
    pub fn yaml(&self) -> String {
        self.value().flow(Quotes::WhereNeeded)
    }

    fn value(&self) -> Value {
        let list = |names: &[String]| Value::List(names.iter().cloned().map(Value::Text).collect());
        let entry = |key: &str, value| (key.to_owned(), value);
        Value::Mapping(vec![
            entry("service", Value::Text(self.service.clone())),
            entry("port", Value::Number(self.port)),
            entry("filterStateObjectsToLog", list(&self.filter_state_objects)),
            entry("additionalRequestHeadersToLog", list(&self.request_headers)),
            entry("additionalResponseHeadersToLog", list(&self.response_headers)),
            entry("additionalResponseTrailersToLog", list(&self.response_trailers)),
        ])
    }
}

impl ProviderWiring<'_> {
    /// The whole item of `extensionProviders`.
    fn item(&self) -> Value {
        let service = GrpcAccessLogService::of_collector(self.service, self.port);
        Value::Mapping(vec![
            ("name".to_owned(), Value::Text(PROVIDER_NAME.to_owned())),
            ("envoyHttpAls".to_owned(), service.value()),
        ])
    }
}

/// The mesh config `text` with the collector's provider in `extensionProviders` and, unless Telemetries name it, in
/// `defaultProviders.accessLogging`.
///
/// Everything else stays byte for byte. A provider of that name is replaced as a whole: the caller decides whether it may be.
/// A list in `defaultProviders.accessLogging` keeps its items. Where there is none, the list that is written also has what the mesh
/// logs to without it, because a list makes istiod ignore the other settings of access logs.
pub fn add_provider(text: &str, wiring: &ProviderWiring<'_>) -> Result<String, MeshConfigError> {
    let settings = read(text)?;
    check_spelling(text)?;
    let mut edited = insert(text, PROVIDER, &wiring.item())?;
    let Some(inherited) = wiring.inherited else {
        return Ok(edited);
    };
    if others(settings.access_logging_providers.as_ref()).is_empty() {
        for name in inherited {
            edited = insert_default(&edited, name)?;
        }
    }
    insert_default(&edited, PROVIDER_NAME)
}

/// Takes back what [`add_provider`] added to `original`, without touching what others wrote meanwhile.
///
/// A provider of that name is the collector's if it streams to the collector's service, whatever else is in it. A list in
/// `defaultProviders.accessLogging` that `original` lacks goes if nothing else is in it than what the mesh logs to without it.
pub fn remove_provider(
    current: &str,
    original: &str,
    wiring: &ProviderWiring<'_>,
) -> Result<Restored, MeshConfigError> {
    if add_provider(original, wiring).is_ok_and(|written| written == current) {
        return Ok(Restored {
            text: original.to_owned(),
            kept: Vec::new(),
        });
    }
    let is_ours = read(current)?.streams_by_provider(wiring.service, wiring.port);
    let mut restored = Restored {
        text: current.to_owned(),
        kept: Vec::new(),
    };
    if is_ours {
        restored.text = insert(current, PROVIDER, &wiring.item())?;
    }
    let document = parse::document(original).map_err(aside)?;
    let then = MeshConfig::of(&document).map_err(aside)?.settings;
    if is_ours {
        take_back_defaults(&mut restored, original, &[PROVIDER_NAME])?;
    }
    take_back(&mut restored, original, PROVIDER, &wiring.item())?;
    let left = read(&restored.text)?.access_logging_providers;
    let inherited = wiring.inherited.unwrap_or_default();
    if is_ours
        && others(then.access_logging_providers.as_ref()).is_empty()
        && left.as_deref() == Some(inherited)
    {
        let names: Vec<&str> = inherited.iter().rev().map(String::as_str).collect();
        take_back_defaults(&mut restored, original, &names)?;
    }
    Ok(restored)
}

/// Refuses the other spelling of a key that is written: istiod refuses a text that has both.
fn check_spelling(text: &str) -> Result<(), MeshConfigError> {
    let document = parse::document(text)?;
    let root = document.root.as_ref().and_then(YamlNode::mapping);
    let defaults = root.and_then(|root| root.entry("defaultProviders"));
    let defaults = defaults.and_then(|entry| document.resolved(&entry.value).mapping());
    let checked = [
        (root, "extension_providers", "extensionProviders"),
        (defaults, "access_logging", "accessLogging"),
    ];
    for (mapping, key, camel) in checked {
        if let Some(mapping) = mapping {
            mesh_config::check_spelling(mapping, key, camel)?;
        }
    }
    Ok(())
}

fn take_back_defaults(
    restored: &mut Restored,
    original: &str,
    names: &[&str],
) -> Result<(), MeshConfigError> {
    for name in names {
        with_default(name, |path, value| take_back(restored, original, path, value))?;
    }
    Ok(())
}

fn take_back(
    restored: &mut Restored,
    original: &str,
    path: Path<'_>,
    value: &Value,
) -> Result<(), MeshConfigError> {
    let next = restore_all(&restored.text, original, &[(path, value.clone())])?;
    restored.text = next.text;
    restored.kept.extend(next.kept);
    Ok(())
}

fn insert_default(text: &str, name: &str) -> Result<String, MeshConfigError> {
    with_default(name, |path, value| insert(text, path, value))
}

/// `defaultProviders.accessLogging[<name>]` and its value.
fn with_default<T>(name: &str, edit: impl FnOnce(Path<'_>, &Value) -> T) -> T {
    let segments = [
        Segment::Key("defaultProviders"),
        Segment::Key("accessLogging"),
        Segment::Text(name),
    ];
    edit(Path(&segments), &Value::Text(name.to_owned()))
}

/// The providers of a list but the collector's.
fn others(listed: Option<&Vec<String>>) -> Vec<&str> {
    let names = listed.into_iter().flatten().map(String::as_str);
    names.filter(|name| *name != PROVIDER_NAME).collect()
}
