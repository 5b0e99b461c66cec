//! The raw sink: the collector's receiver on one worker, with a handler that only counts what reaches it, or that decodes it with
//! prost too.

use std::future::{Future, ready};
use std::hint::black_box;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use als_proto::messages::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use als_proto::messages::envoy::service::accesslog::v3::stream_access_logs_message::LogEntries;
use alscope_analysis::accounting::Rejected;
use alscope_collector::receive::Handler;
use alscope_collector::receive::limits::Usage;
use alscope_collector::receive::listener::{Listener, listen};
use alscope_collector::receive::method::Method;
use alscope_collector::receive::worker::Worker;
use alscope_collector_config::Limits;
use anyhow::Context as _;
use prost::Message as _;
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::receiver::{BUFFERED_BYTES, STREAMS};

/// The first line that the sink prints.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Listening {
    pub(crate) listening: SocketAddr,
}

/// The last line that the sink prints: what it took.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Counted {
    pub(crate) messages: u64,
    /// Bytes of the messages without their frames.
    pub(crate) bytes: u64,
    /// Messages that were too large or compressed, or could not be decoded.
    pub(crate) rejected: u64,
    /// Entries, if they are decoded.
    pub(crate) entries: u64,
}

/// Runs until SIGTERM or SIGINT, reads what is in flight and prints what it counted.
pub(crate) fn run(address: SocketAddr, does_decode: bool) -> anyhow::Result<()> {
    let counting = Counting {
        counters: Arc::default(),
        does_decode,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(receive(address, counting.clone()))?;
    print(&counting.counters.counted())
}

async fn receive(address: SocketAddr, counting: Counting) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let socket = listen(address).with_context(|| {
        format!("cannot listen on {address}; end what listens there or give another --listen")
    })?;
    let stopping = CancellationToken::new();
    let limits = Limits {
        streams_per_connection: STREAMS,
        streams_per_peer: STREAMS,
        buffered_bytes: BUFFERED_BYTES,
        ..Limits::default()
    };
    let worker = Worker::start(0, counting, Usage::new(limits), stopping.clone())
        .context("cannot start a thread; check the limit of processes")?;
    print(&Listening {
        listening: socket.local_addr()?,
    })?;
    let mut listener = JoinSet::new();
    listener.spawn(Listener::new(socket, vec![worker]).run(stopping.clone()));
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    stopping.cancel();
    listener.join_all().await;
    Ok(())
}

pub(crate) fn print(line: &impl Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_string(line)?;
    text.push('\n');
    let mut output = std::io::stdout();
    output.write_all(text.as_bytes())?;
    Ok(output.flush()?)
}

/// Counts messages and drops them.
#[derive(Clone, Debug)]
struct Counting {
    counters: Arc<Counters>,
    does_decode: bool,
}

/// What a sink took so far.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    messages: AtomicU64,
    bytes: AtomicU64,
    rejected: AtomicU64,
    entries: AtomicU64,
}

impl Counters {
    /// Takes a message of so many bytes.
    pub(crate) fn take(&self, bytes: usize) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// As it is printed.
    pub(crate) fn counted(&self) -> Counted {
        Counted {
            messages: self.messages.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            rejected: self.rejected.load(Ordering::Relaxed),
            entries: self.entries.load(Ordering::Relaxed),
        }
    }
}

impl Handler for Counting {
    type Stream = ();

    fn begin(&self, _: Method) -> Option<()> {
        Some(())
    }

    fn message(&self, (): &mut (), message: &[u8]) -> impl Future<Output = ()> + Send {
        let counters = &*self.counters;
        counters.take(message.len());
        if self.does_decode {
            match decoded_entries(message) {
                Some(entries) => counters.entries.fetch_add(entries as u64, Ordering::Relaxed),
                None => counters.rejected.fetch_add(1, Ordering::Relaxed),
            };
        }
        ready(())
    }

    fn reject(&self, (): &mut (), _: Rejected) {
        self.counters.rejected.fetch_add(1, Ordering::Relaxed);
    }
}

/// How many entries prost finds in a message.
fn decoded_entries(message: &[u8]) -> Option<usize> {
    match StreamAccessLogsMessage::decode(message).ok()?.log_entries? {
        LogEntries::HttpLogs(logs) => Some(black_box(logs).log_entry.len()),
        LogEntries::TcpLogs(logs) => Some(black_box(logs).log_entry.len()),
    }
}
