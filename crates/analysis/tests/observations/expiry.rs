//! What is idle goes: every bound recovers by itself, nothing that was counted is lost or counted elsewhere.

mod interleavings;
mod month;
mod recovery;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use als_proto::Message;
use als_proto::messages::envoy::data::accesslog::v3::{AccessLogCommon, HttpAccessLogEntry};
use als_proto::messages::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use alscope_analysis::aggregate::expiry::Expiry;
use alscope_analysis::aggregate::registry::{Registry, RegistryBounds, RegistrySizes};
use alscope_analysis::aggregate::totals::{Snapshot, Totals};
use alscope_analysis::chain::{Analyzer, Chain};
use alscope_analysis::directory::Directory;
use alscope_analysis::node::Node;
use alscope_analysis::reporter::Reporter;
use alscope_analysis::shard::{AnalysisSettings, MessageProgress, Shard};
use prost::Message as _;

use crate::entry::*;
use crate::mesh::*;
use crate::peers::peer;

/// Seconds after which what is idle goes.
const IDLE: i64 = 3600;

/// Workers, and the control task that drains them.
struct Collector {
    directory: Directory,
    registry: Arc<Registry>,
    shards: Vec<Shard>,
    totals: Totals,
    expiry: Expiry,
    node: Node,
    /// The second of the last pass.
    now: i64,
}

impl Collector {
    fn new(workers: usize, bounds: RegistryBounds) -> Self {
        let registry = Arc::new(Registry::new(bounds));
        let chain = Chain::new([Analyzer::MxMesh, Analyzer::K8sMesh]);
        let settings = AnalysisSettings {
            http: chain,
            tcp: chain,
            ..AnalysisSettings::default()
        };
        let shards: Vec<Shard> = (0..workers)
            .map(|_| Shard::new(settings, registry.clone()))
            .collect();
        let message = StreamAccessLogsMessage {
            identifier: Some(identifier_of(PRODUCTPAGE_NODE, "productpage")),
            log_entries: None,
        };
        let bytes = message.encode_to_vec();
        let identifier = Message::read(&bytes).unwrap().identifier().unwrap().unwrap();
        Collector {
            directory: directory(),
            node: shards[0].read_node(&identifier).unwrap(),
            registry,
            shards,
            totals: Totals::new(at(0)),
            expiry: Expiry::new(Duration::from_secs(IDLE.unsigned_abs()), at(0)),
            now: 0,
        }
    }

    /// A worker takes entries.
    fn take(&mut self, worker: usize, entries: impl IntoIterator<Item = HttpAccessLogEntry>) {
        let message = StreamAccessLogsMessage {
            identifier: None,
            log_entries: Some(http(entries)),
        };
        let bytes = message.encode_to_vec();
        let mut progress = MessageProgress::new(Message::read(&bytes).unwrap().entries(), at(self.now));
        while self.shards[worker].read_entries(&self.directory, &self.node, &mut progress, 7) {}
    }

    /// One pass of the control task; `between` runs whenever a shard is given back.
    fn pass_with(&mut self, now: i64, mut between: impl FnMut(&mut Collector)) -> Snapshot {
        self.now = now;
        let pass = self.expiry.begin(&self.registry, at(now));
        for place in 0..self.shards.len() {
            between(self);
            while self.shards[place].drain_into(&mut self.totals, 2, at(now)) {
                between(self);
            }
        }
        between(self);
        if let Some(pass) = pass {
            pass.end(&mut self.totals, &self.registry);
        }
        let snapshot = self.totals.publish(at(now));
        assert_eq!(snapshot.accounting.broken_law(), None);
        snapshot
    }

    fn pass(&mut self, now: i64) -> Snapshot {
        self.pass_with(now, |_| ())
    }

    fn sizes(&self) -> RegistrySizes {
        self.registry.sizes()
    }
}

/// A request to a workload that answers with a code.
fn to(workload: &str, code: u32) -> HttpAccessLogEntry {
    let mut common: AccessLogCommon = outbound();
    common
        .filter_state_objects
        .insert("upstream_peer".to_owned(), peer(workload));
    request(common, Some(code))
}

/// Requests by called workload and code.
type Counts = BTreeMap<(String, String), u64>;

/// Requests of every series. No set of labels is there twice.
fn requests(snapshot: &Snapshot) -> Counts {
    let mut counts = Counts::new();
    for (_, labels, counted) in snapshot.http.iter() {
        let labels = Labels::of(&labels.values);
        let key = (
            labels.get("destination_workload").to_owned(),
            labels.get("response_code").to_owned(),
        );
        let before = counts.insert(key.clone(), counted.requests);
        assert_eq!(before, None, "{key:?} is there twice");
    }
    counts
}

/// Observations of a snapshot, by its series and what expired, and as they were accounted for.
fn observations(snapshot: &Snapshot) -> [u64; 2] {
    let in_series: u64 = snapshot.http.iter().map(|(_, _, counts)| counts.requests).sum();
    let accounted = Reporter::ALL
        .iter()
        .map(|reporter| snapshot.accounting.observations(*reporter));
    [in_series + snapshot.expired.observations, accounted.sum()]
}

/// The same of the evidence.
fn in_evidence(snapshot: &Snapshot) -> u64 {
    let rows: u64 = snapshot.evidence.rows().iter().map(|row| row.observations).sum();
    rows + snapshot.evidence.overflowed + snapshot.evidence.expired
}
