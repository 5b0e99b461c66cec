//! Text for a person's terminal.

use std::io::{self, Write as _};

/// Prints `text` and ends its line.
pub fn print(text: &str) -> io::Result<()> {
    match io::stdout().write_all(format!("{text}\n").as_bytes()) {
        // The reader of the pipe has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Tells `text` on standard error. Nobody is left to hear that nobody reads it.
pub fn say(text: &str) {
    drop(io::stderr().write_all(format!("{text}\n").as_bytes()));
}

/// Names come from whoever sends access logs, and a control character would reach the terminal.
pub fn printable(name: &str) -> String {
    name.replace(char::is_control, "\u{fffd}")
}
