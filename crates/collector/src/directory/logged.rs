//! What a test logs.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::Level;
use tracing::subscriber::{DefaultGuard, set_default};

/// Takes what this thread logs, on all levels but the finest, until it is dropped.
#[derive(Debug)]
pub(super) struct Logged {
    bytes: Bytes,
    _guard: DefaultGuard,
}

#[derive(Clone, Debug, Default)]
struct Bytes(Arc<Mutex<Vec<u8>>>);

impl io::Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut taken = self.0.lock();
        taken.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Logged {
    pub(super) fn new() -> Self {
        let bytes = Bytes::default();
        let writer = bytes.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(Level::DEBUG)
            .with_writer(move || writer.clone());
        Logged {
            bytes,
            _guard: set_default(subscriber.finish()),
        }
    }

    /// All of it.
    pub(super) fn all(&self) -> String {
        let taken = self.bytes.0.lock();
        String::from_utf8_lossy(&taken).into_owned()
    }

    /// What a module of the directory said, without level and time.
    pub(super) fn said_by(&self, module: &str) -> Vec<String> {
        let module = format!("alscope_collector::directory::{module}: ");
        let all = self.all();
        let said = all.lines().filter_map(|line| line.split_once(&module));
        said.map(|(_, said)| said.to_owned()).collect()
    }
}
