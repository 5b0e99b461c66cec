//! A worker thread: a current-thread runtime that owns its connections from accept to end.

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
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::Handler;
use super::arrival::{Arrival, Arrivals};
use super::ending::{END_DEADLINE, Ending};
use super::limits::Usage;
use super::service::Service;
use super::spare::Spare;

/// Bytes that a client may send ahead, on one stream and on all streams of a connection together. Larger windows push data in
/// flight out of the second-level cache: 4 MiB cost 30 % of the throughput.
pub const WINDOW: u32 = 128 * 1024;
/// Bytes of a frame. HTTP/2's default; larger frames buy nothing once messages are cut from frames without a copy.
pub const FRAME: u32 = 16 * 1024;
/// A peer that vanished without a word is found by an unanswered ping.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// Accepted connections that wait for their worker.
const HANDOVER: usize = 64;

/// The acceptor's side of a worker.
#[derive(Debug)]
pub struct Worker {
    handover: Handover,
    thread: JoinHandle<()>,
}

/// Where the acceptor puts a worker's connections.
#[derive(Debug)]
pub struct Handover {
    connections: Arc<AtomicUsize>,
    accepted: mpsc::Sender<(TcpStream, IpAddr)>,
}

/// What a worker's thread does: serves the connections that are handed over.
#[derive(Debug)]
pub struct Work<H> {
    runtime: Runtime,
    ingest: Ingest<H>,
    accepted: mpsc::Receiver<(TcpStream, IpAddr)>,
}

impl Worker {
    /// Starts a worker thread.
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

    /// Connections that it has.
    pub fn connections(&self) -> usize {
        self.handover.connections.load(Ordering::Relaxed)
    }

    /// Hands it a connection.
    pub async fn hand_over(&self, connection: TcpStream, peer: IpAddr) {
        self.handover.give(connection, peer).await;
    }

    /// Lets it end its connections, then its thread. Blocks.
    pub fn join(self) {
        drop(self.handover);
        // A worker's panic was printed when it happened; the collector is ending anyway.
        drop(self.thread.join());
    }
}

impl Handover {
    /// Gives the worker a connection.
    pub async fn give(&self, connection: TcpStream, peer: IpAddr) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        if self.accepted.send((connection, peer)).await.is_err() {
            self.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// A worker's work, for a thread of its own, and where it gets its connections from.
pub fn work<H: Handler>(
    handler: H,
    usage: Arc<Usage>,
    stopping: CancellationToken,
) -> std::io::Result<(Handover, Work<H>)> {
    let (sender, accepted) = mpsc::channel(HANDOVER);
    let connections = Arc::new(AtomicUsize::new(0));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let ingest = Ingest {
        handler,
        usage,
        spare: Arc::default(),
        stopping,
        connections: connections.clone(),
    };
    let handover = Handover {
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
    /// Serves until the other end of the handover is gone and the last connection has ended. Blocks.
    pub fn run(self) {
        self.runtime.block_on(self.ingest.run(self.accepted));
    }
}

#[derive(Debug)]
struct Ingest<H> {
    handler: H,
    usage: Arc<Usage>,
    spare: Arc<Spare>,
    stopping: CancellationToken,
    connections: Arc<AtomicUsize>,
}

impl<H: Handler> Ingest<H> {
    async fn run(self, mut accepted: mpsc::Receiver<(TcpStream, IpAddr)>) {
        let mut tasks = JoinSet::new();
        let arrivals = Arrivals::default();
        loop {
            let next = async {
                let arrival = arrivals.next().await;
                Some((accepted.recv().await?, arrival))
            };
            tokio::select! {
                // Finished tasks first: their results must not pile up while connections keep coming.
                biased;
                Some(_) = tasks.join_next() => { self.connections.fetch_sub(1, Ordering::Relaxed); }
                next = next => match next {
                    Some((accepted, arrival)) => { tasks.spawn(self.connection(accepted, arrival)); }
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
        (connection, peer): (TcpStream, IpAddr),
        arrival: Arrival,
    ) -> impl Future<Output = ()> + Send + 'static {
        let ending = Ending::new(&self.stopping);
        let arrival = Arc::new(arrival);
        let service = Service {
            handler: self.handler.clone(),
            usage: self.usage.clone(),
            unfinished: Arc::default(),
            spare: self.spare.clone(),
            peer,
            arrival: arrival.clone(),
            ending: ending.clone(),
            answerable: Arc::default(),
        };
        let age = self.usage.limits().connection_age;
        self.usage.came.send_replace(());
        let streams = u32::try_from(self.usage.limits().streams_per_connection).unwrap_or(u32::MAX);
        async move {
            let Ok(connection) = tokio::net::TcpStream::from_std(connection) else {
                return;
            };
            let service = service_fn(move |request| {
                let service = service.clone();
                async move { Ok::<_, Infallible>(service.serve(request).await) }
            });
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder
                .timer(TokioTimer::new())
                .initial_stream_window_size(WINDOW)
                .initial_connection_window_size(WINDOW)
                .max_frame_size(FRAME)
                .max_concurrent_streams(streams)
                .keep_alive_interval(PING_INTERVAL);
            let served = builder.serve_connection(TokioIo::new(connection), service);
            let mut served = Box::pin(served);
            let result = tokio::select! {
                result = served.as_mut() => result,
                never = arrival.end_in_time() => match never {},
                () = ending.at(age) => {
                    served.as_mut().graceful_shutdown();
                    tokio::time::timeout(END_DEADLINE, served.as_mut()).await.unwrap_or(Ok(()))
                }
            };
            // Streams hear that no more comes once the connection is gone.
            drop(served);
            ending.read_rest().await;
            if let Err(error) = result {
                debug!(%error, %peer, "connection ended");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::{Ipv4Addr, TcpListener};

    use alscope_analysis::accounting::Rejected;
    use alscope_collector_config::Limits;
    use tokio::time::Instant;

    use super::*;
    use crate::receive::arrival::{LONGEST, PLACES};
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
    async fn a_connection_that_comes_with_many_others_waits_for_them() {
        let stopping = CancellationToken::new();
        let worker = Worker::start(0, Nothing, Usage::new(Limits::default()), stopping.clone()).unwrap();
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let begun = Instant::now();
        let mut clients = Vec::new();
        for _ in 0..=PLACES {
            clients.push(TcpStream::connect(address).unwrap());
            let (connection, peer) = socket.accept().unwrap();
            connection.set_nonblocking(true).unwrap();
            worker.hand_over(connection, peer.ip()).await;
        }
        // A server's settings are the first that a connection hears of it.
        let mut last = clients.pop().unwrap();
        last.set_read_timeout(Some(20 * LONGEST)).unwrap();
        last.read_exact(&mut [0; 9]).unwrap();
        assert!(begun.elapsed() >= LONGEST);
        stopping.cancel();
        tokio::task::spawn_blocking(|| worker.join()).await.unwrap();
    }
}
