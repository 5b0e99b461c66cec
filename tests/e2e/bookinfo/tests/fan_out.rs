//! The whole workload without a mesh: each part counts what it did, and the literals of the program's page hold.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// A running part of the workload; the test's end is its end.
struct Part {
    process: Child,
    output: BufReader<ChildStdout>,
    address: String,
}

impl Part {
    fn serve(arguments: &[&str]) -> Self {
        Self::start("serve", arguments)
    }

    fn start(part: &str, arguments: &[&str]) -> Self {
        let mut process = bookinfo()
            .arg(part)
            .args(["--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let address = line
            .trim()
            .rsplit_once(' ')
            .expect("a part says where it listens")
            .1
            .to_owned();
        Self {
            process,
            output,
            address,
        }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Asks the part to end; returns what it says that it did.
    fn end(mut self) -> Value {
        terminate(&self.process);
        let mut said = String::new();
        self.output.read_to_string(&mut said).unwrap();
        assert!(
            self.process.wait().unwrap().success(),
            "SIGTERM is an orderly end"
        );
        serde_json::from_str(&said).unwrap()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Fails only when the part has ended, which is what is wanted.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn bookinfo() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bookinfo"));
    command.env_clear();
    command
}

fn terminate(process: &Child) {
    let pid = Pid::from_raw(process.id().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
}

fn tally(requests: u64, asked_to_fail: u64, answers: &Value) -> Value {
    json!({ "requests": requests, "askedToFail": asked_to_fail, "answers": answers, "transportErrors": 0 })
}

#[test]
fn a_thousand_requests_make_exactly_the_calls_of_the_table() {
    let tcp = Part::start("tcp", &[]);
    let ratings = Part::serve(&["--service", "ratings", "--tcp", &tcp.address]);
    let v1 = Part::serve(&["--service", "reviews"]);
    let v2 = Part::serve(&[
        "--service",
        "reviews",
        "--version",
        "v2",
        "--ratings",
        &ratings.url(),
    ]);
    let v3 = Part::serve(&[
        "--service",
        "reviews",
        "--version",
        "v3",
        "--ratings",
        &ratings.url(),
    ]);
    let details = Part::serve(&["--service", "details"]);
    let reviews = [&v1, &v2, &v3].map(Part::url).join(",");
    let productpage = Part::serve(&[
        "--service",
        "productpage",
        "--details",
        &details.url(),
        "--reviews",
        &reviews,
    ]);

    let load = bookinfo()
        .args(["load", "--target", &productpage.url(), "--requests", "1000"])
        .args(["--concurrency", "4", "--fail-every", "20"])
        .output()
        .unwrap();

    assert!(load.status.success());
    let answers = json!({ "200": 966, "503": 34 });
    assert_eq!(
        serde_json::from_slice::<Value>(&load.stdout).unwrap(),
        tally(1000, 50, &answers)
    );
    assert_eq!(productpage.end(), tally(1000, 0, &answers));
    assert_eq!(details.end(), tally(1000, 0, &json!({ "200": 1000 })));
    assert_eq!(v1.end(), tally(333, 0, &json!({ "200": 333 })));
    assert_eq!(v2.end(), tally(334, 0, &json!({ "200": 317, "503": 17 })));
    assert_eq!(v3.end(), tally(333, 0, &json!({ "200": 316, "503": 17 })));
    assert_eq!(ratings.end(), tally(667, 34, &json!({ "200": 633, "503": 34 })));
    assert_eq!(tcp.end(), tally(633, 0, &json!({})));
}

#[test]
fn the_proxy_gets_the_request_with_the_host_of_the_service_meant() {
    let details = Part::serve(&["--service", "details"]);
    let reviews = Part::serve(&["--service", "reviews"]);
    // A details that plays the proxy: it answers /details itself and has no /reviews.
    let proxy = Part::serve(&["--service", "details", "--version", "proxy"]);
    let productpage = Part::serve(&[
        "--service",
        "productpage",
        "--details",
        &details.url(),
        "--reviews",
        &reviews.url(),
        "--proxy",
        &proxy.url(),
    ]);

    let load = bookinfo()
        .args(["load", "--target", &productpage.url(), "--requests", "1"])
        .output()
        .unwrap();

    assert_eq!(
        serde_json::from_slice::<Value>(&load.stdout).unwrap(),
        tally(1, 0, &json!({ "404": 1 })),
        "what the proxy answers is the answer"
    );
    assert_eq!(proxy.end(), tally(1, 0, &json!({ "200": 1 })));
    assert_eq!(details.end(), tally(0, 0, &json!({})));
}

#[test]
fn a_call_without_an_answer_is_a_502_and_a_target_without_one_fails_the_run() {
    let reviews = Part::serve(&["--service", "reviews", "--ratings", "http://127.0.0.1:1"]);
    let productpage = Part::serve(&[
        "--service",
        "productpage",
        "--details",
        &reviews.url(),
        "--reviews",
        &reviews.url(),
    ]);
    let target = productpage.url();
    let run = |more: &[&str]| {
        bookinfo()
            .args(["load", "--target", &target, "--requests", "2"])
            .args(more)
            .output()
            .unwrap()
    };

    let answered = run(&[]);
    assert!(answered.status.success());
    // The stand-in for details has no /details, and the first failure decides.
    assert_eq!(
        serde_json::from_slice::<Value>(&answered.stdout).unwrap(),
        tally(2, 0, &json!({ "404": 2 }))
    );
    assert_eq!(reviews.end(), tally(2, 0, &json!({ "502": 2 })));
    productpage.end();

    let unanswered = run(&[]);
    assert_eq!(unanswered.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unanswered.stderr).contains("look for the cause at the target"));
    assert!(run(&["--rate", "1000"]).status.success());
}

#[test]
fn a_generator_without_a_number_of_requests_sends_until_it_is_asked_to_end() {
    let productpage = Part::serve(&["--service", "details"]);
    let mut load = bookinfo()
        .args(["load", "--target", &productpage.url(), "--rate", "200"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // The number of requests is open; that it ended in order and says so is what matters.
    terminate_when_listening(&load);
    let mut said = String::new();
    load.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(load.wait().unwrap().success());
    let tally = serde_json::from_str::<Value>(&said).unwrap();
    assert_eq!(tally["transportErrors"], 0);
}

/// Sends SIGTERM once the process handles it: bit 14 of `SigCgt` in /proc.
fn terminate_when_listening(process: &Child) {
    let status = format!("/proc/{}/status", process.id());
    let catches_sigterm = |text: String| {
        let mask = text
            .lines()
            .find_map(|line| line.strip_prefix("SigCgt:"))
            .map(str::trim);
        mask.and_then(|mask| u64::from_str_radix(mask, 16).ok())
            .is_some_and(|mask| mask & (1 << 14) != 0)
    };
    while !std::fs::read_to_string(&status).map(catches_sigterm).unwrap() {
        std::thread::yield_now();
    }
    terminate(process);
}
