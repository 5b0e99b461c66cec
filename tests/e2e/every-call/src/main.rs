//! A server that answers in every way that an Envoy logs, and the client that asks for it.
//!
//! `every-call serve` listens on five ports. Every other command makes calls of one kind, one after the other, prints what came
//! of them as a line of JSON, and fails unless each came out as was asked, so that whoever compares the mesh's logs knows what was
//! called.
//!
//! | port | request | answer |
//! |---|---|---|
//! | 8080 | `GET /status/404` | that status |
//! | 8080 | `GET /flaky` | 503, but 200 to a proxy's second attempt (`x-envoy-attempt-count`) |
//! | 8080 | `GET /never` | none |
//! | 8081 | any | a reset of the connection |
//! | 8082 | any | a websocket that sends back what it gets |
//! | 9090 | `everycall.Streams/Ok` | five messages |
//! | 9090 | `everycall.Streams/Unavailable` | five messages, then `UNAVAILABLE` |
//! | 9090 | `grpc.health.v1.Health/Check` | `SERVING` of the service without a name, `NOT_FOUND` of any other |
//! | 7000 | any bytes | the same bytes |

mod call;
mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "every-call", version, about = "Makes and answers every kind of call")]
struct Arguments {
    #[command(subcommand)]
    part: Part,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Listen on all ports
    Serve,
    /// Make calls
    #[command(flatten)]
    Call(call::Call),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let outcome = match Arguments::parse().part {
        Part::Serve => serve::run().await,
        Part::Call(call) => call::run(call).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("every-call: {error:#}");
            ExitCode::FAILURE
        }
    }
}
