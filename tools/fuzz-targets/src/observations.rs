//! Messages through a worker's shard.

use std::cell::RefCell;
use std::sync::Arc;

use als_proto::Message;
use als_proto::messages::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use als_proto::messages::envoy::service::accesslog::v3::stream_access_logs_message::LogEntries;
use alscope_analysis::accounting::{Accounting, Rejected};
use alscope_analysis::aggregate::ids::SeriesId;
use alscope_analysis::aggregate::registry::Registry;
use alscope_analysis::aggregate::series::{HttpCounts, TcpCounts};
use alscope_analysis::chain::{Analyzer, Chain};
use alscope_analysis::directory::records::{
    EndpointSliceRecord, NodeRecord, PodRecord, Record, ServiceRecord,
};
use alscope_analysis::directory::state::DirectoryState;
use alscope_analysis::directory::{Directory, Port};
use alscope_analysis::moment::Moment;
use alscope_analysis::node::Node;
use alscope_analysis::port_protocol::PortProtocol;
use alscope_analysis::reporter::Reporter;
use alscope_analysis::shard::{AnalysisSettings, MessageProgress, Shard};
use prost::Message as _;

/// When the mesh's pods started, and when the messages are received: the times of the seeds.
const STARTED: Moment = Moment(1_000_000_000_000);
const NOW: Moment = Moment(2_000_000_000_000);

thread_local! {
    static MESH: RefCell<Mesh> = RefCell::new(Mesh::new());
}

/// Bytes as a proxy's first message to a worker that knows a small mesh: every entry is accounted for once, the series add up
/// to the observations, and identities that are remembered count as those that are looked up.
pub fn observations(bytes: &[u8]) {
    let Ok(message) = Message::read(bytes) else { return };
    MESH.with_borrow_mut(|mesh| {
        let Ok(Some(identifier)) = message.identifier() else {
            return;
        };
        let Ok(stream) = Node::identify(&identifier, mesh.shard.registry()) else {
            return;
        };
        mesh.forget();
        let looked_up = mesh.count(&message, &stream, usize::MAX);
        looked_up.check();
        assert_eq!(mesh.count(&message, &stream, 1), looked_up);
        if let Ok(expected) = StreamAccessLogsMessage::decode(bytes) {
            let entries = match expected.log_entries {
                Some(LogEntries::HttpLogs(list)) => list.log_entry.len(),
                Some(LogEntries::TcpLogs(list)) => list.log_entry.len(),
                None => 0,
            };
            assert_eq!(looked_up.accounting.received, entries as u64);
            for reason in [Rejected::MalformedMessage, Rejected::MalformedEntry] {
                assert_eq!(looked_up.accounting.messages_rejected(reason), 0);
                assert_eq!(looked_up.accounting.rejected(reason), 0, "{reason:?}");
            }
        }
    });
}

/// One worker, and the directory of a mesh of two pods behind a gateway.
struct Mesh {
    directory: Directory,
    settings: AnalysisSettings,
    shard: Shard,
}

/// What a message came to.
#[derive(Debug, PartialEq)]
struct Counted {
    accounting: Accounting,
    http: Vec<(SeriesId, HttpCounts)>,
    tcp: Vec<(SeriesId, TcpCounts)>,
}

impl Mesh {
    fn new() -> Self {
        let chain = Chain::new([Analyzer::K8sMesh, Analyzer::MxMesh]);
        let settings = AnalysisSettings {
            http: chain,
            tcp: chain,
            ..AnalysisSettings::default()
        };
        let mut state = DirectoryState::default();
        for record in records() {
            state.apply(record, STARTED);
        }
        Mesh {
            directory: state.publish().expect("the mesh has pods"),
            settings,
            shard: Shard::new(settings, Arc::new(Registry::default())),
        }
    }

    /// A new worker remembers nothing.
    fn forget(&mut self) {
        self.shard = Shard::new(self.settings, self.shard.registry().clone());
    }

    /// Counts the message's entries, `limit` at a time.
    fn count(&mut self, message: &Message<'_>, stream: &Node, limit: usize) -> Counted {
        let shard = &mut self.shard;
        let mut progress = MessageProgress::new(message.entries(), NOW);
        while shard.read_entries(&self.directory, stream, &mut progress, limit) {}
        let (mut http, mut tcp) = (Vec::new(), Vec::new());
        shard.begin_drain();
        shard
            .counts
            .http
            .drain(usize::MAX, |id, counts| http.push((id, counts.clone())));
        shard
            .counts
            .tcp
            .drain(usize::MAX, |id, counts| tcp.push((id, counts.clone())));
        shard.counts.evidence.drain(usize::MAX, |_, _| ());
        http.sort_by_key(|(id, _)| id.slot());
        tcp.sort_by_key(|(id, _)| id.slot());
        Counted {
            accounting: shard.take_accounting(),
            http,
            tcp,
        }
    }
}

impl Counted {
    fn check(&self) {
        assert_eq!(self.accounting.broken_law(), None);
        let http: u64 = self.http.iter().map(|(_, counts)| counts.requests).sum();
        let tcp: u64 = self.tcp.iter().map(|(_, counts)| counts.connections).sum();
        let observations = Reporter::ALL
            .iter()
            .map(|reporter| self.accounting.observations(*reporter));
        assert_eq!(http + tcp, observations.sum::<u64>());
        for (_, counts) in &self.http {
            assert_eq!(counts.duration.count(), counts.requests);
            assert_eq!(counts.request_bytes.count(), counts.requests);
            assert_eq!(counts.response_bytes.count(), counts.requests);
        }
    }
}

fn records() -> Vec<Record> {
    let pod = |workload: &str, address: [u8; 4]| {
        Record::Pod(PodRecord {
            name: format!("{workload}-7d9f-x"),
            namespace: "demo".into(),
            uid: format!("uid-{workload}"),
            labels: [("app".into(), workload.into())].into(),
            annotations: [].into(),
            controller: None,
            addresses: vec![address.into()],
            host_network: false,
            ports: vec![],
            started: Some(STARTED),
            finished: None,
            ..PodRecord::default()
        })
    };
    let ports = vec![Port {
        number: 9080,
        protocol: PortProtocol::Undeclared,
    }];
    vec![
        pod("productpage", [10, 0, 0, 1]),
        pod("reviews", [10, 0, 0, 2]),
        pod("gateway", [10, 0, 0, 3]),
        Record::Service(ServiceRecord {
            name: "reviews".into(),
            namespace: "demo".into(),
            labels: [].into(),
            annotations: [].into(),
            selector: None,
            addresses: vec![[10, 96, 0, 2].into()],
            ports: ports.clone(),
            created: STARTED,
        }),
        Record::EndpointSlice(EndpointSliceRecord {
            name: "reviews-abc".into(),
            namespace: "demo".into(),
            service: "reviews".into(),
            ports,
            pods: vec!["uid-reviews".into()],
            addresses: vec![],
            created: STARTED,
        }),
        Record::Node(NodeRecord {
            name: "node0".into(),
            addresses: vec![[10, 0, 0, 100].into()],
        }),
    ]
}
