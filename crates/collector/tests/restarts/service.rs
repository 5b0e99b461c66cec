//! A proxy that does what a Kubernetes Service does. It has one address, and spreads connections over the
//! ready backends in turn. A connection stays with its backend. Bytes take a while, so there is always
//! something on the way.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// How long bytes take, one way.
const LATENCY: Duration = Duration::from_millis(20);

pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    ready: Mutex<Vec<SocketAddr>>,
    turn: AtomicUsize,
    refused: AtomicU64,
}

impl Service {
    pub(crate) async fn start() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let shared = Arc::<Shared>::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(socket, shared.clone()));
        Service {
            address,
            shared,
            _tasks: tasks,
        }
    }

    /// Sends new connections to these.
    pub(crate) fn send_to(&self, ready: impl IntoIterator<Item = SocketAddr>) {
        *self.shared.ready.lock() = ready.into_iter().collect();
    }

    /// Returns how many connections were refused by the collector that they were sent to.
    pub(crate) fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }
}

async fn accept(socket: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let (connection, _) = socket.accept().await.unwrap();
        let turn = shared.turn.fetch_add(1, Ordering::Relaxed);
        let to = {
            let ready = shared.ready.lock();
            ready.get(turn % ready.len().max(1)).copied()
        };
        let Some(to) = to else {
            continue;
        };
        let shared = shared.clone();
        connections.spawn(async move {
            match TcpStream::connect(to).await {
                Ok(collector) => forward(connection, collector).await,
                Err(_) => {
                    shared.refused.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
}

/// Carries bytes both ways until both sides have ended, or one breaks.
async fn forward(proxy: TcpStream, collector: TcpStream) {
    proxy.set_nodelay(true).unwrap();
    collector.set_nodelay(true).unwrap();
    let (from_proxy, to_proxy) = proxy.into_split();
    let (from_collector, to_collector) = collector.into_split();
    let both = futures::future::try_join(carry(from_proxy, to_collector), carry(from_collector, to_proxy));
    // Either side may break the connection.
    drop(both.await);
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> std::io::Result<()> {
    let (sent, mut on_the_way) = mpsc::channel::<(Instant, Vec<u8>)>(256);
    let read = async move {
        loop {
            let mut bytes = Vec::with_capacity(16 * 1024);
            if from.read_buf(&mut bytes).await? == 0 || sent.send((Instant::now(), bytes)).await.is_err() {
                return Ok(());
            }
        }
    };
    let write = async move {
        while let Some((at, bytes)) = on_the_way.recv().await {
            sleep_until(at + LATENCY).await;
            to.write_all(&bytes).await?;
        }
        to.shutdown().await
    };
    futures::future::try_join(read, write).await.map(drop)
}
