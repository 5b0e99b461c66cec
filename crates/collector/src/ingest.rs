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

    /// The stream's node, from its first message's identifier; kept for the stream's life.
    fn identify(
        &self,
        stream: &mut Option<Stream>,
        message: &Message<'_>,
    ) -> Result<(), als_proto::Malformed> {
        if stream.is_none()
            && let Some(identifier) = message.identifier()?
        {
            let registry = self.shard().registry().clone();
            *stream = Some(Stream::identify(&identifier, &registry)?);
        }
        Ok(())
    }
}

impl Handler for Ingest {
    type Stream = Option<Stream>;

    async fn message(&self, stream: &mut Option<Stream>, message: &[u8]) {
        let Ok(message) = Message::read(message) else {
            return self.reject(Rejected::MalformedMessage);
        };
        if self.identify(stream, &message).is_err() {
            return self.reject(Rejected::MalformedMessage);
        }
        let Some(stream) = stream else {
            return self.shard().reject_entries(message.entries());
        };
        let mut progress = Progress::new(message.entries(), clock::now());
        loop {
            // The newest directory for each turn: a guard is not kept across an await.
            let more = self
                .shard()
                .entries(&self.directory.load(), stream, &mut progress, TURN);
            if !more {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    fn reject(&self, reason: Rejected) {
        self.shard().reject_message(reason);
    }
}
