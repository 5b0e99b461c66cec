//! Any text as Istio's mesh config: what is wired and restored holds the laws of the property tests.

#![no_main]

#[path = "../../crates/mesh-config/tests/generated/laws.rs"]
mod laws;

libfuzzer_sys::fuzz_target!(|text: &str| {
    drop(laws::check(text));
    // Cut in two, the text is a mesh config and the one from before.
    if let Some((current, original)) = text.split_once("\n---\n") {
        drop(alscope_mesh_config::restore(current, original, laws::ADDRESS));
    }
});
