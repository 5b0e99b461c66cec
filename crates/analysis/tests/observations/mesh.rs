//! A small mesh, and what a shard counted of it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use als_proto::Message;
use als_proto::messages::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use als_proto::messages::envoy::service::accesslog::v3::stream_access_logs_message::Identifier;
use alscope_analysis::accounting::Accounting;
use alscope_analysis::aggregate::labels::LABEL_NAMES;
use alscope_analysis::aggregate::registry::{Registry, RegistryBounds};
use alscope_analysis::aggregate::series::{HttpCounts, TcpCounts};
use alscope_analysis::aggregate::totals::{Snapshot, Totals};
use alscope_analysis::chain::{Analyzer, Chain};
use alscope_analysis::directory::records::{
    Controller, EndpointSliceRecord, NodeRecord, PodRecord, Record, ServiceRecord,
};
use alscope_analysis::directory::state::DirectoryState;
use alscope_analysis::directory::{Directory, Port};
use alscope_analysis::moment::Moment;
use alscope_analysis::port_protocol::PortProtocol;
use alscope_analysis::shard::{AnalysisSettings, MessageProgress, Shard};
use prost::Message as _;

use crate::entry::{Logs, identifier};

pub(crate) const PRODUCTPAGE: &str = "10.0.0.1";
pub(crate) const REVIEWS: &str = "10.0.0.2";
pub(crate) const GATEWAY: &str = "10.0.0.3";
pub(crate) const NODE: &str = "10.0.0.100";
/// The cluster address of the Service `reviews`.
pub(crate) const REVIEWS_SERVICE: &str = "10.96.0.2";

/// When every pod started.
pub(crate) const STARTED: i64 = 1_000;
/// When calls start unless a test says otherwise.
pub(crate) const NOW: i64 = 2_000;

pub(crate) fn at(seconds: i64) -> Moment {
    Moment(seconds * 1_000_000_000)
}

pub(crate) fn pod(workload: &str, address: &str) -> PodRecord {
    let labels = [
        ("app", workload),
        ("version", "v1"),
        ("pod-template-hash", "7d9f"),
    ];
    PodRecord {
        name: format!("{workload}-7d9f-x"),
        namespace: "demo".into(),
        uid: format!("uid-{workload}"),
        labels: labels
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect(),
        annotations: [].into(),
        controller: Some(Controller {
            kind: "ReplicaSet".into(),
            name: format!("{workload}-7d9f"),
        }),
        is_generated: true,
        addresses: vec![address.parse().unwrap()],
        host_network: false,
        ports: vec![],
        started: Some(at(STARTED)),
        finished: None,
        ..PodRecord::default()
    }
}

/// A port that declares nothing.
pub(crate) fn port(number: u16) -> Port {
    Port {
        number,
        protocol: PortProtocol::Undeclared,
    }
}

/// The directory of [`state`] and `records`.
pub(crate) fn directory_with(records: impl IntoIterator<Item = Record>) -> Directory {
    let mut state = state();
    for record in records {
        state.apply(record, at(STARTED));
    }
    state.publish().unwrap()
}

pub(crate) fn state() -> DirectoryState {
    in_mesh(DirectoryState::default())
}

/// The Service of reviews.
pub(crate) fn service_of_reviews() -> ServiceRecord {
    ServiceRecord {
        name: "reviews".into(),
        namespace: "demo".into(),
        labels: [].into(),
        annotations: [].into(),
        selector: None,
        addresses: vec![REVIEWS_SERVICE.parse().unwrap()],
        ports: vec![port(9080)],
        created: at(STARTED),
    }
}

/// The slice of the Service of reviews.
pub(crate) fn slice_of_reviews() -> EndpointSliceRecord {
    EndpointSliceRecord {
        name: "reviews-abc".into(),
        namespace: "demo".into(),
        service: "reviews".into(),
        ports: vec![port(9080)],
        pods: vec!["uid-reviews".into()],
        addresses: vec![],
        created: at(STARTED),
    }
}

/// The mesh's objects in a state without any.
pub(crate) fn in_mesh(mut state: DirectoryState) -> DirectoryState {
    for (workload, address) in [
        ("productpage", PRODUCTPAGE),
        ("reviews", REVIEWS),
        ("gateway", GATEWAY),
    ] {
        state.apply(Record::Pod(pod(workload, address)), at(STARTED));
    }
    state.apply(Record::Service(service_of_reviews()), at(STARTED));
    state.apply(Record::EndpointSlice(slice_of_reviews()), at(STARTED));
    let node = NodeRecord {
        name: "node0".into(),
        addresses: vec![NODE.parse().unwrap()],
    };
    state.apply(Record::Node(node), at(STARTED));
    state
}

pub(crate) fn directory() -> Directory {
    state().publish().unwrap()
}

/// A shard that takes messages of the mesh.
pub(crate) struct Mesh {
    pub(crate) directory: Directory,
    pub(crate) shard: Shard,
    totals: Totals,
}

