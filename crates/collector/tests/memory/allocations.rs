//! Measures a worker's allocations, from the socket to the counted entries, with real streams over loopback
//! in steady state.
//!
//! A worker's whole life is measured on its own thread, for a number of messages and for twice as many. The
//! difference is what that many messages allocate, without the connection, the stream and the first
//! identity.

use std::convert::Infallible;
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;

use als_proto::messages::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use alscope_analysis::accounting::Rejected;
use alscope_analysis::aggregate::registry::Registry;
use alscope_analysis::shard::Shard;
use alscope_collector::configure::shards::shard;
use alscope_collector::directory::{empty, file};
use alscope_collector::envoy_metrics::Proxies;
use alscope_collector::export::exporters::Queues;
use alscope_collector::ingest::{Ingest, StreamState};
use alscope_collector::receive::Handler;
use alscope_collector::receive::limits::Usage;
use alscope_collector::receive::method::{METHODS, Method};
use alscope_collector::receive::worker::{FRAME_BYTES, WINDOW_BYTES, work};
use parking_lot::Mutex;

use alscope_collector_config::Config;
use arc_swap::ArcSwap;
use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt as _, Empty, StreamBody};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use rstest::rstest;
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::entries::{first_message, known, message, unknown};

/// Messages after which one more takes what any other does.
const MESSAGES: usize = 100;

const CLUSTER: &str = r#"
kind: List
items:
- {kind: Pod, metadata: {name: productpage, namespace: demo, uid: "1"}, spec: {containers: []}, status: {podIP: 10.0.0.1}}
- {kind: Pod, metadata: {name: reviews, namespace: demo, uid: "2"}, spec: {containers: []}, status: {podIP: 10.0.0.2}}
"#;

/// Takes messages as the collector does, and reports each, so that the next one is sent only after that.
#[derive(Clone)]
struct Told {
    ingest: Ingest,
    taken: Arc<Semaphore>,
}

impl Handler for Told {
    type Stream = StreamState;

    fn begin(&self, method: Method) -> Option<StreamState> {
        self.ingest.begin(method)
    }

    async fn message(&self, stream: &mut StreamState, message: &[u8]) {
        self.ingest.message(stream, message).await;
        self.taken.add_permits(1);
    }

    fn reject(&self, stream: &mut StreamState, reason: Rejected) {
        self.ingest.reject(stream, reason);
    }
}

/// The parts that all lives of a worker share.
struct Collector {
    config: Config,
    shard: Arc<Mutex<Shard>>,
    handler: Told,
}

impl Collector {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("cluster.yaml"), CLUSTER).unwrap();
        let text = "directory: { file: cluster.yaml }\nanalysis: { http: k8s-mesh, tcp: k8s-mesh }\n";
        let config = Config::parse(text, &folder.path().join("collector.yaml")).unwrap();
        let mut state = empty(&config);
        file::load(&folder.path().join("cluster.yaml"), &mut state).unwrap();
        let directory = state.publish().unwrap();
        let shard = shard(&config, &Arc::new(Registry::default()), None);
        let ingest = Ingest {
            shard: shard.clone(),
            directory: Arc::new(ArcSwap::from_pointee(directory)),
            proxies: Arc::new(Proxies::default()),
            accept_metrics_service: true,
            exporters: Queues::default(),
        };
        let taken = Arc::new(Semaphore::new(0));
        Collector {
            config,
            shard,
            handler: Told { ingest, taken },
        }
    }

    /// Allocations of a worker that takes one stream of these messages.
    fn allocations(&self, messages: impl IntoIterator<Item = StreamAccessLogsMessage>) -> u64 {
        let usage = Usage::new(self.config.limits);
        let (handover, work) = work(self.handler.clone(), usage, CancellationToken::new()).unwrap();
        let worker = std::thread::spawn(|| allocation_counter::measure(|| work.run()).count_total);
        let (client, accepted) = sockets();
        let messages = std::iter::once(first_message()).chain(messages);
        runtime().block_on(async {
            handover.give(accepted, Ipv4Addr::LOCALHOST.into()).await;
            stream(
                client,
                messages.map(|message| framed(&message)),
                &self.handler.taken,
            )
            .await;
        });
        drop(handover);
        worker.join().unwrap()
    }

    /// Returns the allocations of this many messages with one known entry each.
    fn of_messages(&self, entries: usize) -> f64 {
        let message = message(vec![known(); entries]);
        self.allocations([message.clone()]);
        each(|count| self.allocations(std::iter::repeat_n(message.clone(), count)))
    }
}

/// Returns what each of many allocates, from what that many and twice as many allocate.
fn each(allocations: impl Fn(usize) -> u64) -> f64 {
    let [once, twice] = [MESSAGES, 2 * MESSAGES].map(allocations);
    (twice as f64 - once as f64) / MESSAGES as f64
}

/// Returns the allocations of HTTP/2 alone: hyper with the same settings reads a message and throws it
/// away.
fn of_transport(entries: usize) -> f64 {
    let message = framed(&message(vec![known(); entries]));
    each(|count| {
        let (client, accepted) = sockets();
        let taken = Arc::new(Semaphore::new(0));
        let discard = discard(accepted, message.len(), taken.clone());
        let server = move || allocation_counter::measure(|| runtime().block_on(discard)).count_total;
        let server = std::thread::spawn(server);
        runtime().block_on(stream(
            client,
            std::iter::repeat_n(message.clone(), count),
            &taken,
        ));
        server.join().unwrap()
    })
}

