//! A child process of the bench: started on its core, watched, and ended on every way out.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

/// How often a child is asked whether it is ready.
const POLL: Duration = Duration::from_millis(10);
/// How long a child may take to become ready.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// How long a child may take to end in order before it is killed.
const END_WITHIN: Duration = Duration::from_secs(10);
/// How many lines of its log a failed child shows.
const TAIL: usize = 20;

/// What to start.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// Its name in messages, and of its log.
    pub(crate) name: &'static str,
    pub(crate) path: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    /// The cores that it runs on; any if none is given.
    pub(crate) cores: Vec<usize>,
    /// Whether what it prints is kept.
    pub(crate) prints: bool,
}

/// A process that runs. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Running {
    name: &'static str,
    process: Child,
    output: PathBuf,
    log: PathBuf,
}

impl Running {
    /// Starts a program; what it prints and logs goes to `directory`.
    pub(crate) fn start(program: &Program, directory: &Path) -> anyhow::Result<Self> {
        let name = program.name;
        let file = |extension: &str| {
            let path = directory.join(format!("{name}.{extension}"));
            let file = File::create(&path)
                .with_context(|| format!("cannot create {}; check the space in TMPDIR", path.display()))?;
            anyhow::Ok((path, file))
        };
        let (output, output_file) = file("out")?;
        let (log, log_file) = file("log")?;
        // This very program, even if its file was replaced meanwhile.
        let mut command = Command::new("/proc/self/exe");
        command.args(["supervised", "--parent", &std::process::id().to_string()]);
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
            .stdout(if program.prints {
                output_file.into()
            } else {
                Stdio::null()
            })
            .stderr(log_file)
            // A terminal's Ctrl-C is for the bench, which ends its children.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start the {name}; check the limit of processes"))?;
        Ok(Running {
            name,
            process,
            output,
            log,
        })
    }

    /// Its process id.
    pub(crate) fn id(&self) -> anyhow::Result<u32> {
        self.process
            .id()
            .with_context(|| format!("the {} ended by itself; {}", self.name, self.tail()))
    }

    /// Asks again and again until `ready` answers.
    pub(crate) async fn until<T>(
        &mut self,
        mut ready: impl AsyncFnMut(&Self) -> Option<T>,
    ) -> anyhow::Result<T> {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            if let Some(answer) = ready(self).await {
                return Ok(answer);
            }
            let name = self.name;
            if let Some(status) = self.process.try_wait()? {
                bail!("the {name} ended by itself ({status}); {}", self.tail());
            }
            if Instant::now() > deadline {
                let seconds = READY_WITHIN.as_secs();
                bail!("the {name} was not ready within {seconds} s; {}", self.tail());
            }
            sleep(POLL).await;
        }
    }

    /// What it has printed so far.
    pub(crate) fn printed(&self) -> String {
        std::fs::read_to_string(&self.output).unwrap_or_default()
    }

    /// Ends it by SIGTERM and answers with what it printed.
    pub(crate) async fn end(mut self) -> anyhow::Result<String> {
        let id = Pid::from_raw(i32::try_from(self.id()?)?).context("process 0 is no child")?;
        kill_process(id, Signal::TERM).with_context(|| format!("the {} cannot be ended", self.name))?;
        let Ok(status) = timeout(END_WITHIN, self.process.wait()).await else {
            let seconds = END_WITHIN.as_secs();
            bail!(
                "the {} did not end within {seconds} s; {}",
                self.name,
                self.tail()
            );
        };
        let status = status?;
        if !status.success() {
            bail!("the {} ended badly ({status}); {}", self.name, self.tail());
        }
        Ok(self.printed())
    }

    /// An error with the end of its log.
    pub(crate) fn explain<T>(&self, result: anyhow::Result<T>) -> anyhow::Result<T> {
        result.with_context(|| format!("the {} failed; {}", self.name, self.tail()))
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
