//! What `fuzz/run` tries: for each target a function that takes any input and panics when a law does not hold.
//!
//! The laws are those of the crates' property tests, and stand there. The fuzzer's programs in `fuzz/` call these functions
//! with what it comes up with; a test of this crate calls them with every seed of `fuzz/seeds/`.

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "a law that does not hold is a panic"
)]

mod configuration;
#[path = "../../../crates/als-proto/tests/equal_to_prost"]
mod equal_to_prost {
    pub(crate) mod comparison;
    pub(crate) mod metrics;
}
mod mesh_config;
mod observations;
#[path = "../../../crates/analysis/tests/peers"]
mod peers {
    pub(crate) mod flat_node_law;
    pub(crate) mod node_law;
    mod stands_in;
    pub(crate) mod struct_law;
}
mod recording;

pub use configuration::configuration;
pub use mesh_config::mesh_config;
pub use observations::observations;
pub use recording::recording;

/// A target: a function of any input.
pub type Target = fn(&[u8]);

/// Every target by its name, which is that of its program and of its seeds.
pub const TARGETS: [(&str, Target); 8] = [
    ("configuration", configuration),
    ("flat_node", flat_node),
    ("identifier", identifier),
    ("mesh_config", mesh_config),
    ("message", message),
    ("observations", observations),
    ("recording", recording),
    ("struct_peer", struct_peer),
];

/// Bytes as a `StreamAccessLogsMessage` and as a `StreamMetricsMessage`: the readers see in them what prost sees.
pub fn message(bytes: &[u8]) {
    equal_to_prost::comparison::check(bytes);
    equal_to_prost::metrics::check(bytes);
}

/// Bytes as a `FlatNode`, the peer of proxies up to Istio 1.23: what is read of it stands in the bytes.
pub fn flat_node(bytes: &[u8]) {
    peers::flat_node_law::check(bytes);
}

/// Bytes as the identifier of a stream's first message: its node is the one that prost sees.
pub fn identifier(bytes: &[u8]) {
    peers::node_law::check(bytes);
}

/// Bytes as the struct that describes a peer: who that is in the eyes of our reader and of prost.
pub fn struct_peer(bytes: &[u8]) {
    peers::struct_law::check(bytes);
}
