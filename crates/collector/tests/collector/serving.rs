//! The HTTP ports as their clients see them: hosts, tags, compression, and which client is served when all
//! places are taken.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use alscope_collector::serve::connections::MAX_CONNECTIONS;
use flate2::read::GzDecoder;
use rstest::rstest;

use crate::process::Process;
use crate::running::*;

/// An HTTP response as it came.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

/// Requests `path` with these headers, on a connection of its own.
async fn asked(address: SocketAddr, path: &str, headers: &[&str]) -> Answer {
    let request = format!(
        "GET {path} HTTP/1.1\r\n{}\r\nConnection: close\r\n\r\n",
        headers.join("\r\n")
    );
    let ask = move || {
        let mut connection = TcpStream::connect(address).unwrap();
        connection
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        connection.write_all(request.as_bytes()).unwrap();
        let mut response = Vec::new();
        connection.read_to_end(&mut response).unwrap();
        response
    };
    let response = tokio::task::spawn_blocking(ask).await.unwrap();
    let end = response
        .windows(4)
        .position(|bytes| bytes == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8(response[..end].to_vec()).unwrap();
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        body: response[end + 4..].to_vec(),
        head,
    }
}

const LOCAL: &str = "Host: localhost:18080";

#[rstest]
#[case::page("/", "no-cache")]
#[case::topology("/api/v1/topology", "no-store")]
#[case::why("/api/v1/why", "no-store")]
#[case::nothing("/nothing", "no-store")]
#[case::bad_question("/api/v1/topology?window=soon", "no-store")]
#[tokio::test]
async fn no_answer_is_guessed_at_or_kept(#[case] path: &str, #[case] kept: &str) {
    let collector = Collector::start().await;
    let answer = asked(collector.web, path, &[LOCAL]).await;
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("cache-control"), Some(kept));
    let metrics = asked(collector.admin, "/metrics", &[LOCAL]).await;
    assert_eq!(metrics.header("x-content-type-options"), Some("nosniff"));
    collector.stop().await;
}

#[rstest]
#[case::page("/")]
#[case::asset("/page.js")]
#[case::topology("/api/v1/topology")]
#[case::why("/api/v1/why")]
#[case::nothing("/nothing")]
#[tokio::test]
async fn a_foreign_host_is_refused_with_the_key_that_allows_it(#[case] path: &str) {
    let collector = Collector::with("web: { hosts: [alscope.example.com] }").await;
    let answer = asked(collector.web, path, &["Host: evil.example:8080"]).await;
    let text = String::from_utf8(answer.body).unwrap();
    assert_eq!(answer.status, 403);
    assert!(text.contains("add it to web.hosts"), "{text}");
    let known = asked(collector.web, path, &["Host: alscope.example.com"]).await;
    assert_ne!(known.status, 403);
    // Probes and scrapers use whatever address they have.
    assert_eq!(
        asked(collector.admin, "/livez", &["Host: evil.example"])
            .await
            .status,
        200
    );
    collector.stop().await;
}

#[tokio::test]
async fn who_has_an_answer_is_told_so() {
    let collector = Collector::start().await;
    for path in ["/", "/page.js", "/vendor/cytoscape.min.js"] {
        let first = asked(collector.web, path, &[LOCAL]).await;
        let tag = first.header("etag").unwrap().to_owned();
        assert!(tag.starts_with('"'), "{tag}");
        let again = asked(collector.web, path, &[LOCAL, &format!("If-None-Match: {tag}")]).await;
        assert_eq!((again.status, again.body.len()), (304, 0));
        assert_eq!(
            (again.header("etag"), again.header("cache-control")),
            (Some(&*tag), Some("no-cache"))
        );
        let other = asked(collector.web, path, &[LOCAL, "If-None-Match: \"other\""]).await;
        assert_eq!(other.status, 200);
        let zipped = asked(collector.web, path, &[LOCAL, "Accept-Encoding: gzip"]).await;
        let weak = zipped.header("etag").unwrap().to_owned();
        assert_eq!(weak, format!("W/{tag}"));
        let again = asked(collector.web, path, &[LOCAL, &format!("If-None-Match: {weak}")]).await;
        assert_eq!(again.status, 304);
    }
    collector.stop().await;
}

#[tokio::test]
async fn the_same_snapshot_is_sent_once_and_the_next_one_again() {
    let collector = Collector::start().await;
    let path = "/api/v1/topology?window=60s";
    // A new snapshot comes each second; within one, the second of three questions has the tag of the first.
    let mut seen = Vec::new();
    while !seen.contains(&304) {
        let first = asked(collector.web, path, &[LOCAL]).await;
        let known = format!("If-None-Match: {}", first.header("etag").unwrap());
        seen.push(asked(collector.web, path, &[LOCAL, &known]).await.status);
        let other = asked(collector.web, "/api/v1/topology?window=5m", &[LOCAL, &known]).await;
        assert_eq!(other.status, 200);
        assert!(seen.len() < 20, "{seen:?}");
    }
    let first = asked(collector.web, path, &[LOCAL]).await;
    let known = format!("If-None-Match: {}", first.header("etag").unwrap());
    collector
        .stream(vec![first_message(vec![entry("10.0.0.2")])])
        .await;
    collector
        .until_sample("alscope_entries_received_total", 1.0)
        .await;
    let changed = asked(collector.web, path, &[LOCAL, &known]).await;
    assert_eq!(changed.status, 200);
    assert!(String::from_utf8(changed.body).unwrap().contains("demo/reviews"));
    collector.stop().await;
}

