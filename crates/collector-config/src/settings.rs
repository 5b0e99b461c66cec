//! Every key of the file: what it is, what its default is, and whether this version acts on it. What the file may hold,
//! what `check` prints and the page of reference come from this table.

mod kind;

use std::time::Duration;

use crate::{Analyzer, Config, Directory};
pub use kind::ValueKind;

/// A key of the configuration file.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The key with its parents, as in `listen.grpc`.
    pub key: &'static str,
    /// What its value is.
    pub kind: ValueKind,
    /// What is set, in one sentence; the default in words where it is no value.
    pub meaning: &'static str,
    value: fn(&Config) -> Option<String>,
}

impl Setting {
    /// The setting with this key.
    pub fn find(key: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }

    /// The value in effect; `None` for one that says nothing by itself.
    pub fn value(&self, config: &Config) -> Option<String> {
        (self.value)(config)
    }

    /// The value when the file leaves it out; `None` for one that says nothing by itself.
    pub fn default_value(&self) -> Option<String> {
        (self.value)(&Config::default())
    }
}

const fn setting(
    key: &'static str,
    kind: ValueKind,
    value: fn(&Config) -> Option<String>,
    meaning: &'static str,
) -> Setting {
    Setting {
        key,
        kind,
        meaning,
        value,
    }
}

