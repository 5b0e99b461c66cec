//! The demo's child processes, in the order of their start.

use std::path::{Path, PathBuf};
use std::time::Duration;

use alscope_child_programs::child_program::{ChildProgram, Program};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::fetch::fetch;

/// How often it is looked whether a child has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// How long the children may take to end in order before they are killed.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// A child to start.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) program: Program,
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

/// All children, in the order of their start. Dropped, they are killed.
#[derive(Debug)]
pub(crate) struct Children {
    logs: PathBuf,
    running: Vec<ChildProgram>,
}

impl Children {
    /// No children yet; their logs go to a directory.
    pub(crate) fn new(logs: &Path) -> Self {
        Self {
            logs: logs.to_owned(),
            running: Vec::new(),
        }
    }

    /// Starts services side by side and returns when all of them are ready.
    pub(crate) async fn start(&mut self, services: Vec<Service>) -> anyhow::Result<()> {
        let first = self.running.len();
        for service in &services {
            self.running
                .push(ChildProgram::start(&service.program, &self.logs)?);
        }
        for (child, Service { ready, .. }) in self.running.iter_mut().skip(first).zip(services) {
            child.until(async |_| ready.is_now().await.then_some(())).await?;
        }
        self.check()
    }

    /// An error if a child has ended, with the end of its log.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        self.running.iter_mut().try_for_each(ChildProgram::check)
    }

    /// Returns when a child has ended.
    pub(crate) async fn one_ended(&mut self) -> anyhow::Error {
        loop {
            match self.check() {
                Ok(()) => sleep(POLL_INTERVAL).await,
                Err(error) => return error,
            }
        }
    }

    /// Ends every child: callers before the called, the collector last, by signal; those that stay are killed.
    pub(crate) async fn end(mut self) {
        let deadline = Instant::now() + END_TIMEOUT;
        while let Some(mut child) = self.running.pop() {
            drop(
                child
                    .end(deadline.saturating_duration_since(Instant::now()))
                    .await,
            );
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
