//! What a signal does to the process.

#![expect(clippy::unwrap_used, reason = "tests: a panic is a failure")]

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// An operator whose API server is at this address, when its admin port is open.
fn operator(api_server: &str, directory: &tempfile::TempDir) -> Child {
    let config = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{{name: a, context: {{cluster: a, user: a}}}}]\n\
         clusters: [{{name: a, cluster: {{server: 'http://{api_server}'}}}}]\nusers: [{{name: a, user: {{}}}}]\n"
    );
    let file = directory.path().join("config");
    std::fs::write(&file, config).unwrap();
    let admin = free_address();
    let operator = Command::new(env!("CARGO_BIN_EXE_alscope-operator"))
        .args(["run", "--listen", &admin])
        .env("KUBECONFIG", file)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Signals are listened to before.
    until(|| TcpStream::connect(&admin).is_ok());
    operator
}

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a process is waited for, and no runtime runs here"
)]
fn until(is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn terminate(operator: &Child) {
    let sent = Command::new("sh")
        .args(["-c", &format!("kill -TERM {}", operator.id())])
        .status()
        .unwrap();
    assert!(sent.success());
}

#[test]
fn the_first_signal_ends_it_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let mut operator = operator(&free_address(), &directory);
    terminate(&operator);
    assert_eq!(operator.wait().unwrap().code(), Some(0));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the time of a process is measured")]
fn the_second_signal_ends_it_at_once() {
    // Accepts, and never answers: an election that asks it is waited for.
    let api_server = TcpListener::bind("127.0.0.1:0").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut operator = operator(&api_server.local_addr().unwrap().to_string(), &directory);
    terminate(&operator);
    let log = BufReader::new(operator.stderr.take().unwrap());
    let stopping = log
        .lines()
        .find(|line| line.as_ref().unwrap().contains("stopping"));
    assert!(stopping.is_some());
    let began = Instant::now();
    terminate(&operator);
    assert_eq!(operator.wait().unwrap().code(), Some(1));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}
