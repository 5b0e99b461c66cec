//! Runs this very program again under callgrind.

use std::process::Command;

use anyhow::{Context as _, ensure};
use clap::ValueEnum as _;

use crate::case::Case;

/// Instructions of a case, an entry.
pub(crate) fn instructions_an_entry(case: Case) -> anyhow::Result<f64> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let name = case.to_possible_value().context("a case without a name")?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(format!("--toggle-collect={}", case.counted_function()))
        .arg(program)
        .args(["work", name.get_name()])
        .output()
        .context("cannot run valgrind; install it")?;
    let (printed, log) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    ensure!(output.status.success(), "valgrind failed:\n{log}");
    let entries: f64 = printed
        .trim()
        .parse()
        .with_context(|| format!("{printed:?} is no number of entries"))?;
    let collected =
        collected(&log).with_context(|| format!("callgrind does not say what it collected:\n{log}"))?;
    ensure!(
        entries > 0.0 && collected > 0.0,
        "nothing was counted for {case}; is {} still a function of its own?",
        case.counted_function()
    );
    Ok(collected / entries)
}

/// The number of callgrind's line `Collected : 123456`.
fn collected(log: &str) -> Option<f64> {
    let line = log.lines().find_map(|line| line.split_once("Collected :"));
    line?.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_found_in_the_log() {
        let log = "==7== Events    : Ir\n==7== Collected : 123456\n==7== \n==7== I   refs:      123,456\n";
        assert_eq!(collected(log), Some(123_456.0));
        assert_eq!(collected("==7== fatal\n"), None);
    }
}
