//! Text for a person's terminal.

use std::io::{self, Write as _};

/// Prints `text` and a line break on standard output.
pub fn print(text: &str) -> io::Result<()> {
    match io::stdout().write_all(format!("{text}\n").as_bytes()) {
        // The reader of the pipe, such as `head`, has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Prints `text` and a line break on standard error. A failure is ignored, because nobody is
/// left to read about it.
pub fn say(text: &str) {
    drop(io::stderr().write_all(format!("{text}\n").as_bytes()));
}

/// Replaces control characters. Names come from whoever sends access logs, and
/// must not control the terminal.
pub fn printable(name: &str) -> String {
    name.replace(char::is_control, "\u{fffd}")
}
