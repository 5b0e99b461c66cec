//! The program as a person uses it: what it prints, and how it ends.

#![expect(clippy::unwrap_used, reason = "tests: a panic is a failure")]

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use rstest::rstest;

fn collector(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alscope-collector"));
    command
        .args(arguments)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null());
    command
}

fn ran(arguments: &[&str]) -> Output {
    collector(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Writes a configuration file beside an empty directory file.
fn configured(configuration: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cluster.yaml"), "kind: List\nitems: []\n").unwrap();
    let file = folder.path().join("collector.yaml");
    std::fs::write(&file, configuration).unwrap();
    let file = file.to_str().unwrap().to_owned();
    (folder, file)
}

const ANYWHERE: &str = "listen: { grpc: \"127.0.0.1:0\", web: \"127.0.0.1:0\", admin: \"127.0.0.1:0\" }\n";
const DIRECTORY: &str = "directory: { file: cluster.yaml }\n";
const AT_ONCE: &str = "ending: { quiet: 0s, accept: 0s, scrape: 0s }\n";
const ANALYSIS: &str = "analysis: { http: \"k8s-mesh\", tcp: \"k8s-mesh\" }\n";

#[test]
fn the_version_is_the_workspaces_with_a_commit() {
    let output = ran(&["--version"]);
    let version = text(&output.stdout);
    let expected = format!("alscope-collector {} (commit ", env!("CARGO_PKG_VERSION"));
    assert!(
        output.status.success() && version.starts_with(&expected),
        "{version}"
    );
}

#[rstest]
#[case::nothing(&[])]
#[case::an_unknown_flag(&["--verbose"])]
#[case::check_without_a_file(&["check"])]
#[case::why_of_half_an_edge(&["why", "demo/web"])]
#[case::check_of_two_files(&["check", "a", "--config", "b"])]
fn wrong_usage_ends_with_2(#[case] arguments: &[&str]) {
    let output = ran(arguments);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("Usage: alscope-collector"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn check_prints_what_would_run() {
    let (_folder, file) = configured(&[ANYWHERE, DIRECTORY, ANALYSIS].concat());
    for arguments in [&["check", &file][..], &["check", "--config", &file]] {
        let output = ran(arguments);
        let printed = text(&output.stdout);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(
            printed.contains("k8s-mesh") && printed.contains("cluster.yaml"),
            "{printed}"
        );
    }
}

const SKYWALKING: &str = "\
core: { default: { gRPCPort: 11900 } }
cluster: {}
envoy-metric:
  default:
    alsHTTPAnalysis: ";

#[test]
fn check_prints_what_becomes_of_settings_of_skywalking() {
    let (_folder, file) = configured(&[SKYWALKING, "k8s-mesh\n"].concat());
    let output = ran(&["check", &file]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let expected = "\
SKYWALKING'S KEY                      VALUE     HERE
envoy-metric.default.alsHTTPAnalysis  k8s-mesh  analysis.http: k8s-mesh
core.default.gRPCPort                 11900     listen.grpc: [::]:11900

modules that are ignored because they have nothing to do with access logs: 1
";
    let printed = text(&output.stdout);
    let lines = printed.lines().map(|line| line.trim().to_owned() + "\n");
    assert_eq!(lines.collect::<String>(), expected, "{printed}");
}

#[rstest]
#[case::refused_value("persistence", &["refused: ", "line 5", "needs an analyzer before it", "change them as the table says"])]
#[case::bad_naming_rule("k8s-mesh\n    k8sServiceNameRule: ${pod.name}", &["refused: ", "line 6", "knows no path `pod.name`", "change them"])]
#[case::unknown_key("k8s-mesh\n    alsTcpAnalysis: a", &["collector.yaml line 6", "the nearest is `alsTCPAnalysis`"])]
fn check_ends_with_1_on_settings_that_do_not_carry_over(#[case] rest: &str, #[case] named: &[&str]) {
    let (_folder, file) = configured(&[SKYWALKING, rest, "\n"].concat());
    let output = ran(&["check", &file]);
    let said = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for word in named {
        assert!(said.contains(word), "{word} is not in: {said}");
    }
}

#[rstest]
#[case::unknown_analyzer("directory: { file: cluster.yaml }\nanalysis: { http: k8s-mehs }\n", &["collector.yaml", "k8s-mehs", "k8s-mesh"])]
#[case::nothing_to_keep("directory: { file: cluster.yaml }\nanalysis: { tcp: persistence }\n", &["collector.yaml line 2", "k8s-mesh,persistence"])]
#[case::bad_endpoint_rule(
    &[ANYWHERE, DIRECTORY, "analysis: { endpoints: { rules: [/a/*/b] } }\n"].concat(),
    &["analysis.endpoints.rules: ", "`/a/*/b`", "write `{name}` for one segment"]
)]
#[case::unknown_key("directory: { file: cluster.yaml }\nlisten: { grcp: \"127.0.0.1:1\" }\n", &["collector.yaml", "grcp", "grpc"])]
#[case::naming_rule("directory: { file: cluster.yaml }\nanalysis: { naming: { k8sServiceNameRule: '${pod.name}' } }\n",
    &["`analysis.naming.k8sServiceNameRule` in ", "collector.yaml line 2: ", "knows no path `pod.name`, at byte 2; write `pod` or"])]
#[case::directory_that_is_missing(&[ANYWHERE, "directory: { file: nowhere.yaml }\n"].concat(), &["nowhere.yaml", "No such file"])]
#[case::directory_that_is_no_list(&[ANYWHERE, "directory: { file: collector.yaml }\n"].concat(), &["collector.yaml", "not a List with items"])]
fn a_bad_file_is_named_by_check_and_by_the_collector(#[case] configuration: &str, #[case] named: &[&str]) {
    let (_folder, file) = configured(configuration);
    for arguments in [&["check", "--config", &file][..], &["--config", &file]] {
        let output = ran(arguments);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        for word in named {
            assert!(error.contains(word), "{word} is not in: {error}");
        }
    }
}

#[test]
fn a_missing_configuration_file_is_named() {
    let output = ran(&["--config", "/nowhere/collector.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("/nowhere/collector.yaml"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn a_busy_port_is_named_with_its_key() {
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = busy.local_addr().unwrap();
    let listen = format!("listen: {{ grpc: \"{address}\", web: \"127.0.0.1:0\", admin: \"127.0.0.1:0\" }}\n");
    let (_folder, file) = configured(&[&listen, DIRECTORY, ANALYSIS].concat());
    let output = ran(&["--config", &file]);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(
        error.contains(&format!("listen.grpc: {address} can't be listened on")),
        "{error}"
    );
}

#[test]
fn each_active_analyzer_has_a_line_and_a_signal_ends_the_collector() {
    for signal in ["-TERM", "-INT", "-HUP"] {
        let (_folder, file) = configured(&[ANYWHERE, DIRECTORY, ANALYSIS, AT_ONCE].concat());
        // Whoever runs the tests may ignore hangups, and a process inherits that.
        let mut listening = Command::new("env");
        let binary = env!("CARGO_BIN_EXE_alscope-collector");
        listening.args(["--default-signal=HUP", binary, "--config", &file]);
        let (mut running, mut lines, mut said) = ready(&mut listening);
        assert!(said.contains("analyzer k8s-mesh active for http, tcp"), "{said}");
        send(signal, &running);
        lines.read_to_string(&mut said).unwrap();
        assert!(running.wait().unwrap().success(), "{said}");
        assert!(said.trim_end().ends_with("stopped"), "{said}");
    }
}

#[test]
fn a_hangup_that_nohup_has_ignored_is_no_end() {
    let (_folder, file) = configured(&[ANYWHERE, DIRECTORY, ANALYSIS, AT_ONCE].concat());
    let mut ignoring = Command::new("sh");
    let binary = env!("CARGO_BIN_EXE_alscope-collector");
    ignoring.args(["-c", "trap '' HUP; exec \"$0\" --config \"$1\"", binary, &file]);
    let (mut running, mut lines, mut said) = ready(&mut ignoring);
    send("-HUP", &running);
    send("-TERM", &running);
    // If the hangup counted, it would be the first signal, and the second one would end the process at
    // once.
    lines.read_to_string(&mut said).unwrap();
    assert!(running.wait().unwrap().success(), "{said}");
}

#[test]
fn a_log_that_nobody_reads_does_not_keep_the_collector_from_ending_in_order() {
    let (_folder, file) = configured(&[ANYWHERE, DIRECTORY, ANALYSIS, AT_ONCE].concat());
    let (mut running, lines, _) = ready(&mut collector(&["--config", &file]));
    drop(lines);
    send("-TERM", &running);
    assert_eq!(running.wait().unwrap().code(), Some(0));
}

#[test]
fn an_error_that_nobody_reads_is_an_error_and_no_panic() {
    for (arguments, code) in [(["check", "nowhere.yaml"], 1), (["top", "nowhere"], 1)] {
        let mut running = collector(&arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop((running.stdout.take(), running.stderr.take()));
        assert_eq!(running.wait().unwrap().code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn what_is_printed_and_not_read_is_no_error() {
    let (_folder, file) = configured(&[ANYWHERE, DIRECTORY, ANALYSIS].concat());
    let mut running = collector(&["check", &file])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(running.stdout.take());
    assert_eq!(running.wait().unwrap().code(), Some(0));
}

/// Waits until a collector is ready. Returns it with its log, and the log's text so far.
fn ready(command: &mut Command) -> (Child, BufReader<ChildStderr>, String) {
    let mut running = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(running.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("receiving access logs") {
        assert_ne!(lines.read_line(&mut said).unwrap(), 0, "{said}");
    }
    (running, lines, said)
}

fn send(signal: &str, child: &Child) {
    assert!(Path::new("/proc").join(child.id().to_string()).exists());
    let sent = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

#[test]
fn a_recording_is_made_and_replayed_by_the_command_line() {
    let (folder, config) = configured("directory: { none: {} }\nanalysis: { http: mx-mesh, tcp: mx-mesh }\n");
    let file = folder.path().join("streams.als");
    let file = file.to_str().unwrap();
    let recorded = ran(&["record", "--listen", "127.0.0.1:0", "--seconds", "1", file]);
    assert!(recorded.status.success(), "{}", text(&recorded.stderr));
    let expected = "0 messages, 20 bytes; 0 messages could not be read and are left out\n";
    assert_eq!(text(&recorded.stdout), expected);
    let hiding = [
        "record",
        "--config",
        &config,
        "--listen",
        "127.0.0.1:0",
        "--seconds",
        "1",
        file,
    ];
    let recorded = ran(&hiding);
    assert!(recorded.status.success(), "{}", text(&recorded.stderr));
    let replayed = ran(&["replay", "--config", &config, file]);
    assert!(replayed.status.success(), "{}", text(&replayed.stderr));
    let printed = text(&replayed.stdout);
    assert!(
        printed.contains("alscope_entries_received_total 0\n")
            && printed.contains("alscope_analyzers_active 1\n"),
        "{printed}"
    );
    let missing = ran(&["replay", "--config", &config, "nowhere.als"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(
        text(&missing.stderr).contains("nowhere.als: No such file"),
        "{}",
        text(&missing.stderr)
    );
}
