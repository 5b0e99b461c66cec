//! Records the access-log streams that come in, in a file for `replay`: for bug reports and for tests.

pub mod redacted;

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use als_proto::{RecordedMessage, Recording};
use alscope_analysis::accounting::Rejected;
use alscope_analysis::names::redact::Redaction;
use alscope_collector_config::Limits;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::receive::Handler;
use crate::receive::limits::Usage;
use crate::receive::listener::{Listener, WorkerGone, listen};
use crate::receive::method::Method;
use crate::receive::worker::Worker;

/// The options of a recording.
#[derive(Debug)]
pub struct RecordOptions {
    /// The file to write. An existing one is replaced.
    pub file: PathBuf,
    /// The size in bytes at which the recording ends.
    pub bytes: u64,
    /// What is hidden. `Redaction::Off` writes messages as they came.
    pub redaction: Redaction,
}

/// The result of a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// The size of the file in bytes.
    pub bytes: u64,
    /// How many messages the file holds.
    pub messages: u64,
    /// How many messages could not be read and are left out.
    pub left_out: u64,
}

/// The errors of a recording.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The address can't be listened on.
    #[error("{address} can't be listened on: {source}; end what listens there or give another --listen")]
    Port {
        /// The address to listen on.
        address: SocketAddr,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file can't be written.
    #[error("{file} can't be written: {source}; give a file in a directory that has room", file = file.display())]
    File {
        /// The file's path.
        file: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The system refused a thread or runtime.
    #[error("a thread can't be started: {0}; raise the limit of threads")]
    Worker(std::io::Error),
    /// The receiving thread ended by itself, which only a fault of this program can cause.
    #[error(transparent)]
    WorkerGone(#[from] WorkerGone),
}

/// Binds the address that Envoys send to.
pub fn bind(address: SocketAddr) -> Result<TcpListener, RecordError> {
    listen(address).map_err(|source| RecordError::Port { address, source })
}

/// Records the streams that come to `socket`, until `stop` or until the file has its largest size.
pub async fn record(
    socket: TcpListener,
    options: RecordOptions,
    stop: CancellationToken,
) -> Result<Recorded, RecordError> {
    let RecordOptions {
        file,
        bytes,
        redaction,
    } = options;
    let output = File::create(&file).map_err(|source| RecordError::File {
        file: file.clone(),
        source,
    })?;
    let recorder = Recorder(Arc::new(Shared {
        output: Mutex::new(Output {
            file: output,
            recorded: Recorded::default(),
            failure: None,
            record: Recording::BEGINNING.to_vec(),
        }),
        streams: AtomicU64::new(0),
        bytes,
        redaction,
        full: stop.clone(),
    }));
    recorder.0.output.lock().append(bytes);
    let usage = Usage::new(Limits::default());
    let worker = Worker::start(0, recorder.clone(), usage, stop.clone()).map_err(RecordError::Worker)?;
    Listener::new(socket, vec![worker]).run(stop).await?;
    let mut output = recorder.0.output.lock();
    match output.failure.take() {
        None => Ok(output.recorded),
        Some(source) => Err(RecordError::File { file, source }),
    }
}

#[derive(Clone, Debug)]
struct Recorder(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    output: Mutex<Output>,
    /// How many streams have begun, which gives each its number.
    streams: AtomicU64,
    bytes: u64,
    redaction: Redaction,
    full: CancellationToken,
}

#[derive(Debug)]
struct Output {
    /// The file. Each message is written at once, so the file can be read during the recording.
    file: File,
    recorded: Recorded,
    failure: Option<std::io::Error>,
    /// The record that is appended next.
    record: Vec<u8>,
}

impl Output {
    /// Appends the next record. Returns `false` when the file has its largest size.
    fn append(&mut self, bytes: u64) -> bool {
        if let Err(error) = self.file.write_all(&self.record) {
            self.failure = Some(error);
            return false;
        }
        self.recorded.bytes += self.record.len() as u64;
        self.record.clear();
        self.recorded.bytes < bytes
    }
}

/// The state of a stream: its number in the recording.
#[derive(Clone, Copy, Debug)]
struct Stream {
    number: u64,
    satellite: bool,
}

impl Recorder {
    fn record(&self, stream: Stream, message: &[u8]) {
        let received = clock::now();
        let mut output = self.0.output.lock();
        if self.0.full.is_cancelled() {
            return;
        }
        let record = RecordedMessage {
            stream: stream.number,
            received_unix_nanos: u64::try_from(received.0).unwrap_or_default(),
            message,
            satellite: stream.satellite,
        };
        record.write(&mut output.record);
        output.recorded.messages += 1;
        if !output.append(self.0.bytes) {
            self.0.full.cancel();
        }
    }
}

impl Handler for Recorder {
    type Stream = Stream;

    fn begin(&self, method: Method) -> Option<Stream> {
        let satellite = match method {
            Method::AccessLogs => false,
            Method::SatelliteAccessLogs => true,
            Method::Metrics => return None,
        };
        let number = self.0.streams.fetch_add(1, Ordering::Relaxed);
        Some(Stream { number, satellite })
    }

    async fn message(&self, stream: &mut Stream, message: &[u8]) {
        if self.0.redaction == Redaction::Off {
            return self.record(*stream, message);
        }
        match redacted::message(message, &self.0.redaction) {
            Ok(message) => self.record(*stream, &message),
            // A message that can't be read can't be redacted.
            Err(_) => self.0.output.lock().recorded.left_out += 1,
        }
    }

    fn reject(&self, _: &mut Stream, _: Rejected) {
        self.0.output.lock().recorded.left_out += 1;
    }
}
