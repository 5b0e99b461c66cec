//! The analysis without transport, in one thread: from a message's bytes to counted observations.

use std::net::Ipv4Addr;
use std::sync::Arc;

use als_proto::{Entry, Message};
use alscope_analysis::aggregate::registry::Registry;
use alscope_analysis::chain::{Analyzer, Chain};
use alscope_analysis::directory::Directory;
use alscope_analysis::directory::records::{ObjectKey, ObjectKind, Record};
use alscope_analysis::directory::state::DirectoryState;
use alscope_analysis::moment::Moment;
use alscope_analysis::node::Node;
use alscope_analysis::shard::{AnalysisSettings, MessageProgress, Shard};
use anyhow::Context as _;

use crate::mesh::{Pod, Workload, rolling};
use crate::objects::uid;
use crate::records::{pod_record, state};
use crate::shape::Shape;
use crate::streams::{self, Framed, Load};

/// A worker's shard with a directory and everything that its streams send.
#[derive(Debug)]
pub struct Analysis {
    state: DirectoryState,
    directory: Directory,
    rolled: u16,
    rolling: Workload,
    shard: Shard,
    streams: Vec<Sent>,
    received: Moment,
}

#[derive(Debug)]
struct Sent {
    node: Node,
    messages: Vec<Framed>,
}

impl Analysis {
    /// Nothing is known yet: see [`Analysis::learn`].
    pub fn of(
        mesh: &[Workload],
        load: Load,
        streams: &[Arc<streams::Stream>],
        received: Moment,
    ) -> anyhow::Result<Self> {
        let registry = Arc::new(Registry::default());
        let sent = |of: &Arc<streams::Stream>| {
            let message = Message::read(of.first.message())?;
            let identifier = message.identifier()?;
            let identifier = identifier.context("a stream does not say whose it is")?;
            anyhow::Ok(Sent {
                node: Node::identify(&identifier, &registry)?,
                messages: of.rest.clone(),
            })
        };
        let analyzer = match load.shape {
            Shape::Short | Shape::Sidecar => Analyzer::K8sMesh,
            Shape::TwoPeers => Analyzer::MxMesh,
        };
        let settings = AnalysisSettings {
            http: Chain::new([analyzer]),
            ..AnalysisSettings::default()
        };
        let mut analysis = Analysis {
            state: state(mesh),
            directory: Directory::default(),
            rolled: 0,
            rolling: rolling(load.traffic.size),
            streams: streams.iter().map(sent).collect::<Result<_, _>>()?,
            shard: Shard::new(settings, registry.clone()),
            received,
        };
        analysis.roll();
        Ok(analysis)
    }

    /// A pod that is part of no call is replaced: publishes the directory with a new pod at a new address.
    pub fn roll(&mut self) {
        let replaced = |rolled: u16| {
            let [high, low] = rolled.to_be_bytes();
            Pod {
                name: format!("{}-{rolled:04x}x", self.rolling.replica_set()),
                address: Ipv4Addr::new(10, 200, high, low),
            }
        };
        let gone = ObjectKey {
            kind: ObjectKind::Pod,
            id: uid(&replaced(self.rolled)),
        };
        let new = replaced(self.rolled.wrapping_add(1));
        let record = pod_record(&self.rolling, &new, new.address.into());
        self.rolled = self.rolled.wrapping_add(1);
        self.state.delete(&gone, self.received);
        self.state.apply(Record::Pod(record), self.received);
        if let Some(directory) = self.state.publish() {
            self.directory = directory;
        }
    }

    /// Reads and counts each message for the first time, so that then all series and identities are known; answers of how many entries
    /// both parties were found. Not inlined, so that a profiler finds it.
    #[inline(never)]
    pub fn learn(&mut self) -> u64 {
        self.count();
        self.take_attributed()
    }

