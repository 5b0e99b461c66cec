//! What entries of a small mesh come to, from the bytes that Envoy sends to the counted series.

#![expect(
    clippy::unwrap_used,
    clippy::unnecessary_wraps,
    deprecated,
    reason = "tests: a panic is a failure, builders have the shape of the message's field, old proxies send old fields"
)]

mod allocations;
mod ambient;
mod chains;
mod clamped;
mod connection;
mod conservation;
mod entry;
mod evidence;
mod expiry;
#[path = "../peers/flat_nodes.rs"]
mod flat_nodes;
mod gateways;
mod grpc_messages;
mod hosts;
mod identity_cache_keys;
mod ipv6;
mod labels;
mod latency;
mod logged_as_http;
mod mesh;
mod no_address;
mod nodes;
#[path = "../peers/objects.rs"]
mod objects;
mod outside;
mod own_proxy;
mod peers;
mod persistence;
mod protocols;
mod refused;
mod remembered;
mod service_names;
mod sidecars;
mod times;
mod workload_entries;
