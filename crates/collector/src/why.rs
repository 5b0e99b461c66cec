//! `alscope-collector why`: which rules found the parties of a running collector's
//! calls, each with an example.

mod table;

use std::io::{self, IsTerminal as _};

use crossterm::terminal::size;
pub use table::text;

use crate::client::{Collector, FetchError};
use crate::evidence::Why;
use crate::terminal;

/// The errors of asking for the evidence.
#[derive(Debug, thiserror::Error)]
pub enum WhyError {
    /// The collector returned no evidence.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The evidence could not be written.
    #[error("cannot write the answer: {0}; free the disk or look at where the output goes")]
    Output(#[source] io::Error),
}

/// Prints the rules behind the calls of an edge from `source` to `destination`, or behind all calls, at the
/// collector whose web port is at `url`.
pub fn run(url: &str, edge: Option<(&str, &str)>) -> Result<(), WhyError> {
    let why = fetch(&Collector::at(url)?, edge)?;
    let width = io::stdout().is_terminal().then(size).and_then(Result::ok);
    // Nothing is cut in a pipe or file.
    let text = text(&why, width.map_or(u16::MAX, |(width, _)| width));
    terminal::print(&text).map_err(WhyError::Output)
}

/// Fetches the evidence of an edge, or of all edges.
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
