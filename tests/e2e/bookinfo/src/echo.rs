//! The TCP service: sends every byte back, so a line sent is a line received.

use std::net::SocketAddr;

use anyhow::Context as _;
use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::shutdown::Shutdown;
use crate::tally::Tally;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Address to listen on; port 0 picks a free one and prints it
    #[arg(
        long,
        env = "BOOKINFO_LISTEN",
        default_value = "0.0.0.0:27017",
        value_name = "IP:PORT"
    )]
    listen: SocketAddr,
}

/// Serves until the process is asked to end, then prints how many connections were accepted.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let mut shutdown = Shutdown::listen()?;
    let mut listener = listen(options.listen).await?;
    println!("tcp listening on {}", listener.local_addr()?);
    let mut tally = Tally::default();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            // The end comes first, so that a busy listener cannot delay it.
            biased;
            () = shutdown.asked() => break,
            // axum's accept: waits where the system is out of descriptors, skips connections that are gone.
            (stream, _) = Listener::accept(&mut listener) => {
                tally.count_request(false);
                connections.spawn(send_back(stream));
            }
            Some(ended) = connections.join_next() => ended.context("an echo failed; report this as a bug")?,
        }
    }
    println!("{}", serde_json::to_string(&tally)?);
    Ok(())
}

/// Listens on an address.
pub(crate) async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; choose a free address with --listen"))
}

async fn send_back(mut stream: TcpStream) {
    let (mut from, mut to) = stream.split();
    if let Err(error) = tokio::io::copy(&mut from, &mut to).await {
        eprintln!("bookinfo: a connection broke: {error}");
    }
}
