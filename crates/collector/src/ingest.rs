//! What a worker does with a message: decode, identify, analyze and count it in the worker's own shard, inline. Messages of
//! metrics go to what is known of their proxy.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use als_proto::{Malformed, Message, MetricsMessage};
use alscope_analysis::accounting::Rejected;
use alscope_analysis::directory::Directory;
use alscope_analysis::moment::Moment;
use alscope_analysis::node::Node;
use alscope_analysis::shard::{MessageProgress, Shard};
use arc_swap::ArcSwap;

use crate::clock;
use crate::envoy_metrics::{Proxies, Proxy};
use crate::export::json_lines::BATCH_BYTES;
use crate::export::queue::Queue;
use crate::receive::Handler;
use crate::receive::method::Method;

/// Entries that are counted before other streams of the worker get their turn.
const TURN: usize = 512;

/// One worker's shard with what all workers share.
#[derive(Clone, Debug)]
pub struct Ingest {
    /// The worker's own.
    pub shard: Arc<Mutex<Shard>>,
    /// The published directory.
    pub directory: Arc<ArcSwap<Directory>>,
    /// Who sends, and what they report about themselves.
    pub proxies: Arc<Proxies>,
    /// Whether that is taken: SkyWalking's setting `acceptMetricsService`.
    pub accept_metrics_service: bool,
    /// Where kept entries go.
    pub kept: Option<Queue>,
}

/// What is kept of a stream.
#[derive(Debug)]
pub enum Incoming {
    /// Of access logs.
    AccessLogs(AccessLogs),
    /// Of metrics: the proxy, once it said who it is.
    Metrics(Option<Arc<Proxy>>),
}

/// What is kept of a stream of access logs.
#[derive(Debug)]
pub struct AccessLogs {
    identifiers: Identifiers,
    /// The proxy whose entries come next, once it is known.
    proxy: Option<Box<IdentifiedProxy>>,
}

/// Which messages of a stream of access logs name a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Identifiers {
    /// The first one: the stream is of one Envoy.
    First,
    /// Any: each begins another Envoy's entries.
    Any,
}

/// A proxy that has named its node.
#[derive(Debug)]
struct IdentifiedProxy {
    node: Node,
    counts: Arc<Proxy>,
}

impl Ingest {
    /// Held for a turn, never across an await. Only the control task's drain contends for it, once a second.
    fn shard(&self) -> MutexGuard<'_, Shard> {
        self.shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the node that the message names.
    fn identify(
        &self,
        logs: &mut AccessLogs,
        message: &Message<'_>,
        received: Moment,
    ) -> Result<(), Malformed> {
        if (logs.proxy.is_none() || logs.identifiers == Identifiers::Any)
            && let Some(identifier) = message.identifier()?
        {
            logs.proxy = Some(Box::new(IdentifiedProxy {
                node: self.shard().read_node(&identifier)?,
                counts: self.proxies.proxy(&identifier, received)?,
            }));
        }
        Ok(())
    }

    async fn access_logs(
        &self,
        logs: &mut AccessLogs,
        message: &[u8],
        received: Moment,
    ) -> Result<(), Malformed> {
        let message = Message::read(message)?;
        self.identify(logs, &message, received)?;
        let Some(proxy) = &logs.proxy else {
            self.shard().reject_entries(message.entries());
            return Ok(());
        };
        let mut progress = MessageProgress::new(message.entries(), received);
        loop {
            let before = progress.entries_read();
            // The newest directory for each turn: a guard is not kept across an await.
            let (more, batch) = {
                let mut shard = self.shard();
                let more = shard.read_entries(&self.directory.load(), &proxy.node, &mut progress, TURN);
                (more, shard.take_kept(BATCH_BYTES))
            };
            if let (Some(kept), Some(batch)) = (&self.kept, batch) {
                kept.offer(batch);
            }
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
        // Metrics before their stream said whose they are.
        let proxy = proxy.as_ref().ok_or(Malformed)?;
        self.proxies.report(proxy, &message, now)
    }
}

impl Ingest {
    /// Takes one message that was received at `received`.
    pub async fn message_at(&self, stream: &mut Incoming, message: &[u8], received: Moment) {
        let read = match stream {
            Incoming::AccessLogs(logs) => self.access_logs(logs, message, received).await,
            Incoming::Metrics(proxy) => self.metrics(proxy, message, received),
        };
        if read.is_err() {
            self.reject(stream, Rejected::MalformedMessage);
        }
    }
}

impl Handler for Ingest {
    type Stream = Incoming;

    fn begin(&self, method: Method) -> Option<Incoming> {
        let access_logs = |identifiers| {
            Incoming::AccessLogs(AccessLogs {
                identifiers,
                proxy: None,
            })
        };
        match method {
            Method::AccessLogs => Some(access_logs(Identifiers::First)),
            Method::SatelliteAccessLogs => Some(access_logs(Identifiers::Any)),
            Method::Metrics => self.accept_metrics_service.then_some(Incoming::Metrics(None)),
        }
    }

    async fn message(&self, stream: &mut Incoming, message: &[u8]) {
        self.message_at(stream, message, clock::now()).await;
    }

    fn reject(&self, stream: &mut Incoming, reason: Rejected) {
        // It may have named the node of the entries after it.
        if let Incoming::AccessLogs(AccessLogs {
            identifiers: Identifiers::Any,
            proxy,
        }) = stream
        {
            *proxy = None;
        }
        self.shard().reject_message(reason);
    }
}
