//! The first moment of a child: it asks the kernel to end it with its parent, takes its cores, then becomes the program that it was
//! started for. So even `kill -9` of the parent leaves nothing running.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, ensure};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use rustix::thread::{CpuSet, sched_setaffinity};

/// The name of the hidden subcommand that a tool has for its children.
pub const SUBCOMMAND: &str = "supervised";

/// Arguments of the hidden subcommand.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The process id of the parent
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
pub fn become_program(options: &Options) -> anyhow::Result<std::convert::Infallible> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .context("the kernel refuses a parent-death signal; run this on Linux")?;
    // The parent may have ended before the line above; then nobody is left to send the signal.
    let parent = getppid().map(|parent| parent.as_raw_nonzero().get());
    ensure!(
        parent == Some(options.parent),
        "the parent has ended; start it again"
    );
    if !options.core.is_empty() {
        move_to(&options.core)
            .with_context(|| format!("can't run on cores {:?}; start the parent again", options.core))?;
    }
    let (program, arguments) = options
        .command
        .split_first()
        .context("no program is given; start this subcommand by its tool only")?;
    let error = Command::new(program).args(arguments).exec();
    Err(error).with_context(|| format!("can't run {}; check that it is a program", program.display()))
}

/// Moves this thread, and those that it will start, to some cores.
pub fn move_to(cores: &[usize]) -> rustix::io::Result<()> {
    let mut places = CpuSet::new();
    cores
        .iter()
        .filter(|core| **core < CpuSet::MAX_CPU)
        .for_each(|core| places.set(*core));
    sched_setaffinity(None, &places)
}
