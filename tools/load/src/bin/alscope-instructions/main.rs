//! Instructions an entry, counted by callgrind: unlike seconds they are the same on a busy machine, so that a change which costs
//! three percent is seen.

mod callgrind;
mod case;
mod counts;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use crate::case::Case;
use crate::counts::Counts;

/// Counts the instructions that an entry costs the readers and the analysis (needs valgrind).
///
/// Exit codes: 0 as expected, 1 failed, or a count is not the expected one.
#[derive(Debug, Parser)]
#[command(name = "alscope-instructions", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compares with the expected counts; each may be 3 % more or less
    Check {
        /// The file with the expected counts
        file: PathBuf,
    },
    /// Writes the expected counts anew
    Write {
        /// The file with the expected counts
        file: PathBuf,
    },
    /// Does the work of one count and prints how many entries that was
    #[command(hide = true)]
    Work { case: Case },
}

fn main() -> ExitCode {
    run(&Arguments::parse()).unwrap_or_else(|error| {
        eprintln!("alscope-instructions: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        Command::Work { case } => println!("{}", case.work()?),
        Command::Write { file } => {
            let text = counted()?.to_string();
            std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
        }
        Command::Check { file } => {
            let text =
                std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            let expected = Counts::read(&text).with_context(|| format!("{} is no list", file.display()))?;
            let differences = counted()?.differences(&expected);
            for difference in &differences {
                eprintln!("{difference}");
            }
            if !differences.is_empty() {
                eprintln!("say in the commit message what it buys, then: make bench-instructions WRITE=1");
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// All cases, one after another.
fn counted() -> anyhow::Result<Counts> {
    let mut counts = Counts::default();
    for case in Case::all() {
        let instructions = callgrind::instructions_an_entry(case)?;
        println!("{case:<20} {instructions:>7.0} instructions an entry");
        counts.add(case, instructions);
    }
    Ok(counts)
}