impl Mesh {
    pub(crate) fn new() -> Self {
        Mesh::with(AnalysisSettings::default(), RegistryBounds::default())
    }

    /// A mesh whose HTTP and TCP entries are analyzed by `chain`.
    pub(crate) fn analyzed_by(chain: &[Analyzer]) -> Self {
        let chain = Chain::new(chain.iter().copied());
        let settings = AnalysisSettings {
            http: chain,
            tcp: chain,
            ..AnalysisSettings::default()
        };
        Mesh::with(settings, RegistryBounds::default())
    }

    pub(crate) fn with(settings: AnalysisSettings, bounds: RegistryBounds) -> Self {
        let shard = Shard::new(settings, Arc::new(Registry::new(bounds)));
        Mesh {
            directory: directory(),
            shard,
            totals: Totals::new(at(0)),
        }
    }

    /// Takes a message with its identifier.
    pub(crate) fn take(&mut self, node_id: &str, logs: Logs) {
        self.take_from(identifier(node_id), logs);
    }

    /// Takes a message with this identifier.
    pub(crate) fn take_from(&mut self, identifier: Identifier, logs: Logs) {
        let message = StreamAccessLogsMessage {
            identifier: Some(identifier),
            log_entries: Some(logs),
        };
        self.take_bytes(&message.encode_to_vec());
    }

    /// Takes a message that is received at this second.
    pub(crate) fn take_at(&mut self, node_id: &str, logs: Logs, received: i64) {
        let message = StreamAccessLogsMessage {
            identifier: Some(identifier(node_id)),
            log_entries: Some(logs),
        };
        self.take_bytes_at(&message.encode_to_vec(), received);
    }

    /// Takes a message's bytes.
    pub(crate) fn take_bytes(&mut self, bytes: &[u8]) {
        self.take_bytes_at(bytes, NOW);
    }

    fn take_bytes_at(&mut self, bytes: &[u8], received: i64) {
        let message = Message::read(bytes).unwrap();
        let identifier = message.identifier().unwrap().unwrap();
        let node = self.shard.read_node(&identifier).unwrap();
        let mut progress = MessageProgress::new(message.entries(), at(received));
        while self.shard.read_entries(&self.directory, &node, &mut progress, 3) {}
    }

    /// What was counted so far.
    pub(crate) fn snapshot(&mut self) -> Snapshot {
        while self.shard.drain_into(&mut self.totals, 2, at(NOW)) {}
        let snapshot = self.totals.publish(at(NOW));
        assert_eq!(snapshot.accounting.broken_law(), None);
        snapshot
    }

    /// What became of the entries so far.
    pub(crate) fn accounting(&mut self) -> Accounting {
        self.snapshot().accounting
    }

    /// The HTTP series with their labels.
    pub(crate) fn http(&mut self) -> Vec<(Labels, HttpCounts)> {
        let snapshot = self.snapshot();
        let counted = snapshot.http.iter().filter(|(_, _, counts)| counts.requests > 0);
        counted
            .map(|(_, labels, counts)| (Labels::of(&labels.values), counts.clone()))
            .collect()
    }

    /// The TCP series with their labels.
    pub(crate) fn tcp(&mut self) -> Vec<(Labels, TcpCounts)> {
        let snapshot = self.snapshot();
        let counted = snapshot
            .tcp
            .iter()
            .filter(|(_, _, counts)| counts.connections > 0);
        counted
            .map(|(_, labels, counts)| (Labels::of(&labels.values), counts.clone()))
            .collect()
    }

    /// The edges of all series, sorted.
    pub(crate) fn edges(&mut self) -> Vec<String> {
        let http = self.http().into_iter().map(|(labels, _)| labels.edge());
        let tcp = self.tcp().into_iter().map(|(labels, _)| labels.edge());
        let mut edges: Vec<String> = http.chain(tcp).collect();
        edges.sort();
        edges
    }

    /// The labels of the only HTTP series.
    pub(crate) fn only_http(&mut self) -> Labels {
        let mut series = self.http();
        assert_eq!(series.len(), 1, "{series:#?}");
        series.remove(0).0
    }
}

/// A series' labels by name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Labels(HashMap<&'static str, String>);

impl Labels {
    pub(crate) fn of(values: &[Arc<str>; 25]) -> Self {
        Labels(
            LABEL_NAMES
                .into_iter()
                .zip(values.iter().map(ToString::to_string))
                .collect(),
        )
    }

    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.get(name).unwrap()
    }

    /// `reporter: source -> destination`.
    pub(crate) fn edge(&self) -> String {
        let [reporter, source, destination] =
            ["reporter", "source_workload", "destination_workload"].map(|name| self.get(name));
        format!("{reporter}: {source} -> {destination}")
    }

    /// All labels, sorted by name.
    pub(crate) fn all(&self) -> BTreeMap<&str, &str> {
        self.0
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect()
    }
}
