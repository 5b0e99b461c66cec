//! Malicious clients on many connections and from many addresses, with honest clients beside them.

use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use als_proto::messages::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use tokio::net::TcpSocket;
use tokio::time::Instant;

use crate::bad_streams::framed;
use crate::process::Process;
use crate::raw_client::RawClient;
use crate::running::*;

const GOAWAY: u8 = 7;

/// The address of another client.
pub(crate) fn stranger(number: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, 100 + number).into()
}

/// Connects from another address of this machine.
pub(crate) async fn connected(from: IpAddr, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    let socket = socket.connect(to).await.unwrap().into_std().unwrap();
    socket.set_nonblocking(false).unwrap();
    socket
}

/// Threads that attack again and again until they are told to stop.
#[derive(Default)]
struct Attackers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Attackers {
    /// Adds a thread. Its `attack` can ask whether to go on.
    fn add(&mut self, mut attack: impl FnMut(&dyn Fn() -> bool) + Send + 'static) {
        let stop = self.stop.clone();
        self.threads.push(std::thread::spawn(move || {
            let goes_on = || !stop.load(Ordering::Relaxed);
            while goes_on() {
                attack(&goes_on);
            }
        }));
    }

    /// Stops the attackers. The collector accepts on the test's own thread, which must not wait for a
    /// thread that connects.
    async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        let join = || self.threads.into_iter().try_for_each(JoinHandle::join);
        tokio::task::spawn_blocking(join).await.unwrap().unwrap();
    }
}

fn connected_blocking(from: IpAddr, to: SocketAddr) -> RawClient {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    RawClient::over(runtime.block_on(connected(from, to)))
}

/// A proxy's first message, which is longer than a frame.
fn large_message() -> StreamAccessLogsMessage {
    first_message(vec![entry("10.0.0.2"); 500])
}

/// Opens streams one after the other, each on a connection of its own and with a large message. Returns the
/// longest time that one of them took.
async fn honest_streams(collector: &Collector, count: usize) -> Duration {
    let mut longest = Duration::ZERO;
    for _ in 0..count {
        let begun = Instant::now();
        collector.stream(vec![large_message()]).await;
        longest = longest.max(begun.elapsed());
    }
    longest
}

/// Runs honest streams beside stalled messages from several addresses. The first `bytes` of each are sent
/// at once, then one byte now and then.
async fn beside_stalled_messages(bytes: usize, addresses: u8) {
    let collector = Collector::with("limits: { bufferedBytes: 4194304 }").await;
    let (sent, rest) = (framed(0, &[7; 1_000_000])[..bytes].to_vec(), [7]);
    let mut attackers = Attackers::default();
    for number in 0..4 * addresses {
        let (grpc, sent) = (collector.grpc, sent.clone());
        attackers.add(move |goes_on| {
            let mut client = connected_blocking(stranger(number % addresses), grpc);
            let streams: Vec<u32> = (0..15).map(|_| client.open_stream()).collect();
            for stream in &streams {
                client.send(*stream, &sent);
            }
            for _ in 0..4 {
                if goes_on() {
                    std::thread::park_timeout(Duration::from_millis(400));
                    for stream in &streams {
                        client.send(*stream, &rest);
                    }
                }
            }
        });
    }
    collector
        .until("the attack", async |collector| {
            collector.sample("alscope_streams").await >= 60.0
        })
        .await;
    let longest = honest_streams(&collector, 100).await;
    let metrics = collector.get(collector.admin, "/metrics").await.1;
    attackers.stop().await;
    collector
        .until_sample("alscope_entries_received_total", 50_000.0)
        .await;
    let told = metrics
        .lines()
        .filter(|line| line.contains("no-room") || line.starts_with("alscope_connections"));
    println!(
        "{addresses} addresses, {bytes} bytes each: longest {longest:?}; {:?}",
        told.collect::<Vec<_>>()
    );
    assert!(longest < Duration::from_secs(2), "{longest:?}");
    collector.stop().await;
}

#[tokio::test]
async fn messages_that_announce_much_and_send_little_hold_up_nobody() {
    beside_stalled_messages(11, 1).await;
}

#[tokio::test]
async fn messages_of_many_addresses_that_fill_all_room_and_stall_hold_up_nobody() {
    beside_stalled_messages(8000, 8).await;
}

#[tokio::test]
async fn silent_connections_do_not_make_a_new_proxy_wait() {
    let collector = Collector::start().await;
    let mut silent = Vec::new();
    for number in 0..1200 {
        silent.push(connected(stranger(u8::try_from(number % 3).unwrap()), collector.grpc).await);
    }
    let longest = honest_streams(&collector, 5).await;
    println!("{} silent connections: longest {longest:?}", silent.len());
    assert!(longest < Duration::from_secs(1), "{longest:?}");
    collector
        .until_sample("alscope_entries_received_total", 2500.0)
        .await;
    drop(silent);
    collector.until_sample("alscope_connections", 0.0).await;
    collector.stop().await;
}

