//! What a Kubernetes Service does: one address, whose connections go to those that are ready, one after the other. A connection
//! stays where it is, whatever becomes of the others.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

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
        *self.shared.ready.lock().unwrap() = ready.into_iter().collect();
    }

    /// Connections that the collector did not take which they were sent to.
    pub(crate) fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }
}

async fn accept(socket: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let (mut connection, _) = socket.accept().await.unwrap();
        let turn = shared.turn.fetch_add(1, Ordering::Relaxed);
        let to = {
            let ready = shared.ready.lock().unwrap();
            ready.get(turn % ready.len().max(1)).copied()
        };
        let Some(to) = to else {
            continue;
        };
        let shared = shared.clone();
        connections.spawn(async move {
            match TcpStream::connect(to).await {
                Ok(mut collector) => {
                    collector.set_nodelay(true).unwrap();
                    // Either side may break the connection.
                    drop(copy_bidirectional(&mut connection, &mut collector).await);
                }
                Err(_) => {
                    shared.refused.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
}
