//! The live screen. It takes the terminal over, draws, waits for a key, and gives the
//! terminal back however it ends.

use std::io::{self, Write as _};
use std::time::Duration;

use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::{cursor, execute, queue, style, terminal};

use super::{table, topology};
use crate::client::Collector;
use crate::topology::{NO_GRPC_STATUS, Topology};

const REFRESH_INTERVAL: Duration = Duration::from_secs(1);

/// The terminal's alternate screen. Dropping it restores the terminal.
#[derive(Debug)]
pub(super) struct Screen {
    out: io::Stdout,
}

impl Screen {
    pub(super) fn take() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        // Dropping `screen` restores the terminal if the next step fails.
        let mut screen = Self { out: io::stdout() };
        execute!(screen.out, terminal::EnterAlternateScreen, cursor::Hide)?;
        Ok(screen)
    }

    /// Draws `shown` and every later topology until the user quits. If the collector stops answering, the
    /// last table stays on the screen with the error above it.
    pub(super) fn follow(mut self, collector: &Collector, mut shown: Topology) -> io::Result<()> {
        let mut trouble = None;
        loop {
            self.draw(&lines(
                collector.url(),
                &shown,
                trouble.as_deref(),
                terminal::size()?,
            ))?;
            if is_quit_within(REFRESH_INTERVAL)? {
                return Ok(());
            }
            trouble = match topology(collector) {
                Ok(newer) => {
                    shown = newer;
                    None
                }
                Err(error) => Some(error.to_string()),
            };
        }
    }

    fn draw(&mut self, lines: &[String]) -> io::Result<()> {
        let mut out = self.out.lock();
        queue!(out, terminal::BeginSynchronizedUpdate)?;
        for (row, line) in (0..).zip(lines) {
            let clear = terminal::Clear(terminal::ClearType::CurrentLine);
            queue!(out, cursor::MoveTo(0, row), clear, style::Print(line))?;
        }
        queue!(out, terminal::EndSynchronizedUpdate)?;
        out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // The process is about to end. A terminal that is gone needs no restoring.
        drop(execute!(
            io::stdout(),
            cursor::Show,
            terminal::LeaveAlternateScreen
        ));
        drop(terminal::disable_raw_mode());
    }
}

/// Waits for at most `patience` and returns whether the user quits. Any key or a change of size ends the
/// wait, so that the screen is drawn at once.
fn is_quit_within(patience: Duration) -> io::Result<bool> {
    if !event::poll(patience)? {
        return Ok(false);
    }
    Ok(match event::read()? {
        Event::Key(key) => is_quit(key),
        Event::FocusGained | Event::FocusLost | Event::Mouse(_) | Event::Paste(_) | Event::Resize(..) => {
            false
        }
    })
}

/// Returns whether a key quits. In raw mode Ctrl-C is a key like any other.
pub(super) fn is_quit(key: KeyEvent) -> bool {
    let is_control_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    key.kind == KeyEventKind::Press
        && (is_control_c || matches!(key.code, KeyCode::Char('q' | 'Q') | KeyCode::Esc))
}

/// Returns the lines of a screen of `size` columns and rows: the state, what to do if a column can't be filled, the table's head, and
/// as many edges as fit.
pub(super) fn lines(url: &str, topology: &Topology, trouble: Option<&str>, size: (u16, u16)) -> Vec<String> {
    let (width, height) = (usize::from(size.0), usize::from(size.1));
    let nodes = topology.nodes.iter().filter(|node| node.id != "unknown").count();
    let counts = format!(
        "{nodes} nodes, {} edges in {} s",
        topology.edges.len(),
        topology.window_seconds
    );
    let state = match trouble {
        Some(trouble) => trouble.to_owned(),
        None => format!("{url}   {counts}   q quits"),
    };
    let table = table::table(topology, size.0);
    let advice = if topology.lacks_grpc_status() {
        NO_GRPC_STATUS
    } else {
        ""
    };
    let mut lines: Vec<&str> = [state.as_str(), advice]
        .into_iter()
        .chain(table.lines())
        .collect();
    let hidden = lines.len().saturating_sub(height);
    // The last line says how many edges do not fit, so it takes the place of one more edge.
    let note = format!("… edges that do not fit: {}", hidden + 1);
    if hidden > 0 {
        lines.truncate(height.saturating_sub(1));
        lines.push(&note);
    }
    // Every row is written, so that no row of an earlier, longer table stays on the screen.
    lines.resize(height, "");
    lines
        .into_iter()
        .map(|line| line.chars().take(width).collect())
        .collect()
}