#[tokio::test]
async fn a_connection_that_never_speaks_is_ended_and_counted() {
    let collector = Collector::start().await;
    let mut silent = connected(stranger(0), collector.grpc).await;
    collector.until_sample("alscope_connections", 1.0).await;
    silent.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let ended = tokio::task::spawn_blocking(move || silent.read_to_end(&mut Vec::new()));
    assert!(ended.await.unwrap().is_ok());
    collector
        .until_sample("alscope_connections_ended_total{reason=\"silent\"}", 1.0)
        .await;
    collector.until_sample("alscope_connections", 0.0).await;
    collector.stop().await;
}

#[tokio::test]
async fn a_flood_of_pings_is_ended_with_a_goaway_and_counted() {
    let collector = Collector::start().await;
    let grpc = collector.grpc;
    let flood = move || {
        let mut client = RawClient::connect(grpc);
        client.ping(400).unwrap();
        client.until_read();
        // The collector may end the connection before everything is written.
        drop(client.ping(400));
        client.until_ended()
    };
    let kinds = tokio::task::spawn_blocking(flood).await.unwrap();
    assert!(kinds.contains(&GOAWAY), "{kinds:?}");
    collector
        .until_sample("alscope_connections_ended_total{reason=\"flood\"}", 1.0)
        .await;
    collector.stop().await;
}

#[tokio::test]
async fn floods_that_come_back_again_and_again_keep_no_stream_waiting() {
    let collector = Collector::start().await;
    let mut attackers = Attackers::default();
    for _ in 0..4 {
        let grpc = collector.grpc;
        attackers.add(move |goes_on| {
            let mut client = connected_blocking(stranger(0), grpc);
            while goes_on() && client.ping(1000).is_ok() {}
        });
    }
    let is_ended = async |collector: &Collector| {
        collector
            .sample("alscope_connections_ended_total{reason=\"flood\"}")
            .await
            >= 4.0
    };
    collector.until("four floods", is_ended).await;
    let longest = honest_streams(&collector, 50).await;
    attackers.stop().await;
    println!("4 floods: longest {longest:?}");
    assert!(longest < Duration::from_secs(1), "{longest:?}");
    collector
        .until_sample("alscope_entries_received_total", 25_000.0)
        .await;
    collector.stop().await;
}

#[tokio::test]
async fn a_rapid_reset_that_comes_back_again_and_again_fills_no_log() {
    let collector = Process::start("http: k8s-mesh, tcp: k8s-mesh");
    let grpc = collector.grpc;
    let resets = move || {
        for _ in 0..60 {
            let mut client = RawClient::connect(grpc);
            client.open_and_reset(100);
            assert!(client.until_ended().contains(&GOAWAY));
        }
    };
    tokio::task::spawn_blocking(resets).await.unwrap();
    collector.metrics_with(&[("alscope_connections", 0)]).await;
    let printed = collector.stop().stderr;
    let warnings = printed.lines().filter(|line| line.contains("WARN")).count();
    assert!((1..=20).contains(&warnings), "{warnings}: {printed}");
}

#[tokio::test]
async fn connections_beyond_the_bounds_are_closed_and_counted() {
    let collector = Collector::with("limits: { connections: 8 }").await;
    let mut open = Vec::new();
    for number in [0, 0, 1, 1, 2, 2] {
        open.push(connected(stranger(number), collector.grpc).await);
    }
    collector.until_sample("alscope_connections", 6.0).await;
    let refused = |reason: &str| format!("alscope_connections_refused_total{{reason=\"{reason}\"}}");
    let third = connected(stranger(0), collector.grpc).await;
    collector.until_sample(&refused("too-many-of-peer"), 1.0).await;
    for number in [3, 4] {
        open.push(connected(stranger(number), collector.grpc).await);
    }
    collector.until_sample("alscope_connections", 8.0).await;
    let ninth = connected(stranger(5), collector.grpc).await;
    collector.until_sample(&refused("too-many"), 1.0).await;
    for mut closed in [third, ninth] {
        assert_eq!(closed.read(&mut [0]).unwrap(), 0);
    }
    drop(open);
    collector.until_sample("alscope_connections", 0.0).await;
    collector.stream(vec![large_message()]).await;
    collector.stop().await;
}

#[tokio::test]
async fn with_few_open_files_some_are_left_to_scrapes() {
    let collector = Process::with_open_files("http: k8s-mesh, tcp: k8s-mesh", "512");
    let mut open = Vec::new();
    for number in 0..6 * 64 {
        open.push(connected(stranger(u8::try_from(number / 64).unwrap()), collector.grpc).await);
    }
    let refused = "alscope_connections_refused_total{reason=\"too-many\"}";
    collector
        .metrics_with(&[("alscope_connections", 256), (refused, 128)])
        .await;
    drop(open);
    let printed = collector.stop();
    assert!(
        printed.stderr.contains("only 256 connections are served"),
        "{}",
        printed.stderr
    );
}
