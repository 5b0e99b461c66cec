//! Whether the wiring decides about the access logs of a proxy, or Telemetries do: they make istiod ignore the switch of mesh config and
//! its default providers.
//!
//! The rules are those of istiod (istio/istio, `pilot/pkg/model/telemetry.go` and `policyattachment.go`). These Telemetries apply to a
//! proxy, in this order: the oldest for all of the root namespace, the oldest for all of the namespace of the proxy, each that selects
//! the proxy. The last of them that names providers for the calls in question decides which providers are used. If none names any, those
//! of `defaultProviders` are used.
//!
//! The wiring by a provider works where the collector's provider is one of them, and no entry disables it. For the switch of mesh config,
//! that is not enough: of these providers, istiod skips those that mesh config does not have and those that do not log. If none is left, the switch of mesh
//! config works. If one is left, the switch does not work, even if the Telemetry disables that provider. A waypoint applies these rules
//! to the calls of each service, with the Telemetries of the namespace of the service and those that are attached to the service.

use std::collections::{BTreeMap, BTreeSet};

use crate::world::{
    AccessLogging, CallDirection, ObjectName, Proxy, ProxyRole, TargetRef, Telemetry, Version,
};
use alscope_mesh_config::AccessLogSettings;

/// The namespace whose resources apply to the whole mesh, unless mesh config names one (istio/istio, `pkg/config/mesh/mesh.go`).
const DEFAULT_ROOT_NAMESPACE: &str = "istio-system";

/// The Telemetries of a mesh, with what else decides about their effect.
#[derive(Clone, Copy, Debug)]
pub struct Telemetries<'a> {
    /// All Telemetries of the cluster.
    pub all: &'a [Telemetry],
    /// The merged mesh config. If it could not be read, every provider counts as one that logs.
    pub mesh: Option<&'a AccessLogSettings>,
    /// The version of istiod, if it is known.
    pub version: Option<Version>,
    /// The provider that streams to the collector; absent where the switch of mesh config makes proxies stream.
    pub provider: Option<&'a str>,
}

/// The Telemetries that decide about the access logs of a proxy instead of mesh config.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TelemetryDecision {
    /// Those that have entries about access logs, the most general first.
    pub telemetries: Vec<ObjectName>,
    /// The calls that they decide about; absent means all calls of the proxy.
    pub calls: Option<CallDirection>,
}

/// A service that a Telemetry is attached to. Such a Telemetry applies to the calls of the service at waypoints, and to nothing else.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttachedService {
    /// The kind: `Service` or `ServiceEntry`.
    pub kind: &'static str,
    /// The name of the service, in the namespace of the Telemetry.
    pub name: ObjectName,
}

