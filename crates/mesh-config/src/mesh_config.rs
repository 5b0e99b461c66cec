//! The keys of access logging in a document: where they stand and what they say.

use crate::document::{BOOL_TAG, Document, Entry, Mapping, NAME, YamlKind, YamlNode, wrong_form};
use crate::{
    AccessLogService, AccessLogSettings, ExtensionProvider, GrpcAccessLogService, MeshConfigError,
    merged_providers,
};

const FLAG: &str = "enableEnvoyAccessLogService";
const PROXY: &str = "defaultConfig";
const SERVICE: &str = "envoyAccessLogService";
const ADDRESS: &str = "address";
const SERVICE_PATH: &str = "defaultConfig.envoyAccessLogService";
const ADDRESS_PATH: &str = "defaultConfig.envoyAccessLogService.address";
const PROVIDERS: &str = "defaultProviders";
const LOGGING: [&str; 2] = ["accessLogging", "access_logging"];
const LOGGING_PATH: &str = "defaultProviders.accessLogging";
const EXTENSIONS: [&str; 2] = ["extensionProviders", "extension_providers"];
/// The kinds of provider to which access logs go (istio/istio, `pilot/pkg/model/telemetry_logging.go`), in both spellings that
/// istiod reads.
const LOGGERS: [&str; 8] = [
    "envoyFileAccessLog",
    "envoy_file_access_log",
    "envoyHttpAls",
    "envoy_http_als",
    "envoyTcpAls",
    "envoy_tcp_als",
    "envoyOtelAls",
    "envoy_otel_als",
];
const HTTP: [&str; 2] = ["envoyHttpAls", "envoy_http_als"];
const TCP: [&str; 2] = ["envoyTcpAls", "envoy_tcp_als"];
const FILE: [&str; 2] = ["accessLogFile", "access_log_file"];
const ROOT: [&str; 2] = ["rootNamespace", "root_namespace"];

/// The keys of access logging in a document, and what they say.
#[derive(Debug)]
pub(crate) struct MeshConfig<'d, 't> {
    pub(crate) document: &'d Document<'t>,
    pub(crate) root: Option<&'d Mapping<'t>>,
    flag: Option<&'d Entry<'t>>,
    /// `defaultConfig`; its value is null or a mapping.
    pub(crate) proxy: Option<&'d Entry<'t>>,
    service: Option<&'d Entry<'t>>,
    pub(crate) settings: AccessLogSettings,
}

impl<'d, 't> MeshConfig<'d, 't> {
    pub(crate) fn of(document: &'d Document<'t>) -> Result<Self, MeshConfigError> {
        let mut mesh = Self {
            document,
            root: None,
            flag: None,
            proxy: None,
            service: None,
            settings: AccessLogSettings::default(),
        };
        let Some(node) = &document.root else {
            return Ok(mesh);
        };
        let Some(root) = node.mapping() else {
            return Err(MeshConfigError::RootNotMapping { line: node.line });
        };
        check_spelling(root, "enable_envoy_access_log_service", FLAG)?;
        let ours = [
            FLAG,
            "enable_envoy_access_log_service",
            PROXY,
            PROVIDERS,
            EXTENSIONS[0],
            EXTENSIONS[1],
            FILE[0],
            FILE[1],
            ROOT[0],
            ROOT[1],
        ];
        mesh.check_merge(root, &ours)?;
        mesh.root = Some(root);
        mesh.flag = root.entry(FLAG);
        mesh.proxy = root.entry(PROXY);
        if let Some(proxy) = mesh.proxy_mapping()? {
            check_spelling(proxy, "envoy_access_log_service", SERVICE)?;
            mesh.check_merge(proxy, &[SERVICE, "envoy_access_log_service"])?;
            mesh.service = proxy.entry(SERVICE);
        }
        mesh.settings = AccessLogSettings {
            enabled: mesh.enabled()?,
            service: mesh.service()?,
            access_logging_providers: mesh.providers(root)?,
            extension_providers: mesh.extension_providers(root)?,
            access_log_file: mesh.text(root, FILE, "a file's name")?,
            root_namespace: mesh.text(root, ROOT, "a namespace's name")?,
        };
        Ok(mesh)
    }