/// Joins the pieces of a chunked body.
fn joined(mut chunks: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = chunks.windows(2).position(|bytes| bytes == b"\r\n") {
        let size = std::str::from_utf8(&chunks[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        body.extend(&chunks[end + 2..end + 2 + size]);
        chunks = &chunks[end + 4 + size..];
    }
    body
}

#[tokio::test]
async fn what_is_asked_for_compressed_is_the_same_and_smaller() {
    let collector = Collector::start().await;
    for (address, path, name) in [
        (collector.admin, "/metrics", "alscope_build_info"),
        (collector.web, "/page.js", "the topology"),
        (collector.web, "/api/v1/why", "observations"),
    ] {
        let plain = asked(address, path, &[LOCAL]).await;
        assert_eq!(plain.header("content-encoding"), None);
        let zipped = asked(address, path, &[LOCAL, "Accept-Encoding: deflate, gzip;q=0.9"]).await;
        assert_eq!(zipped.header("content-encoding"), Some("gzip"), "{path}");
        assert_eq!(zipped.header("vary"), Some("accept-encoding"));
        let bytes = joined(&zipped.body);
        assert!(
            bytes.len() * 2 < plain.body.len() || plain.body.len() < 1000,
            "{path}"
        );
        let mut text = String::new();
        GzDecoder::new(&*bytes).read_to_string(&mut text).unwrap();
        assert!(text.contains(name), "{text}");
        let refused = asked(address, path, &[LOCAL, "Accept-Encoding: gzip;q=0, identity"]).await;
        assert_eq!(refused.header("content-encoding"), None);
    }
    collector.stop().await;
}

#[tokio::test]
async fn strangers_that_keep_connections_open_keep_no_probe_and_no_page_out() {
    let collector = Collector::start().await;
    for (address, path, port) in [(collector.admin, "/livez", "admin"), (collector.web, "/", "web")] {
        let slow = move || {
            let slow: Vec<TcpStream> = (0..2 * MAX_CONNECTIONS)
                .map(|_| {
                    let mut connection = TcpStream::connect(address).unwrap();
                    connection
                        .write_all(b"GET /metrics HTTP/1.1\r\nHost: lo")
                        .unwrap();
                    connection
                })
                .collect();
            slow
        };
        let slow = tokio::task::spawn_blocking(slow).await.unwrap();
        for _ in 0..10 {
            assert_eq!(asked(address, path, &[LOCAL]).await.status, 200);
        }
        let cut = format!("alscope_http_connections_cut_total{{port=\"{port}\",reason=\"too-many\"}}");
        let counted =
            async |collector: &Collector| collector.sample(&cut).await >= (MAX_CONNECTIONS + 1) as f64;
        collector.until(&cut, counted).await;
        let open = collector
            .sample(&format!("alscope_http_connections{{port=\"{port}\"}}"))
            .await;
        assert!(open > 10.0 && open <= MAX_CONNECTIONS as f64, "{open}");
        drop(slow);
    }
    collector.stop().await;
}

#[tokio::test]
async fn half_a_request_keeps_the_collector_from_nothing() {
    let collector = Collector::start().await;
    let mut half = TcpStream::connect(collector.admin).unwrap();
    half.write_all(b"GET /livez HTTP/1.1\r\nHost: lo").unwrap();
    let mut body = TcpStream::connect(collector.web).unwrap();
    body.write_all(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf")
        .unwrap();
    tokio::time::timeout(Duration::from_secs(4), collector.stop())
        .await
        .unwrap();
}

#[tokio::test]
async fn the_process_is_shown_as_prometheus_clients_show_theirs() {
    let process = Process::start("http: k8s-mesh, tcp: k8s-mesh");
    let (_, metrics) = get(process.admin, "/metrics").await;
    let value = |name: &str| -> f64 {
        let (_, rest) = metrics.split_once(&format!("\n{name} ")).unwrap();
        rest.lines().next().unwrap().parse().unwrap()
    };
    let near = |one: f64, other: usize| one > other as f64 / 2.0 && one < other as f64 * 2.0;
    assert!(near(
        value("process_resident_memory_bytes"),
        process.resident_bytes()
    ));
    assert!(near(
        value("process_virtual_memory_bytes"),
        process.status("VmSize:") * 1024
    ));
    assert!(near(value("process_threads"), process.status("Threads:")));
    assert!(value("process_cpu_seconds_total") >= 0.0);
    let files = process.open_files();
    assert!(near(value("process_open_fds"), files) && value("process_max_fds") >= files as f64);
    let now = jiff::Timestamp::now().as_second() as f64;
    let started = value("process_start_time_seconds");
    assert!(started > now - 600.0 && started <= now + 1.0, "{started}");
    process.stop();
}
