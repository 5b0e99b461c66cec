//! The input and output of the collector: it receives access-log streams, feeds the directory,
//! publishes snapshots and serves them.
//!
//! The rules are in `alscope-analysis`. The modules here call them and decide nothing themselves.

pub mod admin;
pub mod assets;
pub mod client;
pub mod clock;
pub mod configure;
pub mod control;
pub mod directory;
pub mod envoy_metrics;
pub mod evidence;
pub mod export;
pub mod ingest;
pub mod log_limit;

pub mod process;
pub mod receive;
pub mod record;
pub mod replay;
pub mod run;
pub mod serve;
pub mod signals;
pub mod terminal;
pub mod top;
pub mod topology;
pub mod web;
pub mod why;
