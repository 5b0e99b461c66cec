//! A Kubernetes API server inside a test: what the operator relies on, with faults that a test injects.
//!
//! It is a tower service below a `kube::Client`, so the code under test is the code that ships. Its clock is tokio's: under a
//! paused one, minutes of retries and leases pass in no time, and the same seed gives the same run. What it does the same as
//! the real server is the [`contract`]: one suite of cases that both must pass.
//!
//! Objects have no schemas: nothing is defaulted or validated but names, and lists belong to field managers as a whole.

mod admission;
mod api_error;
mod connection;
pub mod contract;
mod delete;
mod fault;
mod fields;
mod history;
mod kind;
mod list;
mod managers;
mod rbac;
mod request;
mod selector;
mod server;
mod store;
mod watch;
mod write;

pub use fault::{Effect, Fault, FaultId};
pub use history::{RequestType, Write};
pub use request::Verb;
pub use server::{ApiServer, START_TIME};