    fn proxy_mapping(&self) -> Result<Option<&'d Mapping<'t>>, MeshConfigError> {
        let Some(Entry { value, .. }) = self.proxy else {
            return Ok(None);
        };
        let line = value.line;
        match &value.kind {
            YamlKind::Mapping(mapping) => Ok(Some(mapping)),
            YamlKind::Alias(_) => Err(MeshConfigError::Aliased {
                line,
                path: PROXY.to_owned(),
            }),
            YamlKind::Scalar { .. } if value.is_null() => Ok(None),
            YamlKind::Scalar { .. } | YamlKind::Sequence { .. } => Err(wrong_form(value, PROXY, "a mapping")),
        }
    }

    fn enabled(&self) -> Result<Option<bool>, MeshConfigError> {
        let Some(Entry { value, .. }) = self.flag else {
            return Ok(None);
        };
        let resolved = self.document.resolved(value);
        if resolved.is_null() {
            return Ok(None);
        }
        let spelling = Some(resolved).filter(|node| node.is_open_to(BOOL_TAG));
        match spelling.and_then(YamlNode::boolean) {
            Some(enabled) => Ok(Some(enabled)),
            None => Err(wrong_form(value, FLAG, "true or false")),
        }
    }

    fn service(&self) -> Result<Option<AccessLogService>, MeshConfigError> {
        let Some(Entry { value, .. }) = self.service else {
            return Ok(None);
        };
        let resolved = self.document.resolved(value);
        if resolved.is_null() {
            return Ok(None);
        }
        let Some(mapping) = resolved.mapping() else {
            return Err(wrong_form(value, SERVICE_PATH, "a mapping"));
        };
        let mut service = AccessLogService::default();
        for Entry { key, value } in &mapping.entries {
            let value = self.document.resolved(value);
            match key.scalar() {
                Some("<<") => return Err(MeshConfigError::MergeKey { line: key.line }),
                _ if value.is_null() => {}
                Some(ADDRESS) => match value.scalar() {
                    Some(address) => service.address = Some(address.to_owned()),
                    None => return Err(wrong_form(value, ADDRESS_PATH, "a text")),
                },
                _ => service.has_other_keys = true,
            }
        }
        Ok(Some(service))
    }

    /// `access_logging` counts as well: istiod finds `defaultProviders` by that name only, but reads what is in it by both.
    fn providers(&self, root: &Mapping<'t>) -> Result<Option<Vec<String>>, MeshConfigError> {
        let Some(entry) = root.entry(PROVIDERS) else {
            return Ok(None);
        };
        let providers = self.document.resolved(&entry.value);
        if providers.is_null() {
            return Ok(None);
        }
        let Some(mapping) = providers.mapping() else {
            return Err(wrong_form(&entry.value, PROVIDERS, "a mapping"));
        };
        self.check_merge(mapping, &LOGGING)?;
        let Some(entry) = either(mapping, LOGGING) else {
            return Ok(None);
        };
        let names = self.document.resolved(&entry.value);
        if names.is_null() {
            return Ok(None);
        }
        let YamlKind::Sequence { items, .. } = &names.kind else {
            return Err(wrong_form(&entry.value, LOGGING_PATH, "a list of names"));
        };
        let name = |item| {
            let text = self.document.resolved(item).scalar().map(str::to_owned);
            text.ok_or_else(|| wrong_form(item, LOGGING_PATH, "a list of names"))
        };
        items.iter().map(name).collect::<Result<_, _>>().map(Some)
    }

    /// istiod reads the key, and what is in it, in both spellings.
    fn extension_providers(&self, root: &Mapping<'t>) -> Result<Vec<ExtensionProvider>, MeshConfigError> {
        let Some(entry) = either(root, EXTENSIONS) else {
            return Ok(Vec::new());
        };
        let providers = self.document.resolved(&entry.value);
        if providers.is_null() {
            return Ok(Vec::new());
        }
        let YamlKind::Sequence { items, .. } = &providers.kind else {
            return Err(wrong_form(&entry.value, EXTENSIONS[0], "a list of providers"));
        };
        let listed = items.iter().map(|item| self.extension_provider(item));
        let listed: Vec<ExtensionProvider> = listed.collect::<Result<_, _>>()?;
        Ok(merged_providers(&[], &listed))
    }