    /// Reads and counts each message of each stream, in turn as connections deliver them; answers how many entries. Not inlined, so
    /// that a profiler finds it.
    #[inline(never)]
    pub fn count_each_message(&mut self) -> u64 {
        self.count()
    }

    fn count(&mut self) -> u64 {
        let Analysis {
            directory,
            shard,
            streams,
            received,
            ..
        } = self;
        let mut entries = 0;
        for (node, framed) in in_turn(streams) {
            let Ok(message) = Message::read(framed.message()) else {
                continue;
            };
            let mut progress = MessageProgress::new(message.entries(), *received);
            shard.read_entries(directory, node, &mut progress, usize::MAX);
            entries += progress.entries_read() as u64;
        }
        entries
    }

    /// Reads each message of each stream, every entry and every field that rules ask for, and counts nothing; answers how many
    /// entries. Not inlined, so that a profiler finds it.
    #[inline(never)]
    pub fn read_each_message(&mut self) -> u64 {
        let mut entries = 0;
        for (_, framed) in in_turn(&self.streams) {
            let Ok(message) = Message::read(framed.message()) else {
                continue;
            };
            for entry in message.entries() {
                entries += u64::from(std::hint::black_box(is_whole(entry.as_ref().ok())));
            }
        }
        entries
    }

    /// Entries of which both parties were found, since this was last called.
    pub fn take_attributed(&mut self) -> u64 {
        self.shard.take_accounting().attributed
    }

    /// Entries of one pass over all messages.
    pub fn entries(&self, load: Load) -> u64 {
        let messages: usize = self.streams.iter().map(|sent| sent.messages.len()).sum();
        (messages * load.entries) as u64
    }
}

/// The messages of all streams: the first of each, the second of each, …
fn in_turn<'a>(streams: &'a [Sent]) -> impl Iterator<Item = (&'a Node, &'a Framed)> {
    let most = streams.iter().map(|sent| sent.messages.len()).max().unwrap_or(0);
    (0..most).flat_map(move |place| {
        let of_stream = move |sent: &'a Sent| Some((&sent.node, sent.messages.get(place)?));
        streams.iter().filter_map(of_stream)
    })
}

/// Whether an entry has the addresses, times and certificates that can be read where they are.
fn is_whole(entry: Option<&Entry<'_>>) -> bool {
    let Some(Entry::Http(entry)) = entry else {
        return false;
    };
    let Some(common) = entry.common_properties() else {
        return false;
    };
    let addresses = [
        common.downstream_remote_address(),
        common.downstream_local_address(),
        common.upstream_remote_address(),
    ];
    addresses.iter().all(|address| matches!(address, Ok(Some(_))))
        && matches!(common.start_time(), Ok(Some(_)))
        && common.tls_properties().is_ok()
        && entry.request.is_some()
        && entry.response.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::{Size, mesh};
    use crate::streams::streams;
    use crate::traffic::Traffic;

    #[test]
    fn both_parties_of_every_entry_are_found_whatever_its_shape() {
        let size = Size {
            workloads: 20,
            replicas: 3,
        };
        let traffic = Traffic {
            size,
            called: 2,
            callers: 5,
        };
        let mesh = mesh(size);
        for shape in Shape::ALL {
            let load = Load {
                traffic,
                shape,
                entries: shape.entries(),
            };
            let streams: Vec<_> = streams(&mesh, load, 100)
                .unwrap()
                .into_iter()
                .map(Arc::new)
                .collect();
            let mut analysis =
                Analysis::of(&mesh, load, &streams, Moment(1_795_352_400_000_000_000)).unwrap();
            let entries = analysis.entries(load);
            assert_eq!(analysis.learn(), entries, "{shape}");
            analysis.roll();
            let counted = analysis.count_each_message();
            assert_eq!(
                (counted, analysis.take_attributed()),
                (entries, entries),
                "{shape}"
            );
            assert_eq!(analysis.read_each_message(), entries, "{shape}");
        }
    }
}
