//! The first moment of a child: it asks the kernel to end it with the bench, takes its core, then becomes the program it was
//! started for. So even `kill -9` of the bench leaves nothing running.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, ensure};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use crate::cores;

/// Arguments of the hidden subcommand.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The process id of the bench
    #[arg(long)]
    parent: i32,
    /// The cores to run on; any if none is given
    #[arg(long)]
    core: Vec<usize>,
    /// The program and its arguments
    #[arg(required = true, last = true)]
    command: Vec<OsString>,
}

/// Becomes the program; returns only if that failed.
pub(crate) fn become_program(options: &Options) -> anyhow::Result<std::convert::Infallible> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .context("the kernel refuses a parent-death signal; run the bench on Linux")?;
    // The bench may have ended before the line above; then nobody is left to send the signal.
    let parent = getppid().map(|parent| parent.as_raw_nonzero().get());
    ensure!(
        parent == Some(options.parent),
        "the bench has ended; start it again"
    );
    if !options.core.is_empty() {
        cores::move_to(&options.core)
            .with_context(|| format!("cannot run on cores {:?}; start the bench again", options.core))?;
    }
    let (program, arguments) = options
        .command
        .split_first()
        .context("no program given; start alscope-bench without arguments")?;
    let error = Command::new(program).args(arguments).exec();
    Err(error).with_context(|| format!("cannot run {}; check that it is a program", program.display()))
}
