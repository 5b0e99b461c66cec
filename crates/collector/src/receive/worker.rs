//! A worker thread. Its single-threaded runtime owns its connections from their first byte to their last.

use std::convert::Infallible;
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::runtime::Runtime;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::Handler;
use super::activity::Activity;
use super::admission::Admission;
use super::buffer_budget::PendingMessages;
use super::buffer_pool::BufferPool;
use super::ending::{END_DEADLINE, Ending};
use super::limits::{ConnectionPlace, EndReason, Usage};
use super::service::Service;
use super::socket::Socket;

/// How many bytes a client may send ahead, on one stream and on all streams of a connection together.
/// Larger windows push data in flight out of the second-level cache: 4 MiB cost 30 % of the throughput.
pub const WINDOW_BYTES: u32 = 128 * 1024;
/// The largest payload of a frame, which is HTTP/2's default. Larger frames gain nothing, because messages
/// are cut out of frames without a copy.
pub const FRAME_BYTES: u32 = 16 * 1024;
/// The time between two pings. An unanswered ping reveals a client that vanished.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// How long GOAWAY may take to be sent to a client whose connection is of no use.
const GOAWAY_DEADLINE: Duration = Duration::from_millis(100);
/// How many accepted connections may wait for their worker.
const HANDOVER_CONNECTIONS: usize = 64;

/// The acceptor's handle of a worker.
#[derive(Debug)]
pub struct Worker {
    handover: Handover,
    thread: JoinHandle<()>,
}

/// The sender through which the acceptor gives connections to a worker.
#[derive(Debug)]
pub struct Handover {
    usage: Arc<Usage>,
    connections: Arc<AtomicUsize>,
    accepted: mpsc::Sender<(TcpStream, ConnectionPlace)>,
}

/// The work of a worker's thread: it serves the connections that are handed over.
#[derive(Debug)]
pub struct Work<H> {
    runtime: Runtime,
    ingest: Ingest<H>,
    accepted: mpsc::Receiver<(TcpStream, ConnectionPlace)>,
}

impl Worker {
    /// Starts a worker thread, which waits for its first connection.
    pub fn start<H: Handler>(
        number: usize,
        handler: H,
        usage: Arc<Usage>,
        stopping: CancellationToken,
    ) -> std::io::Result<Self> {
        let (handover, work) = work(handler, usage, stopping)?;
        let thread = std::thread::Builder::new()
            .name(format!("ingest-{number}"))
            .spawn(move || work.run())?;
        Ok(Worker { handover, thread })
    }

    /// How many connections the worker has.
    pub fn connections(&self) -> usize {
        self.handover.connections.load(Ordering::Relaxed)
    }

    /// Completes when the worker takes no more connections because its thread is gone.
    pub async fn is_gone(&self) {
        self.handover.accepted.closed().await;
    }

    /// Gives the worker a connection.
    pub async fn hand_over(&self, connection: TcpStream, peer: IpAddr) {
        self.handover.give(connection, peer).await;
    }

    /// Lets the worker end its connections, and waits for its thread. Blocks the calling thread.
    pub fn join(self) {
        drop(self.handover);
        // The panic hook has already printed a worker's panic, and the collector is ending anyway.
        drop(self.thread.join());
    }
}

