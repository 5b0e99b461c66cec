//! Who decides about a proxy's access logs: mesh config's switch, or Telemetries, for whose proxies istiod ignores the switch.
//!
//! The rules are istiod's (istio/istio, `pilot/pkg/model/telemetry.go` and `policyattachment.go`): the oldest Telemetry of the
//! root namespace that is for all, then that of the proxy's namespace, then each that selects the proxy. They decide where one of
//! them names a provider for the calls in question, whether it is disabled there or not. A provider that mesh config does not
//! have counts as if it were there. What is attached to a Service of a waypoint is not looked at: it is for
//! some of the waypoint's calls only.

use crate::world::{AccessLogging, Calls, ObjectName, Proxy, Role, TargetRef, Telemetry, Version};

/// Whose Telemetry is the whole mesh's where mesh config does not say (istio/istio, `pkg/config/mesh/mesh.go`).
pub const DEFAULT_ROOT_NAMESPACE: &str = "istio-system";

/// The Telemetries of a mesh.
#[derive(Clone, Copy, Debug)]
pub struct Telemetries<'a> {
    /// All that there are.
    pub all: &'a [Telemetry],
    /// `rootNamespace` of mesh config; empty means that none is the whole mesh's.
    pub root_namespace: &'a str,
    /// istiod's version, if it is known.
    pub version: Option<Version>,
}

/// Telemetries that decide about a proxy's access logs instead of mesh config.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decision {
    /// Those that say something about access logs, the most general first.
    pub telemetries: Vec<ObjectName>,
    /// Which calls they decide about; absent means all of the proxy's.
    pub calls: Option<Calls>,
}

impl<'a> Telemetries<'a> {
    /// The Telemetry that decides for the whole mesh.
    pub fn of_whole_mesh(&self) -> Option<&'a Telemetry> {
        let oldest = self.oldest_of(self.root_namespace)?;
        let decides = |calls| self.decide(&[oldest], calls);
        (decides(Calls::Outgoing) || decides(Calls::Incoming)).then_some(oldest)
    }

    /// Who decides about a proxy's access logs, if that is not mesh config.
    pub fn decision(&self, proxy: &Proxy) -> Option<Decision> {
        let layers = self.layers(proxy);
        let calls: &[Calls] = match proxy.role {
            Role::Sidecar => &[Calls::Outgoing, Calls::Incoming],
            Role::Gateway => &[Calls::Outgoing],
            Role::Waypoint => &[Calls::Incoming],
        };
        let decided: Vec<Calls> = calls
            .iter()
            .copied()
            .filter(|calls| self.decide(&layers, *calls))
            .collect();
        let first = decided.first().copied()?;
        Some(Decision {
            telemetries: layers.iter().map(|telemetry| telemetry.name.clone()).collect(),
            calls: (decided.len() < calls.len()).then_some(first),
        })
    }

    /// The Telemetries with something about access logs that are for a proxy, the most general first.
    fn layers(&self, proxy: &Proxy) -> Vec<&'a Telemetry> {
        let namespace = &proxy.pod.namespace;
        let own = (namespace != self.root_namespace).then(|| self.oldest_of(namespace));
        let mut selecting: Vec<&Telemetry> = self
            .all
            .iter()
            .filter(|telemetry| telemetry.name.namespace == *namespace && !telemetry.is_for_all())
            .filter(|telemetry| self.selects(telemetry, proxy))
            .collect();
        selecting.sort_by_key(|telemetry| age(telemetry));
        let general = [self.oldest_of(self.root_namespace), own.flatten()];
        let layers = general.into_iter().flatten().chain(selecting);
        layers
            .filter(|telemetry| !telemetry.access_logging.is_empty())
            .collect()
    }

    /// The oldest that is for all of a namespace: a younger one counts for nothing.
    fn oldest_of(&self, namespace: &str) -> Option<&'a Telemetry> {
        let of_namespace = self
            .all
            .iter()
            .filter(|telemetry| telemetry.name.namespace == namespace);
        of_namespace
            .filter(|telemetry| telemetry.is_for_all())
            .min_by_key(|telemetry| age(telemetry))
    }

    /// A Gateway's proxy is selected by targets, a waypoint by nothing else, every other proxy by labels alone.
    fn selects(&self, telemetry: &Telemetry, proxy: &Proxy) -> bool {
        let by_labels = || {
            let mut labels = telemetry.labels.iter();
            labels.all(|(name, value)| proxy.labels.get(name) == Some(value))
        };
        let Some(gateway) = proxy.gateway() else {
            return telemetry.targets.is_empty() && by_labels();
        };
        if telemetry.targets.is_empty() {
            return proxy.role != Role::Waypoint && by_labels();
        }
        let namespace = &telemetry.name.namespace;
        telemetry.targets.iter().any(|target| {
            let is_of_class = is(target, "gateway.networking.k8s.io", "GatewayClass")
                && namespace == self.root_namespace
                && proxy.role == Role::Waypoint
                && target.name == "istio-waypoint";
            let is_gateway = is(target, "gateway.networking.k8s.io", "Gateway")
                && (target.namespace.is_empty() || target.namespace == *namespace)
                && target.name == gateway;
            is_of_class || is_gateway
        })
    }

    /// Whether these decide about such calls. An entry without providers has those of an entry before it, so it matters only
    /// beside one that names some; a `disabled` one silences like any other.
    fn decide(&self, layers: &[&Telemetry], calls: Calls) -> bool {
        // Before 1.18, istiod asked for no provider.
        let is_old = self.version.is_some_and(|version| !version.is_at_least(1, 18));
        let decides =
            |entry: &AccessLogging| entry.names_providers && entry.calls.is_none_or(|only| only == calls);
        let mut entries = layers.iter().flat_map(|layer| &layer.access_logging);
        entries.any(|entry| is_old || decides(entry))
    }
}

/// By the time of its making; of two that are as old the first by name.
fn age(telemetry: &Telemetry) -> (Option<jiff::Timestamp>, &str) {
    (telemetry.created, &telemetry.name.name)
}

fn is(target: &TargetRef, group: &str, kind: &str) -> bool {
    target.group == group && target.kind == kind
}
