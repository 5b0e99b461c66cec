//! `alscope-collector top`: a running collector's calls as a table in the terminal, the busiest first.
//!
//! In a terminal it refreshes every second until `q` or Ctrl-C; into a pipe or file it prints one table and ends.

mod screen;
mod table;

use std::io::{self, IsTerminal as _};

use screen::Screen;
pub use table::table;

use crate::client::{Collector, FetchError};
use crate::terminal;
use crate::topology::Topology;

/// Wide enough that no name is cut where no terminal limits the width.
const UNLIMITED_WIDTH: u16 = u16::MAX;

/// Why the table could not be shown.
#[derive(Debug, thiserror::Error)]
pub enum TopError {
    /// The collector gave no topology.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The table could not be written.
    #[error("cannot draw the table on this terminal; to print it once, run alscope-collector top | cat")]
    Terminal(#[source] io::Error),
}

/// Shows the calls of the collector whose web port is at `url`.
pub fn run(url: &str) -> Result<(), TopError> {
    let collector = Collector::at(url)?;
    // The first answer comes before the screen is taken, so that a wrong address is an ordinary message.
    let topology = topology(&collector)?;
    if io::stdout().is_terminal() {
        return Screen::take()
            .and_then(|screen| screen.follow(&collector, topology))
            .map_err(TopError::Terminal);
    }
    let text = table(&topology, UNLIMITED_WIDTH);
    terminal::print(&text).map_err(TopError::Terminal)
}

/// The calls of the last minute.
fn topology(collector: &Collector) -> Result<Topology, FetchError> {
    collector.get("/api/v1/topology", &[("window", "60s")])
}

#[cfg(test)]
mod tests;
