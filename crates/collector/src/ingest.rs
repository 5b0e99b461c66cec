//! What a worker does with a message: decode, identify, analyze and count it in the worker's own shard, inline.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use als_proto::Message;
use alscope_analysis::accounting::Rejected;
use alscope_analysis::directory::Directory;
use alscope_analysis::shard::{Progress, Shard};
use alscope_analysis::stream::Stream;
use arc_swap::ArcSwap;

use crate::clock;
use crate::receive::Handler;
use crate::receive::method::Method;

/// Entries that are counted before other streams of the worker get their turn.
const TURN: usize = 512;

/// One worker's shard with the directory that all workers share.
#[derive(Clone, Debug)]
pub struct Ingest {
    shard: Arc<Mutex<Shard>>,
    directory: Arc<ArcSwap<Directory>>,
}

impl Ingest {
    /// The handler of one worker.
    pub fn new(shard: Arc<Mutex<Shard>>, directory: Arc<ArcSwap<Directory>>) -> Self {
        Ingest { shard, directory }
    }

    /// Held for a turn, never across an await. Only the control task's drain contends for it, once a second.
    fn shard(&self) -> MutexGuard<'_, Shard> {
        self.shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the node that the message names. Envoy names its own once, in the stream's first message; on a Satellite's
    /// stream each identifier begins another one's entries.
    fn identify(&self, stream: &mut AccessLogs, message: &Message<'_>) -> Result<(), als_proto::Malformed> {
        if (stream.node.is_none() || stream.method == Method::SatelliteAccessLogs)
            && let Some(identifier) = message.identifier()?
        {
            let registry = self.shard().registry().clone();
            stream.node = Some(Stream::identify(&identifier, &registry)?);
        }
        Ok(())
    }
}

/// What is kept of a stream of access logs.
#[derive(Debug)]
pub struct AccessLogs {
    method: Method,
    node: Option<Stream>,
}

impl AccessLogs {
    /// After a message that could not be read: it may have named the node that the next entries are of.
    fn forget_node(&mut self) {
        match self.method {
            Method::SatelliteAccessLogs => self.node = None,
            Method::AccessLogs | Method::Metrics => {}
        }
    }
}

impl Handler for Ingest {
    type Stream = AccessLogs;

    fn begin(&self, method: Method) -> Option<AccessLogs> {
        match method {
            Method::AccessLogs | Method::SatelliteAccessLogs => Some(AccessLogs { method, node: None }),
            Method::Metrics => None,
        }
    }

    async fn message(&self, stream: &mut AccessLogs, message: &[u8]) {
        let Ok(message) = Message::read(message) else {
            return self.reject(stream, Rejected::MalformedMessage);
        };
        if self.identify(stream, &message).is_err() {
            return self.reject(stream, Rejected::MalformedMessage);
        }
        let Some(node) = &stream.node else {
            return self.shard().reject_entries(message.entries());
        };
        let mut progress = Progress::new(message.entries(), clock::now());
        loop {
            // The newest directory for each turn: a guard is not kept across an await.
            let more = self
                .shard()
                .entries(&self.directory.load(), node, &mut progress, TURN);
            if !more {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    fn reject(&self, stream: &mut AccessLogs, reason: Rejected) {
        stream.forget_node();
        self.shard().reject_message(reason);
    }
}