/// Serves one stream of messages of `bytes` each, and reports each whole one.
async fn discard(socket: TcpStream, bytes: usize, taken: Arc<Semaphore>) {
    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let taken = taken.clone();
        async move {
            let mut body = request.into_body();
            let mut read = 0;
            while let Some(frame) = body.frame().await {
                read += frame.unwrap().into_data().unwrap().len();
                taken.add_permits(read / bytes);
                read %= bytes;
            }
            Ok::<_, Infallible>(http::Response::new(Empty::<Bytes>::new()))
        }
    });
    let socket = TokioIo::new(tokio::net::TcpStream::from_std(socket).unwrap());
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    builder
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES);
    builder.serve_connection(socket, service).await.unwrap();
}

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

/// Returns the two ends of a connection over loopback.
fn sockets() -> (TcpStream, TcpStream) {
    let listening = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let client = TcpStream::connect(listening.local_addr().unwrap()).unwrap();
    let (accepted, _) = listening.accept().unwrap();
    for socket in [&client, &accepted] {
        socket.set_nonblocking(true).unwrap();
        // A message's last frame must not wait for the acknowledgement of the one before it.
        socket.set_nodelay(true).unwrap();
    }
    (client, accepted)
}

/// Puts the gRPC prefix before a message.
fn framed(message: &StreamAccessLogsMessage) -> Bytes {
    let message = message.encode_to_vec();
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0][..], &length, &message].concat().into()
}

/// Sends one stream of messages, each when the one before it was taken.
async fn stream(socket: TcpStream, messages: impl Iterator<Item = Bytes>, taken: &Semaphore) {
    let socket = TokioIo::new(tokio::net::TcpStream::from_std(socket).unwrap());
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), socket);
    let (mut sender, connection) = handshake.await.unwrap();
    let mut running = JoinSet::new();
    running.spawn(async move { connection.await.unwrap() });
    let (bytes, receiver) = mpsc::channel::<Bytes>(1);
    let frames = futures::stream::unfold(receiver, async |mut receiver| {
        let bytes = receiver.recv().await?;
        Some((Ok::<_, Infallible>(Frame::data(bytes)), receiver))
    });
    let (path, _) = METHODS[0];
    let request = http::Request::post(format!("http://localhost{path}"))
        .header("content-type", "application/grpc")
        .body(StreamBody::new(Box::pin(frames)))
        .unwrap();
    running.spawn(async move {
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.headers().get("grpc-status"), None);
    });
    for message in messages {
        bytes.send(message).await.unwrap();
        taken.acquire().await.unwrap().forget();
    }
    drop(bytes);
    running.join_all().await;
}

#[rstest]
#[case::one_entry(1, 1)]
#[case::a_frame_full(32, 1)]
#[case::a_sidecars_message(33, 2)]
#[case::three_frames(66, 3)]
fn a_known_message_allocates_nothing_but_what_http_2_does(#[case] entries: usize, #[case] frames: usize) {
    assert_eq!(
        framed(&message(vec![known(); entries]))
            .len()
            .div_ceil(FRAME_BYTES as usize),
        frames
    );
    let collector = Collector::new();
    let of_message = collector.of_messages(entries);
    // h2 reads each further frame of a message into a new buffer, unless the one before it was read
    // meanwhile.
    assert!(of_message <= 3.0 * (frames - 1) as f64, "{of_message}");
    let of_transport = of_transport(entries);
    assert!(
        of_message < of_transport + 0.5,
        "{of_message} instead of {of_transport}"
    );
    let counted = collector.shard.lock().take_accounting();
    assert_eq!(counted.attributed, ((1 + 3 * MESSAGES) * entries) as u64);
}

/// Identities of a message.
const IDENTITIES: usize = 12;
/// Identities of a round.
const ROUND: usize = 400 * IDENTITIES;
/// Rounds in which a worker has met more than it remembers of identities that are known by so many bytes.
const ROUNDS: usize = 40;
const BYTES: usize = 800;
/// So much is looked up anew each time.
const TOO_MANY_BYTES: usize = 1100;

#[test]
fn an_identity_that_takes_the_place_of_another_allocates_no_more_than_its_lookup() {
    let collector = Collector::new();
    let round = |number: usize, bytes: usize| {
        let identities: Vec<usize> = (number * ROUND..(number + 1) * ROUND).collect();
        let messages = identities.chunks(IDENTITIES).map(|identities| {
            let entries = identities.iter().map(|identity| unknown(*identity, bytes));
            message(entries.collect())
        });
        collector.allocations(messages) as f64 / ROUND as f64
    };
    let [_, of_lookup] = [0, 0].map(|number| round(number, TOO_MANY_BYTES));
    let is_lookup = |allocations: f64| allocations < of_lookup + 0.2;
    let mut rounds = (1..ROUNDS).map(|number| round(number, BYTES));
    assert!(rounds.any(is_lookup), "it remembers more and more");
    let next = rounds.next().unwrap();
    assert!(is_lookup(next), "{next} instead of {of_lookup}");
}
