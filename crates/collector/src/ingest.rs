//! Takes a worker's messages: it decodes and identifies each entry, analyzes it, and counts it in the
//! worker's own shard, all in plain calls. Messages of Envoy's metrics go to the values of their proxy.

use std::sync::Arc;

use als_proto::{Malformed, Message, MetricsMessage};
use alscope_analysis::accounting::Rejected;
use alscope_analysis::directory::Directory;
use alscope_analysis::moment::Moment;
use alscope_analysis::node::Node;
use alscope_analysis::shard::{MessageProgress, Shard};
use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::clock;
use crate::envoy_metrics::{Proxies, Proxy};
use crate::export::exporters::Queues;
use crate::export::json_lines::BATCH_BYTES;
use crate::receive::Handler;
use crate::receive::method::Method;

/// How many entries are counted before the worker's other streams get their turn.
const ENTRIES_PER_TURN: usize = 512;

/// One worker's shard, and what all workers share.
#[derive(Clone, Debug)]
pub struct Ingest {
    /// The worker's own shard. It is locked for one turn, never across an await. Only the control task
    /// contends for it, once a second.
    pub shard: Arc<Mutex<Shard>>,
    /// The latest published version of the directory.
    pub directory: Arc<ArcSwap<Directory>>,
    /// The proxies that send, and the metrics that they report about themselves.
    pub proxies: Arc<Proxies>,
    /// Whether metrics are taken (SkyWalking's setting `acceptMetricsService`).
    pub accept_metrics_service: bool,
    /// The queues that kept entries go to.
    pub exporters: Queues,
}

/// The state of one stream.
#[derive(Debug)]
pub enum StreamState {
    /// A stream of access logs.
    AccessLogs(AccessLogStream),
    /// A stream of metrics, with the proxy once it has named its node.
    Metrics(Option<Arc<Proxy>>),
}

/// The state of a stream of access logs.
#[derive(Debug)]
pub struct AccessLogStream {
    identifiers: Identifiers,
    /// The proxy whose entries come next. `None` before the stream has named a node.
    proxy: Option<Box<IdentifiedProxy>>,
}

/// Which messages of an access-log stream may name a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Identifiers {
    /// Only the first one, because the stream belongs to one Envoy.
    First,
    /// Any message. Each node begins the entries of another Envoy.
    Any,
}

/// A proxy that has named its node.
#[derive(Debug)]
struct IdentifiedProxy {
    node: Node,
    counts: Arc<Proxy>,
}

impl Ingest {
    /// Remembers the node that the message names, if it may name one.
    fn identify(
        &self,
        logs: &mut AccessLogStream,
        message: &Message<'_>,
        received: Moment,
    ) -> Result<(), Malformed> {
        if (logs.proxy.is_none() || logs.identifiers == Identifiers::Any)
            && let Some(identifier) = message.identifier()?
        {
            logs.proxy = Some(Box::new(IdentifiedProxy {
                node: self.shard.lock().read_node(&identifier)?,
                counts: self.proxies.proxy(&identifier, received)?,
            }));
        }
        Ok(())
    }

    async fn access_logs(
        &self,
        logs: &mut AccessLogStream,
        message: &[u8],
        received: Moment,
    ) -> Result<(), Malformed> {
        let message = Message::read(message)?;
        self.identify(logs, &message, received)?;
        let Some(proxy) = &logs.proxy else {
            self.shard.lock().reject_entries(message.entries());
            return Ok(());
        };
        let mut progress = MessageProgress::new(message.entries(), received);
        loop {
            let before = progress.entries_read();
            // Each turn takes the newest directory, because an `ArcSwap` guard must not be held across an
            // await.
            let (more, batches) = {
                let mut shard = self.shard.lock();
                let more = shard.read_entries(
                    &self.directory.load(),
                    &proxy.node,
                    &mut progress,
                    ENTRIES_PER_TURN,
                );
                (more, shard.take_batches(BATCH_BYTES))
            };
            self.exporters.offer(batches);
            proxy.counts.add_received(progress.entries_read() - before);
            if !more {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    }

    fn metrics(&self, proxy: &mut Option<Arc<Proxy>>, message: &[u8], now: Moment) -> Result<(), Malformed> {
        let message = MetricsMessage::read(message)?;
        if proxy.is_none()
            && let Some(identifier) = message.identifier()?
        {
            *proxy = Some(self.proxies.proxy(&identifier, now)?);
        }
        // Metrics that come before their stream has named a node belong to no proxy.
        let proxy = proxy.as_ref().ok_or(Malformed)?;
        self.proxies.report(proxy, &message, now)
    }
}

impl Ingest {
    /// Takes one message that came in at `received`.
    pub async fn message_at(&self, stream: &mut StreamState, message: &[u8], received: Moment) {
        let read = match stream {
            StreamState::AccessLogs(logs) => self.access_logs(logs, message, received).await,
            StreamState::Metrics(proxy) => self.metrics(proxy, message, received),
        };
        if read.is_err() {
            self.reject(stream, Rejected::MalformedMessage);
        }
    }
}

impl Handler for Ingest {
    type Stream = StreamState;

    fn begin(&self, method: Method) -> Option<StreamState> {
        let access_logs = |identifiers| {
            StreamState::AccessLogs(AccessLogStream {
                identifiers,
                proxy: None,
            })
        };
        match method {
            Method::AccessLogs => Some(access_logs(Identifiers::First)),
            Method::SatelliteAccessLogs => Some(access_logs(Identifiers::Any)),
            Method::Metrics => self.accept_metrics_service.then_some(StreamState::Metrics(None)),
        }
    }

    async fn message(&self, stream: &mut StreamState, message: &[u8]) {
        self.message_at(stream, message, clock::now()).await;
    }

    fn reject(&self, stream: &mut StreamState, reason: Rejected) {
        // A message that is refused may still have named the node of the entries that follow it.
        if let StreamState::AccessLogs(AccessLogStream {
            identifiers: Identifiers::Any,
            proxy,
        }) = stream
        {
            *proxy = None;
        }
        self.shard.lock().reject_message(reason);
    }
}
