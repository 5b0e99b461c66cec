//! The local cluster's commands, and waiting for what they show.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// The folder of the cluster's programs.
pub fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cluster")
}

/// Runs one of the cluster's programs and answers what it printed.
pub fn run(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    Ok(String::from_utf8(bytes(program, arguments)?)?)
}

/// The bytes of a file within the cluster's namespaces.
pub fn read(path: &str) -> anyhow::Result<Vec<u8>> {
    bytes("enter", &["cat", path])
}

fn bytes(program: &str, arguments: &[&str]) -> anyhow::Result<Vec<u8>> {
    let path = programs().join(program);
    let output = Command::new(&path)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .with_context(|| {
            format!(
                "{} can't be run; start the cluster with `make cluster`",
                path.display()
            )
        })?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("{program} {}: {}", arguments.join(" "), error.trim());
    }
    Ok(output.stdout)
}

/// Runs kubectl and answers what it printed.
pub fn kubectl(arguments: &[&str]) -> anyhow::Result<String> {
    run("kubectl", arguments)
}

/// Prints what kubectl says, for a reader who needs to see why a test failed.
pub fn show(arguments: &[&str]) {
    match kubectl(arguments) {
        Ok(text) => println!("{text}"),
        Err(error) => println!("{error}"),
    }
}

/// A kubectl that forwards to the cluster for as long as this lives.
#[derive(Debug)]
pub struct Forwarding {
    process: Child,
    // It goes on printing: with its output closed, it would end.
    output: BufReader<ChildStdout>,
}

impl Forwarding {
    /// Starts kubectl, and answers with the first line that it prints: it tells where it listens.
    pub fn start(arguments: &[&str]) -> anyhow::Result<(Self, String)> {
        let mut process = Command::new(programs().join("kubectl"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = BufReader::new(process.stdout.take().context("kubectl has no output")?);
        let mut forwarding = Self { process, output };
        let mut line = String::new();
        forwarding.output.read_line(&mut line)?;
        Ok((forwarding, line))
    }
}

impl Drop for Forwarding {
    fn drop(&mut self) {
        // A process that has ended can't be killed, and is not waited for long.
        if self.process.kill().is_ok() {
            drop(self.process.wait());
        }
    }
}

/// Makes a port of a Service reachable from the host, and answers with its URL there.
pub fn relay(name: &str, namespace: &str, service: &str, port: u16) -> anyhow::Result<String> {
    let address = kubectl(&[
        "get",
        "service",
        service,
        "--namespace",
        namespace,
        "--output=jsonpath={.spec.clusterIP}",
    ])?;
    let relayed = run("relay", &["add", name, &format!("{address}:{port}")])?;
    Ok(format!("http://127.0.0.1:{}", relayed.trim()))
}

/// Waits until `holds` answers something. Says what it waits for, and what it saw last when the deadline has passed.
pub fn until<T>(
    what: &str,
    deadline: Duration,
    mut holds: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let begin = now();
    println!("  waiting for {what}");
    loop {
        let seen = holds();
        match seen {
            Ok(Some(found)) => return Ok(found),
            Ok(None) if begin.elapsed() > deadline => bail!("not within {deadline:?}: {what}"),
            Err(error) if begin.elapsed() > deadline => {
                bail!("not within {deadline:?}: {what}: {error:#}");
            }
            Ok(None) | Err(_) => pause(),
        }
    }
}

/// The time of the wall clock, to hold deadlines against.
pub fn now() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "a real cluster and the deadlines that users are promised are of the wall clock"
    )]
    Instant::now()
}

fn pause() {
    #[expect(
        clippy::disallowed_methods,
        reason = "the pause between two looks at a condition with a deadline"
    )]
    std::thread::sleep(Duration::from_millis(250));
}

/// A namespace of one test. It is kept when the test fails, and told about.
#[derive(Debug)]
pub struct Namespace {
    /// Its name.
    pub name: String,
}

impl Namespace {
    /// Makes the namespace anew, with sidecar injection.
    pub fn fresh(name: &str) -> anyhow::Result<Self> {
        kubectl(&[
            "delete",
            "namespace",
            name,
            "--ignore-not-found",
            "--wait",
            "--timeout=90s",
        ])?;
        kubectl(&["create", "namespace", name])?;
        kubectl(&["label", "namespace", name, "istio-injection=enabled"])?;
        Ok(Namespace {
            name: name.to_owned(),
        })
    }

    /// Applies a manifest.
    pub fn apply(&self, file: &Path) -> anyhow::Result<()> {
        let file = file.to_string_lossy();
        kubectl(&["apply", "--namespace", &self.name, "--filename", &file]).map(drop)
    }

    /// Applies a manifest's text.
    pub fn apply_text(&self, text: &str) -> anyhow::Result<()> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), text)?;
        self.apply(file.path())
    }

    /// kubectl in this namespace.
    pub fn kubectl(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut all = vec!["--namespace", &self.name];
        all.extend(arguments);
        kubectl(&all)
    }

    /// Waits until every Deployment is available; dumps pods and events when it is not.
    pub fn available(&self, seconds: u32) -> anyhow::Result<()> {
        println!("  waiting for the Deployments of {}", self.name);
        let timeout = format!("--timeout={seconds}s");
        let waited = self
            .kubectl(&[
                "wait",
                "deployment",
                "--all",
                "--for=condition=Available",
                &timeout,
            ])
            .map(drop);
        waited.inspect_err(|_| self.dump())
    }

    /// Prints what a reader needs to see why a test failed here.
    pub fn dump(&self) {
        show(&["--namespace", &self.name, "get", "pods", "--output=wide"]);
        show(&[
            "--namespace",
            &self.name,
            "get",
            "events",
            "--sort-by=.lastTimestamp",
        ]);
    }

    /// Deletes the namespace and waits until it is gone: a Gateway of it would still take another test's traffic.
    pub fn delete(self) -> anyhow::Result<()> {
        kubectl(&["delete", "namespace", &self.name, "--wait", "--timeout=90s"]).map(drop)
    }
}
