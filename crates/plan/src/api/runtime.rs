//! What a collector accepts and keeps, and how it ends: parts of `spec.collector` with the names of the keys in the collector's file.

use std::time::Duration;

use alscope_collector_config::{Ending, Limits};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::analysis::{MAX_NUMBER, number};

/// A time with one unit, which Kubernetes' rules and the collector read in the same way.
const TIME: &str = "^[0-9]{1,9}(ms|s|m|h)$";

/// Upper bounds for what proxies send, and for what is kept of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "self.messageBytes <= self.bufferedBytes",
    "message": "messageBytes is more than bufferedBytes, so the largest message could not be read; raise bufferedBytes",
}]))]
pub struct LimitsSpec {
    /// Bytes of one gRPC message. It may be at most `bufferedBytes`.
    #[schemars(range(min = 1, max = MAX_NUMBER))]
    pub message_bytes: i64,
    /// Entries in one message.
    #[schemars(range(min = 1, max = MAX_NUMBER))]
    pub entries_per_message: i64,
    /// Bytes of one string in an entry.
    #[schemars(range(min = 1, max = MAX_NUMBER))]
    pub string_bytes: i64,
    /// Connections of all proxies to one replica. The default is enough for 8192 proxies. One address may have a quarter of them.
    #[schemars(range(min = 1, max = MAX_NUMBER))]
    pub connections: i64,
    /// Open streams of one connection.
    #[schemars(range(min = 1, max = MAX_NUMBER))]
    pub streams_per_connection: i64,
    /// Open streams of all connections from one address, and the number of connections that one address may have.
    #[schemars(range(min = 1, max = MAX_NUMBER))]
    pub streams_per_peer: i64,
    /// Samples of all series in `/metrics`. The default is enough for some 750 edges of HTTP. Beyond it, all further series of a metric
    /// share one series until others have been idle for `idleSeries`.
    #[schemars(range(min = 1, max = MAX_NUMBER))]
    pub samples: i64,
    /// The time without a call after which a series is removed, from `10s` to `8760h`.
    #[schemars(length(max = 12), regex(pattern = TIME), extend("x-kubernetes-validations" = [{
        "rule": "duration(self) >= duration('10s') && duration(self) <= duration('8760h')",
        "message": "write a time from 10s to 8760h, as in 90m",
    }]))]
    pub idle_series: String,
    /// How many hosts outside the mesh are told apart if no `ServiceEntry` names them. All further ones are shown as one host, `other`.
    #[schemars(range(min = 1, max = MAX_NUMBER))]
    pub outside_hosts: i64,
    /// Bytes of unfinished messages on all streams. Beyond it streams wait, and a stalled message is dropped so that they can go on.
    #[schemars(range(min = 1, max = MAX_NUMBER))]
    pub buffered_bytes: i64,
    /// The age, give or take a tenth, at which a proxy is asked to connect anew, so that every replica gets its share of the proxies.
    /// From `1ms` to `8760h`.
    #[schemars(length(max = 12), regex(pattern = TIME), extend("x-kubernetes-validations" = [{
        "rule": "duration(self) >= duration('1ms') && duration(self) <= duration('8760h')",
        "message": "write a time from 1ms to 8760h, as in 30m",
    }]))]
    pub connection_age: String,
}

impl Default for LimitsSpec {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            message_bytes: number(limits.message_bytes),
            entries_per_message: number(limits.entries_per_message),
            string_bytes: number(limits.string_bytes),
            connections: number(limits.connections),
            streams_per_connection: number(limits.streams_per_connection),
            streams_per_peer: number(limits.streams_per_peer),
            samples: number(limits.samples),
            idle_series: time_text(limits.idle_series),
            outside_hosts: number(limits.outside_hosts),
            buffered_bytes: number(limits.buffered_bytes),
            connection_age: time_text(limits.connection_age),
        }
    }
}

/// The longest time of a stage is an hour, because a node that is drained waits for it.
const STAGE_RULE: &str = "duration(self) <= duration('1h')";
const STAGE_MESSAGE: &str = "write a time of at most 1h, as in 30s; a node that is drained waits for it";

/// How long each stage of a collector's shutdown may take. The pods' `terminationGracePeriodSeconds` follows from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct EndingSpec {
    /// The collector ends its streams when no new connection has come for this long: the proxies then connect elsewhere.
    #[schemars(length(max = 12), regex(pattern = TIME), extend("x-kubernetes-validations" = [{"rule": STAGE_RULE, "message": STAGE_MESSAGE}]))]
    pub quiet: String,
    /// The longest time for which the collector accepts connections while new ones still come.
    #[schemars(length(max = 12), regex(pattern = TIME), extend("x-kubernetes-validations" = [{"rule": STAGE_RULE, "message": STAGE_MESSAGE}]))]
    pub accept: String,
    /// The longest time for which the metrics stay available, so that the last counts are scraped once. Set it to at least the scrape
    /// interval.
    #[schemars(length(max = 12), regex(pattern = TIME), extend("x-kubernetes-validations" = [{"rule": STAGE_RULE, "message": STAGE_MESSAGE}]))]
    pub scrape: String,
}

impl Default for EndingSpec {
    fn default() -> Self {
        let ending = Ending::default();
        Self {
            quiet: time_text(ending.quiet),
            accept: time_text(ending.accept),
            scrape: time_text(ending.scrape),
        }
    }
}

/// Where the page with who calls whom can be opened. It has no password.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WebSpec {
    /// Whether the page is at port 8080 of the Service. Without it, `kubectl port-forward` to a pod is the only way to the page.
    /// `networkPolicy.page` says who may open it.
    pub expose: bool,
    /// Further hosts in whose name the page answers: names or addresses, without a port. It always answers in the name of loopback, and
    /// of the Service if it is exposed there.
    #[schemars(
        length(max = 64),
        inner(
            length(max = 253),
            regex(pattern = "^([A-Za-z0-9_-][A-Za-z0-9._-]*|[0-9A-Fa-f:.]+)$")
        )
    )]
    pub hosts: Vec<String>,
}

/// What a collector logs about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// What failed.
    Error,
    /// What may be a fault, too.
    Warn,
    /// What a person should know, too.
    #[default]
    Info,
    /// What helps to find a fault, too.
    Debug,
    /// Every step.
    Trace,
}

impl LogLevel {
    /// The level as the environment variable `RUST_LOG` spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// A default of the collector in its largest whole unit, as in `30m`.
fn time_text(time: Duration) -> String {
    let milliseconds = time.as_millis();
    let units = [("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    let whole = units
        .into_iter()
        .find(|(_, unit)| milliseconds >= *unit && milliseconds.is_multiple_of(*unit));
    whole.map_or_else(
        || format!("{milliseconds}ms"),
        |(name, unit)| format!("{}{name}", milliseconds / unit),
    )
}
