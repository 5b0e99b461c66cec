//! Texts as Istio's mesh config.

#[path = "../../../crates/mesh-config/tests/generated/laws.rs"]
mod laws;

/// A text as Istio's mesh config: wiring it changes two paths, and restoring it gives the text back.
pub fn mesh_config(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    drop(laws::check(text));
    // Cut in two, the text is a mesh config and the one from before.
    if let Some((current, original)) = text.split_once("\n---\n") {
        drop(alscope_mesh_config::restore(current, original, laws::ADDRESS));
    }
}