/// What decides for the whole mesh instead of the switch of mesh config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShadowedBy<'a> {
    /// These providers of `defaultProviders`.
    DefaultProviders(Vec<&'a str>),
    /// This Telemetry of the root namespace.
    Telemetry(&'a Telemetry),
}

impl<'a> Telemetries<'a> {
    /// What decides for the whole mesh; `None` if the wiring does.
    pub fn shadowed_by(&self) -> Option<ShadowedBy<'a>> {
        let root = self.oldest_of(self.root_namespace());
        let layers: Vec<&Telemetry> = root
            .into_iter()
            .filter(|one| !one.access_logging.is_empty())
            .collect();
        let calls = [CallDirection::Outgoing, CallDirection::Incoming];
        let decide = |layers: &[&Telemetry]| {
            let mut calls = calls.iter();
            match self.provider {
                None => calls.any(|calls| self.decide(layers, *calls)),
                Some(_) => calls.all(|calls| self.decide(layers, *calls)),
            }
        };
        if !decide(&layers) {
            return None;
        }
        if decide(&[]) {
            let providers = self
                .default_providers()
                .iter()
                .filter(|name| self.is_effective(name));
            return Some(ShadowedBy::DefaultProviders(
                providers.map(String::as_str).collect(),
            ));
        }
        root.map(ShadowedBy::Telemetry)
    }

    /// The Telemetries that decide about the access logs of a proxy; `None` if none does.
    pub fn decision(&self, proxy: &Proxy) -> Option<TelemetryDecision> {
        self.decision_about(proxy, None)
    }

    /// The services whose calls a waypoint does not report, with the Telemetries that decide about them. Before 1.24, istiod ignored
    /// Telemetries that are attached to a service.
    pub fn silenced_services(&self, proxy: &Proxy) -> Vec<(AttachedService, Vec<ObjectName>)> {
        if proxy.role != ProxyRole::Waypoint
            || self.version.is_some_and(|version| !version.is_at_least(1, 24))
        {
            return Vec::new();
        }
        let telemetries = self.all.iter().filter(|one| !one.access_logging.is_empty());
        let services: BTreeSet<AttachedService> = telemetries.flat_map(services).collect();
        let decided = services.into_iter().filter_map(|service| {
            let decision = self.decision_about(proxy, Some(&service))?;
            Some((service, decision.telemetries))
        });
        decided.collect()
    }

    fn decision_about(&self, proxy: &Proxy, service: Option<&AttachedService>) -> Option<TelemetryDecision> {
        let layers = self.layers(proxy, service);
        let calls: &[CallDirection] = match proxy.role {
            ProxyRole::Sidecar => &[CallDirection::Outgoing, CallDirection::Incoming],
            ProxyRole::Gateway => &[CallDirection::Outgoing],
            ProxyRole::Waypoint => &[CallDirection::Incoming],
        };
        let decided: Vec<CallDirection> = calls
            .iter()
            .copied()
            .filter(|calls| self.decide(&layers, *calls))
            .collect();
        let first = decided.first().copied()?;
        // Where no Telemetry names a provider that counts, those of `defaultProviders` decide, for the whole mesh.
        let naming = layers.iter().filter(|layer| self.names_provider(layer));
        let telemetries: Vec<ObjectName> = naming.map(|telemetry| telemetry.name.clone()).collect();
        (!telemetries.is_empty()).then_some(TelemetryDecision {
            telemetries,
            calls: (decided.len() < calls.len()).then_some(first),
        })
    }

    /// The Telemetries with entries about access logs that apply to a proxy, the most general first.
    fn layers(&self, proxy: &Proxy, service: Option<&AttachedService>) -> Vec<&'a Telemetry> {
        let own = proxy.pod.namespace.as_str();
        let namespace = service.map_or(own, |service| service.name.namespace.as_str());
        let mut namespaces = vec![self.root_namespace(), own, namespace];
        namespaces.dedup();
        let general = namespaces
            .into_iter()
            .filter_map(|namespace| self.oldest_of(namespace));
        let mut selecting: Vec<&Telemetry> = self
            .all
            .iter()
            .filter(|telemetry| telemetry.name.namespace == namespace && !telemetry.is_for_all())
            .filter(|telemetry| self.selects(telemetry, proxy, service))
            .collect();
        selecting.sort_by_key(|telemetry| age(telemetry));
        let layers = general.chain(selecting);
        layers
            .filter(|telemetry| !telemetry.access_logging.is_empty())
            .collect()
    }

    /// The oldest Telemetry that applies to a whole namespace. A younger one has no effect.
    fn oldest_of(&self, namespace: &str) -> Option<&'a Telemetry> {
        let of_namespace = self
            .all
            .iter()
            .filter(|telemetry| telemetry.name.namespace == namespace);
        of_namespace
            .filter(|telemetry| telemetry.is_for_all())
            .min_by_key(|telemetry| age(telemetry))
    }

    /// Whether a Telemetry selects a proxy. Targets select the proxies of a Gateway; nothing else selects a waypoint. Labels alone select
    /// any other proxy.
    fn selects(&self, telemetry: &Telemetry, proxy: &Proxy, service: Option<&AttachedService>) -> bool {
        let by_labels = || {
            let mut labels = telemetry.labels.iter();
            labels.all(|(name, value)| proxy.labels.get(name) == Some(value))
        };
        let Some(gateway) = proxy.gateway() else {
            return telemetry.targets.is_empty() && by_labels();
        };
        if telemetry.targets.is_empty() {
            return proxy.role != ProxyRole::Waypoint && by_labels();
        }
        if service.is_some_and(|service| services(telemetry).any(|one| one == *service)) {
            return true;
        }
        let namespace = &telemetry.name.namespace;
        telemetry.targets.iter().any(|target| {
            let is_of_class = is(target, "gateway.networking.k8s.io", "GatewayClass")
                && namespace == self.root_namespace()
                && proxy.role == ProxyRole::Waypoint
                && target.name == "istio-waypoint";
            let is_gateway = is(target, "gateway.networking.k8s.io", "Gateway")
                && *namespace == proxy.pod.namespace
                && (target.namespace.is_empty() || target.namespace == *namespace)
                && target.name == gateway;
            is_of_class || is_gateway
        })
    }

    /// Whether Telemetries or default providers decide about such calls, and not the wiring.
    fn decide(&self, layers: &[&Telemetry], calls: CallDirection) -> bool {
        let in_effect = self.providers_in_effect(layers, calls);
        match self.provider {
            None => {
                let has_entries = layers.iter().any(|layer| !layer.access_logging.is_empty());
                (self.is_before_1_18() && has_entries) || in_effect.keys().any(|name| self.is_effective(name))
            }
            // istiod finds a provider by its name in any case.
            Some(provider) => !in_effect
                .iter()
                .any(|(name, is_disabled)| name.eq_ignore_ascii_case(provider) && !is_disabled),
        }
    }

    /// The providers for such calls, each with whether it is disabled (istio/istio, `mergeLogs`). An entry without providers has those of
    /// the entry before it.
    fn providers_in_effect(&self, layers: &[&'a Telemetry], calls: CallDirection) -> BTreeMap<&'a str, bool> {
        let is_for_them = |entry: &&AccessLogging| entry.calls.is_none_or(|only| only == calls);
        let mut named = layers.iter().rev().map(|layer| {
            let entries = layer.access_logging.iter().filter(is_for_them);
            entries.flat_map(|entry| &entry.providers).collect()
        });
        let defaults = self.default_providers();
        let in_scope: Vec<&String> = named
            .find(|names: &Vec<&String>| !names.is_empty())
            .unwrap_or_else(|| defaults.iter().collect());
        if layers.is_empty() {
            return defaults.iter().map(|name| (name.as_str(), false)).collect();
        }
        let mut in_effect = BTreeMap::new();
        let mut providers = defaults;
        for entry in layers.iter().flat_map(|layer| &layer.access_logging) {
            if !entry.providers.is_empty() {
                providers = &entry.providers;
            }
            let of_entry = providers.iter().filter(|name| in_scope.contains(name));
            if is_for_them(&entry) {
                in_effect.extend(of_entry.map(|name| (name.as_str(), entry.disabled)));
            }
        }
        in_effect
    }

    /// Whether a Telemetry has a part in the decision.
    fn names_provider(&self, telemetry: &Telemetry) -> bool {
        if self.provider.is_some() {
            // Each entry narrows where the collector's provider is in effect.
            return true;
        }
        let mut names = telemetry.access_logging.iter().flat_map(|entry| &entry.providers);
        self.is_before_1_18() || names.any(|name| self.is_effective(name))
    }

    fn is_effective(&self, provider: &str) -> bool {
        self.is_before_1_18() || self.mesh.is_none_or(|mesh| mesh.has_logger(provider))
    }

    /// Before 1.18, istiod logged nothing for an entry without a provider, or with one that it skips.
    fn is_before_1_18(&self) -> bool {
        self.version.is_some_and(|version| !version.is_at_least(1, 18))
    }

    fn default_providers(&self) -> &'a [String] {
        let providers = self
            .mesh
            .and_then(|mesh| mesh.access_logging_providers.as_deref());
        providers.unwrap_or_default()
    }

    fn root_namespace(&self) -> &'a str {
        root_namespace(self.mesh)
    }
}

/// The namespace whose resources apply to the whole mesh. If it is empty, none do.
pub fn root_namespace(mesh: Option<&AccessLogSettings>) -> &str {
    let said = mesh.and_then(|mesh| mesh.root_namespace.as_deref());
    said.unwrap_or(DEFAULT_ROOT_NAMESPACE)
}

/// The sort key of the age: the time of creation, then the name.
fn age(telemetry: &Telemetry) -> (Option<jiff::Timestamp>, &str) {
    (telemetry.created, &telemetry.name.name)
}

/// The services that a Telemetry is attached to. istiod takes an empty group for the group `core`.
fn services(telemetry: &Telemetry) -> impl Iterator<Item = AttachedService> {
    telemetry.targets.iter().filter_map(|target| {
        let kind = if is(target, "", "Service") || is(target, "core", "Service") {
            "Service"
        } else if is(target, "networking.istio.io", "ServiceEntry") {
            "ServiceEntry"
        } else {
            return None;
        };
        let name = ObjectName::new(&telemetry.name.namespace, &target.name);
        Some(AttachedService { kind, name })
    })
}

fn is(target: &TargetRef, group: &str, kind: &str) -> bool {
    target.group == group && target.kind == kind
}
