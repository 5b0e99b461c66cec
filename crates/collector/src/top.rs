//! `alscope-collector top`: the calls that a running collector sees, as a table in
//! the terminal, the busiest first.
//!
//! In a terminal it refreshes every second until `q` or Ctrl-C. Into a pipe or file it
//! prints one table and ends.

mod screen;
mod table;

use std::io::{self, IsTerminal as _};

use screen::Screen;
pub use table::table;

use crate::client::{Collector, FetchError};
use crate::terminal;
use crate::topology::{NO_GRPC_STATUS, Topology};

/// The table's width where no terminal limits it. It is wide enough that no name is cut.
const UNLIMITED_WIDTH: u16 = u16::MAX;

/// The errors of showing the table.
#[derive(Debug, thiserror::Error)]
pub enum TopError {
    /// The collector returned no topology.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The table could not be written to the terminal.
    #[error("cannot draw the table on this terminal; to print it once, run alscope-collector top | cat")]
    Terminal(#[source] io::Error),
}

/// Shows the calls of the collector whose web port is at `url`.
pub fn run(url: &str) -> Result<(), TopError> {
    let collector = Collector::at(url)?;
    // The screen is taken after the first answer, so that a wrong address is reported as an ordinary
    // message.
    let topology = topology(&collector)?;
    if io::stdout().is_terminal() {
        return Screen::take()
            .and_then(|screen| screen.follow(&collector, topology))
            .map_err(TopError::Terminal);
    }
    terminal::print(&printed(&topology)).map_err(TopError::Terminal)
}

/// The table, and below it what to do if a column can't be filled.
fn printed(topology: &Topology) -> String {
    let table = table(topology, UNLIMITED_WIDTH);
    if topology.lacks_grpc_status() {
        return format!("{table}\n\n{NO_GRPC_STATUS}");
    }
    table
}

/// Fetches the calls of the last minute.
fn topology(collector: &Collector) -> Result<Topology, FetchError> {
    collector.get("/api/v1/topology", &[("window", "60s")])
}

#[cfg(test)]
mod tests;