/// Every key of the file, in the order in which they are described. A row that ends in `without` is one that this version
/// does not act on.
pub const SETTINGS: [Setting; 39] = [
    setting(
        "listen.grpc",
        ValueKind::Address,
        |config| Some(config.listen.grpc.to_string()),
        "Where Envoy's access-log streams come in.",
    ),
    setting(
        "listen.web",
        ValueKind::Address,
        |config| Some(config.listen.web.to_string()),
        "The page and its API. They show who calls whom, so they are on loopback unless this says otherwise.",
    ),
    setting(
        "listen.admin",
        ValueKind::Address,
        |config| Some(config.listen.admin.to_string()),
        "Probes and the Prometheus metrics.",
    ),
    setting(
        "directory",
        ValueKind::Keys,
        |config| Some(config.directory.describe()),
        "Where it is learnt who has which address. Required, with one of `kubernetes`, `file` and `none`.",
    ),
    setting(
        "directory.kubernetes",
        ValueKind::Keys,
        |_| None,
        "Watches of a Kubernetes API server. Without keys (`{}`) it is the one of the pod's service account, or else of the \
         environment's kubeconfig.",
    ),
    setting(
        "directory.kubernetes.kubeconfig",
        ValueKind::File,
        |_| None,
        "A kubeconfig that leads to the API server.",
    ),
    setting(
        "directory.file",
        ValueKind::File,
        |_| None,
        "A file with what `kubectl get pods,services,endpointslices,nodes -A -o json` prints, with Istio also \
         `serviceentries,workloadentries`; `-o yaml` takes four times as long to read. When it changes or is replaced, also as a file of \
         a mounted ConfigMap, it is read again.",
    ),
    setting(
        "directory.none",
        ValueKind::Keys,
        |_| None,
        "Nowhere (`{}`): no address is looked up and no right is needed. For the analyzer `mx-mesh` alone.",
    ),
    setting(
        "analysis.http",
        ValueKind::Analyzers,
        |config| Some(chain(&config.analysis.http)),
        "The analyzers of HTTP entries, the first with the most say. An empty text is none: entries are counted and skipped. \
         `persistence` after one of them keeps single entries, which are printed as JSON lines. A name that is not known, or is listed \
         twice, is refused.",
    ),
    setting(
        "analysis.tcp",
        ValueKind::Analyzers,
        |config| Some(chain(&config.analysis.tcp)),
        "The same for TCP entries.",
    ),
    setting(
        "analysis.naming.k8sServiceNameRule",
        ValueKind::NamingRule,
        |config| Some(config.analysis.naming.k8s_service_name_rule.text().to_owned()),
        "The name of a pod's service. The objects of the rule are `pod` and `service`, the oldest Service that sends to the \
         pod. Metrics have Istio's labels and not this name.",
    ),
    setting(
        "analysis.naming.istioServiceNameRule",
        ValueKind::NamingRule,
        |config| Some(config.analysis.naming.istio_service_name_rule.text().to_owned()),
        "The name of the service of a host outside the mesh. The object of the rule is `serviceEntry`.",
    ),
    setting(
        "analysis.naming.istioServiceEntryIgnoredNamespaces",
        ValueKind::Names,
        |config| {
            Some(list(
                &config.analysis.naming.istio_service_entry_ignored_namespaces,
            ))
        },
        "Namespaces whose ServiceEntries name nothing.",
    ),
    setting(
        "analysis.endpoints.rules",
        ValueKind::List,
        |config| Some(list(&config.analysis.endpoints.rules)),
        "Templates of paths, tried before any other, for every method or for one. `{…}` stands for one segment, a last `**` for any \
         further ones, as in `GET /users/{id}/**`.",
    ),
    setting(
        "analysis.endpoints.perService",
        ValueKind::Number,
        |config| Some(config.analysis.endpoints.per_service.to_string()),
        "Endpoints of one service; further ones are one endpoint together. One that no kept entry was for in `limits.idleSeries` goes, at most as long again later, and leaves its place to others.",
    ),
    setting(
        "analysis.persistence.errors",
        ValueKind::Switch,
        |config| Some(config.analysis.persistence.errors.to_string()),
        "Whether `persistence` keeps the entries of failed calls and client errors (`outcomes.md`), and those with a response flag.",
    ),
    setting(
        "analysis.persistence.slowMilliseconds",
        ValueKind::Milliseconds,
        |config| {
            let slow = config.analysis.persistence.slow;
            Some(slow.map_or("none".to_owned(), |slow| slow.as_millis().to_string()))
        },
        "From which duration on `persistence` keeps a request's entry because it was slow. The default is never.",
    ),
    setting(
        "analysis.persistence.sampledShare",
        ValueKind::Share,
        |config| Some(config.analysis.persistence.sampled_share.to_string()),
        "The share of all the other entries that `persistence` keeps.",
    ),
    setting(
        "analysis.persistence.entriesPerMinute",
        ValueKind::Number,
        |config| Some(config.analysis.persistence.entries_per_minute.to_string()),
        "Entries of one service with one response code, or with the same flags, that `persistence` keeps in a minute for one reason.",
    ),
    setting(
        "analysis.redaction.enabled",
        ValueKind::Switch,
        |config| Some(config.analysis.redaction.enabled.to_string()),
        "Whether secrets stay in the collector: values of queries, userinfo, tokens, e-mail addresses, `authorization`, `cookie` and the \
         headers that follow.",
    ),
    setting(
        "analysis.redaction.headers",
        ValueKind::List,
        |config| Some(list(&config.analysis.redaction.headers)),
        "Further headers whose values stay in the collector.",
    ),
    setting(
        "analysis.trustForwardedAddress",
        ValueKind::Switch,
        |config| Some(config.analysis.trust_forwarded_address.to_string()),
        "Whether a gateway's caller is who Envoy says a request was forwarded for (X-Forwarded-For, PROXY protocol), not whom \
         the connection came from. Envoy believes as many hops as Istio's `numTrustedProxies` says.",
    ),
    setting(
        "acceptMetricsService",
        ValueKind::Switch,
        |config| Some(config.accept_metrics_service.to_string()),
        "Whether the metrics that Envoys report about themselves (Envoy's Metrics Service) are taken, and shown at `/metrics`.",
    ),
    setting(
        "workers",
        ValueKind::Number,
        |config| {
            let workers = config.workers;
            Some(workers.map_or("one for each core".to_owned(), |workers| workers.to_string()))
        },
        "Threads that receive, at most 1024.",
    ),
    setting(
        "limits.messageBytes",
        ValueKind::Number,
        |config| Some(config.limits.message_bytes.to_string()),
        "Bytes of one gRPC message. At most `limits.bufferedBytes`.",
    ),
    setting(
        "limits.entriesPerMessage",
        ValueKind::Number,
        |config| Some(config.limits.entries_per_message.to_string()),
        "Entries of one message.",
    ),
    setting(
        "limits.stringBytes",
        ValueKind::Number,
        |config| Some(config.limits.string_bytes.to_string()),
        "Bytes of one string of an entry.",
    ),
    setting(
        "limits.connections",
        ValueKind::Number,
        |config| Some(config.limits.connections.to_string()),
        "Connections of all clients together: the default is two of each of 8192 proxies, because an Envoy has one for each of its \
         threads and Istio gives it two. One address may have a quarter of them. Fewer are served if the process may not open as many files.",
    ),
    setting(
        "limits.streamsPerConnection",
        ValueKind::Number,
        |config| Some(config.limits.streams_per_connection.to_string()),
        "Streams that one connection holds open.",
    ),
    setting(
        "limits.streamsPerPeer",
        ValueKind::Number,
        |config| Some(config.limits.streams_per_peer.to_string()),
        "Streams that all the connections of one address hold open, and how many connections it may have.",
    ),
    setting(
        "limits.samples",
        ValueKind::Number,
        |config| Some(config.limits.samples.to_string()),
        "Samples of all series in `/metrics`: some 750 edges of HTTP by default. One set of labels is 67 samples, and an edge with a proxy at both ends and five outcomes is ten sets. Further series are one series of each metric together, until others were idle for `limits.idleSeries`.",
    ),
    setting(
        "limits.idleSeries",
        ValueKind::Time,
        |config| Some(time(config.limits.idle_series)),
        "After how long without a call a series goes, and with it its edge, its evidence and its strings; it goes at most a sixth of that later.",
    ),
    setting(
        "limits.outsideHosts",
        ValueKind::Number,
        |config| Some(config.limits.outside_hosts.to_string()),
        "Hosts outside the mesh that no `ServiceEntry` has and that are told apart, of those that callers name; the rest is one host `other`.",
    ),
    setting(
        "limits.bufferedBytes",
        ValueKind::Number,
        |config| Some(config.limits.buffered_bytes.to_string()),
        "Bytes of unfinished messages over all the streams, as they came in. One connection may hold a sixteenth of it and one address a \
         quarter. Beyond it streams wait, and a message that stalls gives way to them.",
    ),
    setting(
        "limits.connectionAge",
        ValueKind::Time,
        |config| Some(time(config.limits.connection_age)),
        "How old a connection of a proxy becomes, give or take a tenth, before it is asked, without loss, to come again: so all replicas \
         get their share.",
    ),
    setting(
        "web.hosts",
        ValueKind::List,
        |config| Some(list(&config.web_hosts)),
        "Further hosts by which the page and its API may be asked for, names or addresses without a port. Loopback and the address \
         that is listened on always may; any other is refused, because a foreign site could read the page under its own name.",
    ),
    setting(
        "ending.quiet",
        ValueKind::Time,
        |config| Some(time(config.ending.quiet)),
        "At the end: how long no new connection must have come until the proxies are taken to be sent elsewhere, and their streams are \
         ended.",
    ),
    setting(
        "ending.accept",
        ValueKind::Time,
        |config| Some(time(config.ending.accept)),
        "At the end: how long connections are accepted at most while new ones still come.",
    ),
    setting(
        "ending.scrape",
        ValueKind::Time,
        |config| Some(time(config.ending.scrape)),
        "At the end: how long the metrics stay at most, so that what was counted last is scraped once. Not shorter than the interval of \
         the scrapes; nobody is waited for if nobody ever scraped.",
    ),
];

/// `none` or the analyzers as the file has them.
fn chain(analyzers: &[Analyzer]) -> String {
    let names: Vec<String> = analyzers.iter().map(ToString::to_string).collect();
    list(&names)
}

/// As the file has it, such as `30m`.
fn time(time: Duration) -> String {
    jiff::SignedDuration::try_from(time).map_or_else(|_| "for ever".to_owned(), |time| format!("{time:#}"))
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.join(",")
}

impl Directory {
    fn describe(&self) -> String {
        match self {
            Self::None => "none".to_owned(),
            Self::File(path) => format!("file {}", path.display()),
            Self::Kubernetes(kubernetes) => match &kubernetes.kubeconfig {
                Some(path) => format!("kubernetes by {}", path.display()),
                None => "kubernetes".to_owned(),
            },
        }
    }
}
