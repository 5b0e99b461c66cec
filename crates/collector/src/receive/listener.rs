//! Accepts connections, and hands each to the worker that has the fewest.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Once;
use std::time::Duration;

use futures::future::select_all;
use rustix::io::Errno;
use rustix::net::sockopt::set_ipv6_v6only;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::ending::END_DEADLINE;
use super::worker::Worker;

/// How long to wait when the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The time between two checks whether the last connection has ended.
const END_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How many connections may wait to be accepted, if the system allows as many. All proxies come back at
/// once after a restart, and the system resets connections beyond this number.
const BACKLOG: u32 = 16_384;

/// Binds the address and listens on it, with a backlog of 16 384 connections. `[::]` also takes the connections of IPv4, whatever the
/// system's default is; if the system has no IPv6, `0.0.0.0` stands for it, which is logged once.
pub fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    static LOGGED: Once = Once::new();
    listen_on(address).or_else(|error| {
        let instead = without_ipv6(address, &error).ok_or(error)?;
        LOGGED.call_once(|| {
            info!("the system has no IPv6, so the collector listens on 0.0.0.0 and not on [::]");
        });
        listen_on(instead)
    })
}

/// The address that stands for `address` if the system refuses it because it has no IPv6.
fn without_ipv6(address: SocketAddr, error: &std::io::Error) -> Option<SocketAddr> {
    let has_no_ipv6 = matches!(
        Errno::from_io_error(error),
        Some(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL)
    );
    let is_any = address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    (is_any && has_no_ipv6).then(|| (Ipv4Addr::UNSPECIFIED, address.port()).into())
}

fn listen_on(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => {
            let socket = TcpSocket::new_v6()?;
            set_ipv6_v6only(&socket, false)?;
            socket
        }
    };
    // Otherwise a restarted collector could not listen until the system has forgotten the old connections
    // (TIME_WAIT).
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The error of a worker whose thread has ended, which only a fault of this program can cause. Entries that
/// its connections sent since its shard was last drained may be lost.
#[derive(Debug, thiserror::Error)]
#[error(
    "an ingest thread has ended by a fault of this program; report it with the log, and start the collector again"
)]
pub struct WorkerGone;

/// A listening socket and the workers that serve its connections.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    workers: Vec<Worker>,
}

impl Listener {
    /// Creates a listener that hands the connections of `socket` to `workers`.
    pub fn new(socket: TcpListener, workers: Vec<Worker>) -> Self {
        Listener { socket, workers }
    }

    /// The address that the socket listens on.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Accepts connections until `stopping`, and after that until the open ones have ended; then waits for
    /// the workers. A proxy that connects while others end is served and told to end, too, because a closed
    /// port would cost its first message. An error is returned as soon as a worker is gone. A worker is not
    /// started again: the supervisor starts the whole collector anew, in a known state.
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
                        warn!(%error, "cannot accept a connection; raise the limit of open files");
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
            warn!(%error, "cannot wait for a worker thread to end");
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

/// Converts a connection for a worker's runtime, with `TCP_NODELAY`. A proxy that waits for more window
/// acknowledges only 40 ms later, and Nagle's algorithm would hold the window update back for as long.
fn prepared(connection: TcpStream) -> std::io::Result<std::net::TcpStream> {
    connection.set_nodelay(true)?;
    connection.into_std()
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use rstest::rstest;

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
        // Nobody accepts. The system would complete a connection beyond the backlog after a second at the
        // earliest.
        let connect = |_| TcpStream::connect_timeout(&address, Duration::from_millis(900));
        let connections: Result<Vec<TcpStream>, _> = (0..1200).map(connect).collect();
        assert_eq!(connections.unwrap().len(), 1200);
    }

    #[rstest]
    #[case::no_such_family("[::]:9090", Errno::AFNOSUPPORT, Some("0.0.0.0:9090"))]
    #[case::no_such_address("[::]:9090", Errno::ADDRNOTAVAIL, Some("0.0.0.0:9090"))]
    #[case::in_use("[::]:9090", Errno::ADDRINUSE, None)]
    #[case::one_address("[::1]:9090", Errno::ADDRNOTAVAIL, None)]
    #[case::ipv4("0.0.0.0:9090", Errno::ADDRNOTAVAIL, None)]
    fn only_any_address_has_a_stand_in_and_only_without_ipv6(
        #[case] address: &str,
        #[case] refused: Errno,
        #[case] expected: Option<&str>,
    ) {
        let address = address.parse().unwrap();
        let instead = without_ipv6(address, &std::io::Error::from(refused));
        assert_eq!(instead.map(|instead| instead.to_string()).as_deref(), expected);
    }
}
