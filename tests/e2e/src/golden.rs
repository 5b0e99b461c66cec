//! Calls of every kind, recorded from real Envoys, and what the rules make of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use als_proto::messages::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use als_proto::{Message, RecordedMessage, Recording};
use alscope_collector::envoy_metrics::Proxies;
use alscope_collector::export::prometheus::Prometheus;
use alscope_collector::export::prometheus::families::ScrapeGauges;
use alscope_collector::export::prometheus::format::Format;
use alscope_collector::replay::replay;
use alscope_collector_config::Config;
use anyhow::Context;
use prost::Message as _;

/// The namespace of the calls.
pub const NAMESPACE: &str = "golden";

/// Calls of one kind.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// The name of its files.
    pub name: &'static str,
    /// The Deployment that calls: `caller` has a sidecar, `outsider` has none.
    pub from: &'static str,
    /// The arguments of `every-call`; three calls where they do not say how many.
    pub call: &'static [&'static str],
    /// Entries that the Envoys log of these calls.
    pub entries: usize,
}

const fn scenario(name: &'static str, call: &'static [&'static str], entries: usize) -> Scenario {
    Scenario {
        name,
        from: "caller",
        call,
        entries,
    }
}

const fn from_outside(name: &'static str, call: &'static [&'static str], entries: usize) -> Scenario {
    Scenario {
        from: "outsider",
        ..scenario(name, call, entries)
    }
}

/// What is called under each wiring. Both sidecars log a call, a gateway logs it once for both of its sides.
const SCENARIOS: [Scenario; 17] = [
    scenario("http-ok", &["get", "http://server:8080/status/200"], 6),
    scenario(
        "http-client-error",
        &["get", "http://server:8080/status/404", "--status=404"],
        6,
    ),
    scenario(
        "http-server-error",
        &["get", "http://server:8080/status/500", "--status=500"],
        6,
    ),
    // The called one's Envoy answers 503 in its place.
    scenario("http-reset", &["get", "http://server:8081/", "--status=503"], 6),
    // The caller's Envoy gives up.
    scenario(
        "http-timeout",
        &["get", "http://shaky:8080/never", "--status=504"],
        6,
    ),
    // The caller itself gives up.
    scenario("http-disconnect", &["give-up", "http://server:8080/never"], 6),
    // The second attempt succeeds.
    scenario("http-retry", &["get", "http://shaky:8080/flaky"], 9),
    scenario("grpc-ok", &["grpc", "http://server:9090"], 6),
    scenario(
        "grpc-error",
        &["grpc", "http://server:9090", "--service=nobody", "--code=5"],
        6,
    ),
    scenario("tcp", &["tcp", "server:7000"], 6),
    scenario("websocket", &["socket", "ws://server:8082/"], 6),
    scenario("headless", &["get", "http://headless:8080/status/200"], 6),
    scenario(
        "external",
        &["get", "http://outsider:80/status/200", "--host=payments.example"],
        3,
    ),
    scenario(
        "passthrough",
        &[
            "get",
            "http://outsider-pod:8080/status/200",
            "--host=elsewhere.example",
        ],
        3,
    ),
    from_outside("plaintext", &["get", "http://server:8080/status/200"], 3),
    from_outside(
        "gateway",
        &["get", "http://bookinfo-gateway/status/200", "--host=shop.example"],
        6,
    ),
    from_outside(
        "gateway-no-route",
        &["get", "http://bookinfo-gateway/nowhere", "--status=404"],
        3,
    ),
];

/// What is called besides under [`Wiring::TelemetryProvider`], whose loggers say more.
const PROVIDER_SCENARIOS: [Scenario; 7] = [
    // Three messages there, five back.
    scenario("grpc-stream", &["stream", "http://server:9090"], 6),
    scenario(
        "grpc-late-error",
        &["stream", "http://server:9090", "--code=14"],
        6,
    ),
    // A Service without endpoints.
    scenario(
        "http-unavailable",
        &["get", "http://nobody:8080/", "--status=503"],
        3,
    ),
    scenario("tcp-unavailable", &["tcp", "nobody:7000", "--refused"], 3),
    // A port where nobody listens: the called one's Envoy finds out, and the caller's where there is no other.
    scenario("http-refused", &["get", "http://server:8099/", "--status=503"], 6),
    scenario("tcp-refused", &["tcp", "outsider:7099", "--refused"], 3),
    // Plain text where mutual TLS is demanded: no filter chain matches.
    from_outside("listener-refused", &["tcp", "headless:8080", "--refused"], 3),
];

/// How the Envoys of a recording were told to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wiring {
    /// By the switch in mesh config and an address in the bootstrap.
    MeshConfig,
    /// By a telemetry provider in mesh config, of the kind `envoyHttpAls`.
    TelemetryProvider,
}

impl Wiring {
    /// Every one.
    pub const ALL: [Wiring; 2] = [Wiring::MeshConfig, Wiring::TelemetryProvider];

    /// The checked-in recordings, with the objects of the cluster at that time and what the rules make of them.
    pub fn folder(self) -> PathBuf {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
        match self {
            Wiring::MeshConfig => golden,
            Wiring::TelemetryProvider => golden.join("provider"),
        }
    }

    /// What is called.
    pub fn scenarios(self) -> Vec<Scenario> {
        match self {
            Wiring::MeshConfig => SCENARIOS.to_vec(),
            Wiring::TelemetryProvider => [&SCENARIOS[..], &PROVIDER_SCENARIOS].concat(),
        }
    }
}

/// The file of the cluster's objects.
pub const DIRECTORY: &str = "directory.json";

/// The entries of a recording.
pub fn entries(recording: &[u8]) -> anyhow::Result<usize> {
    let mut entries = 0;
    for record in Recording::read(recording)? {
        // Half a record is one that is being written.
        let Ok(record) = record else { break };
        let message = Message::read(record.message).context("an unreadable message")?;
        entries += message.entries().count();
    }
    Ok(entries)
}

/// What of a recording comes after its first `records`, with each stream's node.
pub fn after(recording: &[u8], records: usize) -> anyhow::Result<Vec<u8>> {
    let mut nodes: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    let mut rest = Recording::BEGINNING.to_vec();
    for (index, record) in Recording::read(recording)?.enumerate() {
        let record = record.context("half a record")?;
        let mut message = StreamAccessLogsMessage::decode(record.message)?;
        if index >= records {
            if let Some(node) = nodes.remove(&record.stream)
                && message.identifier.is_none()
            {
                let message = node.as_slice();
                RecordedMessage { message, ..record }.write(&mut rest);
            }
            record.write(&mut rest);
        } else if message.identifier.is_some() {
            message.log_entries = None;
            nodes.insert(record.stream, message.encode_to_vec());
        }
    }
    Ok(rest)
}

/// How many records a recording has.
pub fn records(recording: &[u8]) -> anyhow::Result<usize> {
    let records = Recording::read(recording)?;
    Ok(records.flatten().count())
}

/// What an analyzer makes of a recording: the counters of calls and of entries that are not 0, with their labels that are not
/// `unknown`, a line each. `k8s-mesh` reads the cluster's objects, `mx-mesh` nothing but the recording.
pub fn observations(analyzer: &str, recording: &Path, directory: &Path) -> anyhow::Result<String> {
    let directory = match analyzer {
        "mx-mesh" => "{none: {}}".to_owned(),
        _ => format!("{{file: {:?}}}", directory.to_string_lossy()),
    };
    let text = format!("analysis: {{http: {analyzer:?}, tcp: {analyzer:?}}}\ndirectory: {directory}\n");
    let config = Config::parse(&text, Path::new("golden.yaml"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let replayed = runtime.block_on(replay(&config, recording.to_owned()))?;
    let gauges = ScrapeGauges {
        analyzers: 1,
        streams: 0,
        directory_version: replayed.directory_version,
        ..ScrapeGauges::default()
    };
    let snapshot = Arc::new(replayed.snapshot);
    let pieces = Prometheus::default().render(snapshot, Format::Text, &gauges, &Proxies::default());
    let exposition: String = pieces.collect();
    let mut lines: Vec<String> = exposition.lines().filter_map(counter).collect();
    lines.sort();
    Ok(lines.concat())
}

const COUNTERS: [&str; 8] = [
    "alscope_requests_total",
    "alscope_grpc_",
    "alscope_tcp_connections_closed_total",
    "alscope_tcp_received_bytes_total",
    "alscope_tcp_sent_bytes_total",
    "alscope_entries_",
    "alscope_messages_rejected_total",
    "alscope_parties_unattributed_total",
];

fn counter(line: &str) -> Option<String> {
    if !COUNTERS.iter().any(|counter| line.starts_with(counter)) || line.ends_with(" 0") {
        return None;
    }
    let Some((name, rest)) = line.split_once('{') else {
        return Some(format!("{line}\n"));
    };
    let (labels, value) = rest.rsplit_once("} ")?;
    let known: Vec<&str> = labels
        .strip_suffix('"')?
        .split("\",")
        .filter(|label| !label.ends_with("=\"unknown"))
        .collect();
    Some(format!("{name}{{{}\"}} {value}\n", known.join("\",")))
}

/// An edge between two workloads with its requests, by one reporter.
pub fn edges(observations: &str) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut edges = BTreeMap::new();
    for line in observations
        .lines()
        .filter(|line| line.starts_with("alscope_requests_total"))
    {
        let label = |name: &str| {
            let (_, rest) = line.split_once(&format!("{name}=\""))?;
            rest.split('"').next()
        };
        let labels = [
            "reporter",
            "source_workload",
            "destination_workload",
            "response_code",
        ];
        let edge = labels.map(|name| label(name).unwrap_or("unknown")).join(" ");
        let (_, value) = line.rsplit_once(' ').context("a line without a value")?;
        *edges.entry(edge).or_default() += value.parse::<u64>()?;
    }
    Ok(edges)
}
