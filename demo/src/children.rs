//! The demo's child processes: started, watched, and ended on every way out.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::fetch::fetch;

/// How often a child is asked whether it is ready.
const POLL: Duration = Duration::from_millis(50);
/// How long a child may take to become ready.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// How long the children may take to end in order before they are killed.
const END_WITHIN: Duration = Duration::from_secs(5);
/// How many lines of its log a failed child shows.
const TAIL: usize = 20;

/// A process to start.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    /// Its name in messages.
    pub(crate) name: String,
    /// The executable.
    pub(crate) path: PathBuf,
    /// Its arguments.
    pub(crate) arguments: Vec<OsString>,
    /// What shows that it is ready.
    pub(crate) ready: Ready,
}

/// What shows that a process is ready.
#[derive(Debug, Clone)]
pub(crate) enum Ready {
    /// It was started.
    Started,
    /// This URL answers 200.
    Answers(String),
    /// This address accepts a connection.
    Accepts(String),
}

#[derive(Debug)]
struct Running {
    program: Program,
    process: Child,
    log: PathBuf,
}

/// All children, in the order of their start. Dropped, they are killed.
#[derive(Debug)]
pub(crate) struct Children {
    logs: PathBuf,
    running: Vec<Running>,
}

impl Children {
    /// No children yet; their logs go to a directory.
    pub(crate) fn new(logs: &Path) -> Self {
        Self {
            logs: logs.to_owned(),
            running: Vec::new(),
        }
    }

    /// Starts programs side by side and returns when all of them are ready.
    pub(crate) async fn start(&mut self, programs: Vec<Program>) -> anyhow::Result<()> {
        let first = self.running.len();
        for program in programs {
            self.spawn(program)?;
        }
        let deadline = Instant::now() + READY_WITHIN;
        for index in first..self.running.len() {
            self.until_ready(index, deadline).await?;
        }
        Ok(())
    }

    fn spawn(&mut self, program: Program) -> anyhow::Result<()> {
        let log = self.logs.join(format!("{}.log", program.name.replace(' ', "-")));
        let output = File::create(&log)
            .with_context(|| format!("cannot create {}; check the space in TMPDIR", log.display()))?;
        // This very program, even if its file was replaced meanwhile.
        let process = Command::new("/proc/self/exe")
            .args(["supervised", "--parent", &std::process::id().to_string(), "--"])
            .arg(&program.path)
            .args(&program.arguments)
            .current_dir(&self.logs)
            .stdin(Stdio::null())
            .stdout(
                output
                    .try_clone()
                    .context("cannot share a log; check the limit of open files")?,
            )
            .stderr(output)
            // A terminal's Ctrl-C is for the demo, which ends its children in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}; check the limit of processes", program.name))?;
        self.running.push(Running {
            program,
            process,
            log,
        });
        Ok(())
    }

    async fn until_ready(&mut self, index: usize, deadline: Instant) -> anyhow::Result<()> {
        loop {
            self.check()?;
            let Some(child) = self.running.get(index) else {
                return Ok(());
            };
            if child.program.ready.is_now().await {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!(
                    "{} was not ready within {} s; {}",
                    child.program.name,
                    READY_WITHIN.as_secs(),
                    child.tail()
                );
            }
            sleep(POLL).await;
        }
    }

    /// An error if a child has ended, with the end of its log.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        for child in &mut self.running {
            if let Some(status) = child
                .process
                .try_wait()
                .context("cannot watch a child; start the demo again")?
            {
                bail!(
                    "{} ended by itself ({status}); {}",
                    child.program.name,
                    child.tail()
                );
            }
        }
        Ok(())
    }

    /// Returns when a child has ended.
    pub(crate) async fn one_ended(&mut self) -> anyhow::Error {
        loop {
            match self.check() {
                Ok(()) => sleep(POLL).await,
                Err(error) => return error,
            }
        }
    }

    /// Ends every child: callers before the called, the collector last, by signal; those that stay are killed.
    pub(crate) async fn end(mut self) {
        let deadline = Instant::now() + END_WITHIN;
        while let Some(mut child) = self.running.pop() {
            if child.terminate().is_some() {
                let ended = timeout(
                    deadline.saturating_duration_since(Instant::now()),
                    child.process.wait(),
                );
                drop(ended.await);
            }
            // Does nothing to a process that has ended.
            drop(child.process.kill().await);
        }
    }
}

impl Running {
    /// Asks the child to end, if it runs.
    fn terminate(&mut self) -> Option<()> {
        let id = i32::try_from(self.process.id()?).ok()?;
        kill_process(Pid::from_raw(id)?, Signal::TERM).ok()
    }

    fn tail(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let last = lines.get(lines.len().saturating_sub(TAIL)..).unwrap_or_default();
        if last.is_empty() {
            "it logged nothing".to_owned()
        } else {
            format!("its log ends:\n{}", last.join("\n"))
        }
    }
}

impl Ready {
    async fn is_now(&self) -> bool {
        match self {
            Self::Started => true,
            Self::Answers(url) => fetch(url.clone()).await.is_ok(),
            Self::Accepts(address) => TcpStream::connect(address).await.is_ok(),
        }
    }
}