impl Handover {
    /// Gives the worker a connection. Closes it if its client's address has no place left.
    pub async fn give(&self, connection: TcpStream, peer: IpAddr) {
        let place = match self.usage.connection(peer) {
            Ok(place) => place,
            Err(reason) => return debug!(reason = reason.as_str(), %peer, "connection refused"),
        };
        self.connections.fetch_add(1, Ordering::Relaxed);
        if self.accepted.send((connection, place)).await.is_err() {
            self.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Creates the work of a worker, for a thread of its own, and the sender of its connections.
pub fn work<H: Handler>(
    handler: H,
    usage: Arc<Usage>,
    stopping: CancellationToken,
) -> std::io::Result<(Handover, Work<H>)> {
    let (sender, accepted) = mpsc::channel(HANDOVER_CONNECTIONS);
    let connections = Arc::new(AtomicUsize::new(0));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let ingest = Ingest {
        handler,
        usage: usage.clone(),
        buffers: Arc::default(),
        stopping,
        connections: connections.clone(),
    };
    let handover = Handover {
        usage,
        connections,
        accepted: sender,
    };
    let work = Work {
        runtime,
        ingest,
        accepted,
    };
    Ok((handover, work))
}

impl<H: Handler> Work<H> {
    /// Serves until the sender is gone and the last connection has ended. Blocks the calling thread.
    pub fn run(self) {
        self.runtime.block_on(self.ingest.run(self.accepted));
    }
}

#[derive(Debug)]
struct Ingest<H> {
    handler: H,
    usage: Arc<Usage>,
    buffers: Arc<BufferPool>,
    stopping: CancellationToken,
    connections: Arc<AtomicUsize>,
}

impl<H: Handler> Ingest<H> {
    async fn run(self, mut accepted: mpsc::Receiver<(TcpStream, ConnectionPlace)>) {
        let mut tasks = JoinSet::new();
        let admission = Admission::default();
        loop {
            tokio::select! {
                // Finished tasks come first. Otherwise their results would pile up while connections keep
                // coming.
                biased;
                Some(_) = tasks.join_next() => { self.connections.fetch_sub(1, Ordering::Relaxed); }
                next = accepted.recv() => match next {
                    Some((connection, place)) => { tasks.spawn(self.connection(connection, place, &admission)); }
                    None => break,
                },
            }
        }
        while tasks.join_next().await.is_some() {
            self.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn connection(
        &self,
        connection: TcpStream,
        place: ConnectionPlace,
        admission: &Admission,
    ) -> impl Future<Output = ()> + Send + 'static {
        let ending = Ending::new(&self.stopping);
        let (usage, peer) = (self.usage.clone(), place.address());
        let handshake = Arc::new(admission.handshake(place.handshakes()));
        let activity = Activity::new();
        let service = Service {
            handler: self.handler.clone(),
            usage: self.usage.clone(),
            pending: Arc::new(PendingMessages::new(&usage, place.share_of_peer())),
            buffers: self.buffers.clone(),
            place: Arc::new(place),
            activity: activity.clone(),
            handshake: handshake.clone(),
            ending: ending.clone(),
            answerable: Arc::default(),
        };
        usage.came.send_replace(());
        async move {
            let Ok(connection) = tokio::net::TcpStream::from_std(connection) else {
                return;
            };
            let service = service_fn(move |request| {
                let service = service.clone();
                async move { Ok::<_, Infallible>(service.serve(request).await) }
            });
            let flood = Arc::new(Notify::new());
            let socket = Socket::new(connection, handshake.clone(), flood.clone());
            let mut served = Box::pin(protocol(&usage).serve_connection(TokioIo::new(socket), service));
            let of_no_use = async {
                tokio::select! {
                    () = flood.notified() => EndReason::Flood,
                    ended = activity.ends() => ended,
                }
            };
            let result = tokio::select! {
                result = served.as_mut() => result,
                never = handshake.complete_in_time() => match never {},
                ended = of_no_use => {
                    usage.end(ended);
                    debug!(reason = ended.as_str(), %peer, "ended a connection");
                    served.as_mut().graceful_shutdown();
                    tokio::time::timeout(GOAWAY_DEADLINE, served.as_mut()).await.unwrap_or(Ok(()))
                }
                () = ending.at(usage.limits().connection_age) => {
                    served.as_mut().graceful_shutdown();
                    tokio::time::timeout(END_DEADLINE, served.as_mut()).await.unwrap_or(Ok(()))
                }
            };
            // Streams learn that no more data comes when the connection is dropped.
            drop(served);
            ending.read_rest().await;
            if let Err(error) = result {
                debug!(%error, %peer, "connection ended");
            }
        }
    }
}

/// Configures HTTP/2 as the server speaks it.
fn protocol(usage: &Usage) -> http2::Builder<TokioExecutor> {
    let streams = u32::try_from(usage.limits().streams_per_connection).unwrap_or(u32::MAX);
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES)
        .max_concurrent_streams(streams)
        .keep_alive_interval(PING_INTERVAL);
    builder
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Read as _;
    use std::net::{Ipv4Addr, TcpListener};

    use alscope_analysis::accounting::Rejected;
    use alscope_collector_config::Limits;
    use tokio::time::Instant;

    use super::*;
    use crate::receive::admission::{HANDSHAKE_TIMEOUT, MAX_CONCURRENT_HANDSHAKES};
    use crate::receive::listener::{Listener, listen};
    use crate::receive::method::Method;

    #[derive(Clone)]
    struct Nothing;

    impl Handler for Nothing {
        type Stream = ();

        fn begin(&self, _: Method) -> Option<()> {
            Some(())
        }

        async fn message(&self, (): &mut (), _: &[u8]) {}

        fn reject(&self, (): &mut (), _: Rejected) {}
    }

    #[tokio::test]
    async fn silent_connections_keep_nobody_waiting() {
        let stopping = CancellationToken::new();
        let worker = Worker::start(0, Nothing, Usage::new(Limits::default()), stopping.clone()).unwrap();
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let mut clients = Vec::new();
        let begun = Instant::now();
        for _ in 0..=2 * MAX_CONCURRENT_HANDSHAKES {
            clients.push(TcpStream::connect(address).unwrap());
            let (connection, peer) = socket.accept().unwrap();
            connection.set_nonblocking(true).unwrap();
            worker.hand_over(connection, peer.ip()).await;
        }
        // The server's SETTINGS frame is the first thing that a client receives.
        let mut last = clients.pop().unwrap();
        last.set_read_timeout(Some(20 * HANDSHAKE_TIMEOUT)).unwrap();
        last.read_exact(&mut [0; 9]).unwrap();
        assert!(begun.elapsed() < HANDSHAKE_TIMEOUT, "{:?}", begun.elapsed());
        stopping.cancel();
        tokio::task::spawn_blocking(|| worker.join()).await.unwrap();
    }

    /// A handler that panics, as if the program had a fault.
    pub(crate) struct Faulty;

    impl Clone for Faulty {
        fn clone(&self) -> Self {
            unreachable!("the fault of this test")
        }
    }

    impl Handler for Faulty {
        type Stream = ();

        fn begin(&self, _: Method) -> Option<()> {
            None
        }

        async fn message(&self, (): &mut (), _: &[u8]) {}

        fn reject(&self, (): &mut (), _: Rejected) {}
    }

    #[tokio::test]
    async fn a_worker_that_dies_ends_the_listener_with_an_error() {
        let stopping = CancellationToken::new();
        let usage = Usage::new(Limits::default());
        let faulty = Worker::start(0, Faulty, usage.clone(), stopping.clone()).unwrap();
        let sound = Worker::start(1, Nothing, usage, stopping.clone()).unwrap();
        let socket = listen((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = socket.local_addr().unwrap();
        let listening = Listener::new(socket, vec![faulty, sound]).run(stopping.clone());
        // The worker with the fewest connections gets the next one, so one of the first two gets to the
        // faulty worker.
        let clients = [(); 2].map(|()| TcpStream::connect(address).unwrap());
        let ended = tokio::time::timeout(Duration::from_secs(20), listening);
        assert!(ended.await.unwrap().is_err());
        assert!(stopping.is_cancelled());
        drop(clients);
    }
}
