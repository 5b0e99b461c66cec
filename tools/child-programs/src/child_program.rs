//! One child process: started, watched, and ended on every way out.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::supervised::SUBCOMMAND;

/// How often a child is asked whether it is ready.
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// How long a child may take to become ready.
pub const READY_TIMEOUT: Duration = Duration::from_secs(30);
/// Lines of its log that a failed child shows.
const TAIL_LINES: usize = 20;

/// A program to start.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its name in messages, and of its output and log.
    pub name: String,
    /// The executable.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// The cores that it runs on; any if none is given.
    pub cores: Vec<usize>,
    /// Where what it prints goes.
    pub output: Output,
}

/// Where a program's standard output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Nowhere: it may be too much.
    Discarded,
    /// Into its log, between the lines of its standard error.
    Log,
    /// Into a file of its own, for [`ChildProgram::printed`].
    File,
}

/// A program that runs. Dropped, it is killed.
#[derive(Debug)]
pub struct ChildProgram {
    name: String,
    process: Child,
    output: Option<PathBuf>,
    log: PathBuf,
}

impl ChildProgram {
    /// Starts a program in `directory`, where its log is `<name>.log` and its output `<name>.out`.
    pub fn start(program: &Program, directory: &Path) -> anyhow::Result<Self> {
        let name = program.name.clone();
        let file = |extension: &str| {
            let path = directory.join(format!("{}.{extension}", name.replace(' ', "-")));
            let file = File::create(&path)
                .with_context(|| format!("can't create {}; check the space in TMPDIR", path.display()))?;
            anyhow::Ok((path, file))
        };
        let (log, log_file) = file("log")?;
        let (output, stdout) = match program.output {
            Output::Discarded => (None, Stdio::null()),
            Output::Log => (None, log_file.try_clone()?.into()),
            Output::File => {
                let (path, file) = file("out")?;
                (Some(path), file.into())
            }
        };
        // This very program, even if its file was replaced meanwhile.
        let mut command = Command::new("/proc/self/exe");
        command.args([SUBCOMMAND, "--parent", &std::process::id().to_string()]);
        for core in &program.cores {
            command.args(["--core", &core.to_string()]);
        }
        let process = command
            .arg("--")
            .arg(&program.path)
            .args(&program.arguments)
            .current_dir(directory)
            // A debug log would be measured too.
            .env_remove("RUST_LOG")
            // The client of the Kubernetes API refuses every cluster while there is one that it can't use.
            .env_remove("HTTPS_PROXY")
            .env_remove("https_proxy")
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(log_file)
            // A terminal's Ctrl-C is for the parent, which ends its children in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("can't start the {name}; check the limit of processes"))?;
        Ok(Self {
            name,
            process,
            output,
            log,
        })
    }

    /// Its process id.
    pub fn id(&self) -> anyhow::Result<u32> {
        self.process
            .id()
            .with_context(|| format!("the {} ended by itself; {}", self.name, self.tail()))
    }

    /// An error, with the end of its log, if it has ended.
    pub fn check(&mut self) -> anyhow::Result<()> {
        match self.process.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the {} ended by itself ({status}); {}", self.name, self.tail()),
        }
    }

    /// Asks again and again until `ready` answers, for at most [`READY_TIMEOUT`].
    pub async fn until<T>(&mut self, mut ready: impl AsyncFnMut(&Self) -> Option<T>) -> anyhow::Result<T> {
        let deadline = Instant::now() + READY_TIMEOUT;
        loop {
            if let Some(answer) = ready(self).await {
                return Ok(answer);
            }
            self.check()?;
            if Instant::now() > deadline {
                let (name, seconds) = (&self.name, READY_TIMEOUT.as_secs());
                bail!("the {name} was not ready within {seconds} s; {}", self.tail());
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// What it has printed so far; nothing unless its output is a [file](Output::File).
    pub fn printed(&self) -> String {
        let read = |path| std::fs::read_to_string(path).ok();
        self.output.as_ref().and_then(read).unwrap_or_default()
    }

    /// Ends it by SIGTERM. An error if it fails, or does not end within `limit`; then it is killed.
    pub async fn end(&mut self, limit: Duration) -> anyhow::Result<()> {
        let id = Pid::from_raw(i32::try_from(self.id()?)?).context("process 0 is no child")?;
        let name = &self.name;
        kill_process(id, Signal::TERM).with_context(|| format!("the {name} can't be ended"))?;
        let Ok(status) = timeout(limit, self.process.wait()).await else {
            self.process.kill().await?;
            let seconds = limit.as_secs();
            bail!("the {name} did not end within {seconds} s; {}", self.tail());
        };
        let status = status?;
        ensure!(status.success(), "the {name} failed ({status}); {}", self.tail());
        Ok(())
    }

    /// Adds the end of its log to an error.
    pub fn explain<T>(&self, result: anyhow::Result<T>) -> anyhow::Result<T> {
        result.with_context(|| format!("the {} failed; {}", self.name, self.tail()))
    }

    /// The end of its log, in words.
    fn tail(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let last = lines
            .get(lines.len().saturating_sub(TAIL_LINES)..)
            .unwrap_or_default();
        if last.is_empty() {
            "it logged nothing".to_owned()
        } else {
            format!("its log ends:\n{}", last.join("\n"))
        }
    }
}
