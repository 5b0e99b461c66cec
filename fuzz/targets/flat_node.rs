//! Any bytes as a `FlatNode`, the peer of proxies up to Istio 1.23.

#![no_main]

/// The law is that of the property tests.
#[path = "../../crates/analysis/tests/peers"]
mod peers {
    pub(crate) mod flat_node_law;
    mod stands_in;
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| peers::flat_node_law::check(bytes));
