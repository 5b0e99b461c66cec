//! Accepts connections and hands each to the worker with the fewest.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures::future::select_all;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::ending::END_DEADLINE;
use super::worker::Worker;

/// How long to wait when the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often it is asked whether the last connection has ended.
const END_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Connections that may wait to be accepted, if the system allows as many: after a restart all proxies come back at once, and the
/// system breaks the connections of those that find no place.
const BACKLOG: u32 = 16_384;

/// Listens on an address.
pub fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A collector that is started again need not wait for what is left of the last one's connections.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// A worker's thread has ended, which only a fault of this program can do. What its connections sent since the last drain of its shard may
/// be lost.
#[derive(Debug, thiserror::Error)]
#[error(
    "an ingest thread has ended by a fault of this program; report it with the log, and start the collector again"
)]
pub struct WorkerGone;

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

    /// Accepts until `stopping` and until the connections that there are have ended, then waits for the workers. A proxy that is
    /// still sent here while the others end is served and told to end, too: a closed port would cost its first message. It ends
    /// with an error as soon as a worker is gone: a worker is not started again, because the whole collector can be, by whoever
    /// runs it, and then all is as it was planned.
    pub async fn run(self, stopping: CancellationToken) -> Result<(), WorkerGone> {
        let mut all_ended = Box::pin(self.all_ended(&stopping));
        let mut ended = Ok(());
        loop {
            let gone = self.workers.iter().map(|worker| Box::pin(worker.is_gone()));
            tokio::select! {
                biased;
                () = &mut all_ended => break,
                _ = select_all(gone) => {
                    stopping.cancel();
                    ended = Err(WorkerGone);
                    break;
                }
                accepted = self.socket.accept() => match accepted {
                    Ok((connection, peer)) => self.hand_over(connection, peer.ip()).await,
                    Err(error) => {
                        warn!(%error, "a connection could not be accepted; raise the limit of open files");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(all_ended);
        drop(self.socket);
        let workers = self.workers;
        let joined = tokio::task::spawn_blocking(move || workers.into_iter().for_each(Worker::join)).await;
        if let Err(error) = joined {
            warn!(%error, "a worker could not be awaited");
        }
        ended
    }

    async fn all_ended(&self, stopping: &CancellationToken) {
        stopping.cancelled().await;
        let all_ended = async {
            while self.workers.iter().any(|worker| worker.connections() > 0) {
                sleep(END_POLL_INTERVAL).await;
            }
        };
        drop(timeout(END_DEADLINE, all_ended).await);
    }

    async fn hand_over(&self, connection: TcpStream, peer: IpAddr) {
        let connection = match prepared(connection) {
            Ok(connection) => connection,
            Err(error) => return debug!(%error, %peer, "connection ended"),
        };
        if let Some(worker) = self.workers.iter().min_by_key(|worker| worker.connections()) {
            worker.hand_over(connection, peer.to_canonical()).await;
        }
    }
}

/// A connection for a worker's runtime. It sends at once: a proxy that waits for more window acknowledges only 40 ms later what it
/// was sent, and Nagle's algorithm would hold the window back for as long.
fn prepared(connection: TcpStream) -> std::io::Result<std::net::TcpStream> {
    connection.set_nodelay(true)?;
    connection.into_std()
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpStream};

    use super::*;

    #[tokio::test]
    async fn a_connection_sends_at_once() {
        let socket = listen((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let client = TcpStream::connect(socket.local_addr().unwrap()).unwrap();
        let (connection, _) = socket.accept().await.unwrap();
        assert!(prepared(connection).unwrap().nodelay().unwrap());
        drop(client);
    }

    #[tokio::test]
    async fn a_thousand_proxies_and_more_may_come_at_once() {
        let socket = listen((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = socket.local_addr().unwrap();
        // Nobody accepts. A connection beyond those that may wait would be established after a second at the earliest.
        let connect = |_| TcpStream::connect_timeout(&address, Duration::from_millis(900));
        let connections: Result<Vec<TcpStream>, _> = (0..1200).map(connect).collect();
        assert_eq!(connections.unwrap().len(), 1200);
    }
}