    fn extension_provider(&self, item: &YamlNode<'t>) -> Result<ExtensionProvider, MeshConfigError> {
        let Some(mapping) = self.document.resolved(item).mapping() else {
            return Err(wrong_form(item, EXTENSIONS[0], "a list of providers"));
        };
        self.check_merge(mapping, &[&[NAME], &LOGGERS[..]].concat())?;
        let is_set = |key: &str| {
            let value = mapping
                .entry(key)
                .map(|entry| self.document.resolved(&entry.value));
            value.is_some_and(|value| !value.is_null())
        };
        let name = mapping
            .entry(NAME)
            .map(|entry| self.document.resolved(&entry.value));
        let grpc = |spellings, is_tcp| {
            let entry = either(mapping, spellings)?;
            let service = self.document.resolved(&entry.value).mapping()?;
            Some(self.grpc_service(service, is_tcp))
        };
        Ok(ExtensionProvider {
            name: name.and_then(YamlNode::scalar).unwrap_or_default().to_owned(),
            logs: LOGGERS.iter().any(|kind| is_set(kind)),
            grpc: grpc(HTTP, false).or_else(|| grpc(TCP, true)),
        })
    }

    /// What istiod would refuse in it reads as nothing: such a provider is not the collector's.
    fn grpc_service(&self, mapping: &Mapping<'t>, is_tcp: bool) -> GrpcAccessLogService {
        let mut service = GrpcAccessLogService {
            is_tcp,
            ..GrpcAccessLogService::default()
        };
        for Entry { key, value } in &mapping.entries {
            let value = self.document.resolved(value);
            let texts = || {
                let items = value.items().iter();
                let texts = items.filter_map(|item| self.document.resolved(item).scalar());
                texts.map(str::to_owned).collect()
            };
            match key.scalar().unwrap_or_default() {
                _ if value.is_null() => {}
                "service" => value
                    .scalar()
                    .unwrap_or_default()
                    .clone_into(&mut service.service),
                "port" => {
                    service.port = value
                        .scalar()
                        .and_then(|text| text.parse().ok())
                        .unwrap_or_default();
                }
                "filterStateObjectsToLog" | "filter_state_objects_to_log" => {
                    service.filter_state_objects = texts();
                }
                "additionalRequestHeadersToLog" | "additional_request_headers_to_log" => {
                    service.request_headers = texts();
                }
                "additionalResponseHeadersToLog" | "additional_response_headers_to_log" => {
                    service.response_headers = texts();
                }
                "additionalResponseTrailersToLog" | "additional_response_trailers_to_log" => {
                    service.response_trailers = texts();
                }
                _ => service.has_other_keys = true,
            }
        }
        service
    }

    /// The text under a key, which istiod reads in both spellings.
    fn text(
        &self,
        root: &Mapping<'t>,
        spellings: [&'static str; 2],
        expected: &'static str,
    ) -> Result<Option<String>, MeshConfigError> {
        let Some(entry) = either(root, spellings) else {
            return Ok(None);
        };
        let value = self.document.resolved(&entry.value);
        if value.is_null() {
            return Ok(None);
        }
        match value.scalar() {
            Some(name) => Ok(Some(name.to_owned())),
            None => Err(wrong_form(&entry.value, spellings[0], expected)),
        }
    }

    /// Refuses a `<<` in `mapping` that sets one of `keys`, or that is itself merged from elsewhere: who wins then is a guess.
    fn check_merge(&self, mapping: &Mapping<'t>, keys: &[&str]) -> Result<(), MeshConfigError> {
        let Some(Entry { key, value }) = mapping.entry("<<") else {
            return Ok(());
        };
        let value = self.document.resolved(value);
        let sources = match &value.kind {
            YamlKind::Sequence { items, .. } => items.as_slice(),
            YamlKind::Mapping(_) | YamlKind::Scalar { .. } | YamlKind::Alias(_) => {
                std::slice::from_ref(value)
            }
        };
        let is_harmless = |source: &YamlNode<'t>| {
            let names = |mapping: &Mapping<'t>| {
                let is_ours = |name: &str| name == "<<" || keys.contains(&name);
                let mut entries = mapping.entries.iter();
                !entries.any(|entry| entry.key.scalar().is_some_and(is_ours))
            };
            self.document.resolved(source).mapping().is_some_and(names)
        };
        if sources.iter().all(is_harmless) {
            return Ok(());
        }
        Err(MeshConfigError::MergeKey { line: key.line })
    }
}

/// The entry of a key in one of two spellings; the first counts if both are there.
fn either<'d, 't>(mapping: &'d Mapping<'t>, spellings: [&str; 2]) -> Option<&'d Entry<'t>> {
    spellings.into_iter().find_map(|key| mapping.entry(key))
}

pub(crate) fn check_spelling(
    mapping: &Mapping<'_>,
    key: &'static str,
    camel: &'static str,
) -> Result<(), MeshConfigError> {
    match mapping.entry(key) {
        Some(entry) => Err(MeshConfigError::SnakeCase {
            line: entry.key.line,
            key,
            camel,
        }),
        None => Ok(()),
    }
}
