//! Any bytes as the struct that describes a peer: who that is in the eyes of the reader of `als-proto` and of prost.

#![no_main]

/// The law is that of the property tests.
#[path = "../../crates/analysis/tests/peers"]
mod peers {
    mod stands_in;
    pub(crate) mod struct_law;
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| peers::struct_law::check(bytes));
