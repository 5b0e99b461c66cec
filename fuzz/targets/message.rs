//! Any bytes as a `StreamAccessLogsMessage` and as a `StreamMetricsMessage`: the readers of `als-proto` see in them what prost sees.

#![no_main]

/// The comparison is that of the property tests.
#[path = "../../crates/als-proto/tests/equal_to_prost"]
mod equal_to_prost {
    pub(crate) mod comparison;
    pub(crate) mod metrics;
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    equal_to_prost::comparison::check(bytes);
    equal_to_prost::metrics::check(bytes);
});
