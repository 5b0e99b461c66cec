//! The first moment of a child: it asks the kernel to end it with the demo, then becomes the program it was started
//! for. So even `kill -9` of the demo leaves nothing running.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, ensure};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};

/// Arguments of the hidden subcommand.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The process id of the demo
    #[arg(long)]
    parent: i32,
    /// The program and its arguments
    #[arg(required = true, last = true)]
    command: Vec<OsString>,
}

/// Becomes the program; returns only if that failed.
pub(crate) fn become_program(options: &Options) -> anyhow::Result<std::convert::Infallible> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .context("the kernel refuses a parent-death signal; run the demo on Linux")?;
    // The demo may have ended before the line above; then nobody is left to send the signal.
    let parent = getppid().map(|parent| parent.as_raw_nonzero().get());
    ensure!(
        parent == Some(options.parent),
        "the demo has ended; start it again"
    );
    let (program, arguments) = options
        .command
        .split_first()
        .context("no program given; start the demo by demo/run")?;
    let error = Command::new(program).args(arguments).exec();
    Err(error).with_context(|| format!("cannot run {}; check that it is a program", program.display()))
}
