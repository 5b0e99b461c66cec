//! Every part of a bookinfo-shaped mesh in one small program: the services, the TCP service behind them and the
//! generator of requests. The demo and the cluster tests run it behind Envoys and compare what was observed with
//! what this page says was called.
//!
//! # Fan-out
//! One `GET /productpage?id=N` is one call of details (`GET /details/N`) and one of reviews (`GET /reviews/N`), in
//! this order, both always made. With one `--reviews` address, whoever balances picks the version. With several,
//! request N goes to the address at position `N mod count`, so each hop's number of calls is a literal. Reviews calls
//! ratings (`GET /ratings/N`) if it has a `--ratings` address, as v2 and v3 do. Ratings opens one TCP connection to
//! its `--tcp` address, sends a line, reads it back and closes the connection. Nothing retries.
//!
//! A request can ask for a failure by header, `x-bookinfo-fail: SERVICE=STATUS`: the service named answers with that
//! status and calls nothing. Each service hands the header on. A status other than 2xx passes upwards unchanged, the
//! first one wins; a call without an answer becomes 502.
//!
//! With three addresses of reviews (v1 first), 1 000 requests numbered from 1, and every 20th asking for
//! `ratings=503`:
//!
//! | hop | calls | failed |
//! |---|---|---|
//! | productpage | 1000 | 34 |
//! | details | 1000 | 0 |
//! | reviews v1, v2, v3 | 333, 334, 333 | 0, 17, 17 |
//! | ratings | 667 | 34 |
//! | TCP connections | 633 | 0 |

mod client;
mod echo;
mod failure;
mod load;
mod serve;
mod shutdown;
mod tally;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(
    name = "bookinfo",
    version,
    about = "Plays every part of a bookinfo-shaped mesh"
)]
struct Arguments {
    #[command(subcommand)]
    part: Part,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Serve one of the HTTP services
    Serve(serve::Options),
    /// Serve TCP: send every byte back until the client closes
    Tcp(echo::Options),
    /// Send numbered requests to the product page
    Load(load::Options),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let outcome = match Arguments::parse().part {
        Part::Serve(options) => serve::run(options).await,
        Part::Tcp(options) => echo::run(options).await,
        Part::Load(options) => load::run(options).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bookinfo: {error:#}");
            ExitCode::FAILURE
        }
    }
}
