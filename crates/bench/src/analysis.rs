//! The analysis alone, in this process: from a message's bytes to counted observations, without a receiver around it.

use std::sync::Arc;
use std::time::Duration;

use als_proto::Message;
use alscope_analysis::aggregate::registry::Registry;
use alscope_analysis::directory::Directory;
use alscope_analysis::moment::Moment;
use alscope_analysis::shard::{Progress, Settings, Shard};
use alscope_analysis::stream::Stream;
use alscope_collector::clock;
use anyhow::{Context as _, ensure};
use rustix::time::{ClockId, clock_gettime};

use crate::cores;
use crate::streams::{self, Framed};

/// A worker's shard with a directory and everything that its streams send.
#[derive(Debug)]
pub(crate) struct Analysis<'a> {
    directory: &'a Directory,
    shard: Shard,
    streams: Vec<Sent>,
    received: Moment,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Sent {
    stream: Stream,
    messages: Vec<Framed>,
}

/// Entries per CPU second of a thread on `core` that analyzes the messages of all streams over and over, for about this long. Every
/// entry was observed, both parties found. Blocks.
pub(crate) fn measure(
    (directory, streams): (&Directory, &[Arc<streams::Stream>]),
    length: Duration,
    core: Option<usize>,
) -> anyhow::Result<f64> {
    let measured = std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if let Some(core) = core {
                cores::move_to(&[core])?;
            }
            Analysis::of(directory, streams)?.measure(length)
        });
        thread.join()
    });
    measured.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

impl<'a> Analysis<'a> {
    /// Has read and counted each message once, so that all series and identities are known.
    pub(crate) fn of(directory: &'a Directory, streams: &[Arc<streams::Stream>]) -> anyhow::Result<Self> {
        let registry = Arc::new(Registry::default());
        let sent = |of: &Arc<streams::Stream>| {
            let message = Message::read(of.first.message())?;
            let identifier = message.identifier()?;
            let identifier = identifier.context("a stream does not say whose it is")?;
            anyhow::Ok(Sent {
                stream: Stream::identify(&identifier, &registry)?,
                messages: of.rest.clone(),
            })
        };
        let mut analysis = Analysis {
            directory,
            streams: streams.iter().map(sent).collect::<Result<_, _>>()?,
            shard: Shard::new(Settings::default(), registry.clone()),
            received: clock::now(),
            buffer: Vec::new(),
        };
        analysis.each_message();
        Ok(analysis)
    }

    /// Reads and counts each message of each stream, in turn as connections deliver them; answers how many entries. Not inlined, so
    /// that a profiler finds it.
    #[inline(never)]
    pub(crate) fn each_message(&mut self) -> u64 {
        let Analysis {
            directory,
            shard,
            streams,
            received,
            buffer,
        } = self;
        let most = streams.iter().map(|sent| sent.messages.len()).max().unwrap_or(0);
        let mut entries = 0;
        for place in 0..most {
            for Sent { stream, messages } in &*streams {
                let Some(framed) = messages.get(place) else {
                    continue;
                };
                // As a receiver does that puts a message together: then its bytes are in the core's caches.
                buffer.clear();
                buffer.extend_from_slice(framed.message());
                let Ok(message) = Message::read(buffer) else {
                    continue;
                };
                let mut progress = Progress::new(message.entries(), *received);
                shard.entries(directory, stream, &mut progress, usize::MAX);
                entries += progress.entries_read() as u64;
            }
        }
        entries
    }

    fn measure(&mut self, length: Duration) -> anyhow::Result<f64> {
        let sent: usize = self.streams.iter().map(|sent| sent.messages.len()).sum();
        self.shard.take_accounting();
        let before = processor_time();
        let mut rounds = 0;
        let used = loop {
            self.each_message();
            rounds += 1;
            let used = processor_time().saturating_sub(before);
            if used >= length {
                break used;
            }
        };
        let entries = rounds * sent as u64 * streams::ENTRIES as u64;
        let found = self.shard.take_accounting().attributed;
        ensure!(
            found == entries,
            "{found} of {entries} entries were observed with both parties, so the figure does not count"
        );
        Ok(entries as f64 / used.as_secs_f64())
    }
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.cast_unsigned(),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}
