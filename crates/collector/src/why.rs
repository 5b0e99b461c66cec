//! `alscope-collector why`: which rules found the parties of a running collector's calls, with an example of each.

mod table;

use std::io::{self, IsTerminal as _};

use crossterm::terminal::size;
pub use table::text;

use crate::client::{Collector, FetchError};
use crate::evidence::Why;
use crate::terminal;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum WhyError {
    /// The collector gave none.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The answer could not be written.
    #[error("cannot write the answer: {0}; free the disk or look at where the output goes")]
    Output(#[source] io::Error),
}

/// Prints what the calls of an edge rest on, `source` to `destination`, or all calls, at the collector whose web port is at
/// `url`.
pub fn run(url: &str, edge: Option<(&str, &str)>) -> Result<(), WhyError> {
    let why = fetch(&Collector::at(url)?, edge)?;
    let width = io::stdout().is_terminal().then(size).and_then(Result::ok);
    // Into a pipe or file nothing is cut.
    let text = text(&why, width.map_or(u16::MAX, |(width, _)| width));
    terminal::print(&text).map_err(WhyError::Output)
}

/// What the collector answers about an edge, or about all.
fn fetch(collector: &Collector, edge: Option<(&str, &str)>) -> Result<Why, FetchError> {
    match edge {
        Some((source, destination)) => {
            let edge = format!("{source},{destination}");
            collector.get("/api/v1/why", &[("edge", &edge)])
        }
        None => collector.get("/api/v1/why", &[]),
    }
}

#[cfg(test)]
mod tests;
