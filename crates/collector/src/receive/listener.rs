//! Accepts connections and hands each to the worker with the fewest.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::worker::Worker;

/// How long to wait when the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listening socket with its workers.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    workers: Vec<Worker>,
}

impl Listener {
    /// Gives the connections of `socket` to `workers`.
    pub fn new(socket: TcpListener, workers: Vec<Worker>) -> Self {
        Listener { socket, workers }
    }

    /// The address that it listens on.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Accepts until `stopping`, then waits for the workers to end their connections.
    pub async fn run(self, stopping: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = stopping.cancelled() => break,
                accepted = self.socket.accept() => match accepted {
                    Ok((connection, peer)) => self.hand_over(connection, peer.ip()).await,
                    Err(error) => {
                        warn!(%error, "a connection could not be accepted; raise the limit of open files");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(self.socket);
        let workers = self.workers;
        let joined = tokio::task::spawn_blocking(move || workers.into_iter().for_each(Worker::join)).await;
        if let Err(error) = joined {
            warn!(%error, "a worker could not be awaited");
        }
    }

    async fn hand_over(&self, connection: TcpStream, peer: IpAddr) {
        let Ok(connection) = connection.into_std() else {
            return;
        };
        if let Some(worker) = self.workers.iter().min_by_key(|worker| worker.connections()) {
            worker.hand_over(connection, peer.to_canonical()).await;
        }
    }
}
