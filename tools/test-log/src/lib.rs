//! What the code under test logs.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::Level;
use tracing::subscriber::{DefaultGuard, set_default};

/// A log in memory, which any number of writers write to.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

/// The log of this thread, from its beginning until it is dropped, on all levels but the finest.
#[derive(Debug)]
pub struct ThreadLog {
    log: Log,
    _guard: DefaultGuard,
}

impl Log {
    /// The lines that have `part` in them.
    pub fn lines_with(&self, part: &str) -> Vec<String> {
        let text = self.text();
        let lines = text.lines().filter(|line| line.contains(part));
        lines.map(str::to_owned).collect()
    }

    /// All of it.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock()).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ThreadLog {
    /// Begins to take what this thread logs.
    pub fn begin() -> Self {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(Level::DEBUG)
            .with_writer(move || writer.clone());
        Self {
            log,
            _guard: set_default(subscriber.finish()),
        }
    }

    /// The messages of a module of this path, without level and time.
    pub fn messages_of(&self, module: &str) -> Vec<String> {
        let module = format!("{module}: ");
        let text = self.log.text();
        let messages = text.lines().filter_map(|line| line.split_once(&module));
        messages.map(|(_, message)| message.to_owned()).collect()
    }
}

impl std::ops::Deref for ThreadLog {
    type Target = Log;

    fn deref(&self) -> &Log {
        &self.log
    }
}
