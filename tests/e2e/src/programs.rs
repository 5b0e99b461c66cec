//! The programs as cargo builds them for all tests, with its checks of arithmetic, and the images that hold them.

use std::path::{Path, PathBuf};

use crate::cluster::run;

/// The project's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A program of the project, in cargo's target directory.
pub fn program(name: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("debug").join(name)
}

/// Loads the images of the operator, the collector and bookinfo into the cluster.
pub fn load_images() -> anyhow::Result<()> {
    let images = [
        ("operator", "alscope-operator"),
        ("collector", "alscope-collector"),
        ("bookinfo", "bookinfo"),
    ];
    images
        .iter()
        .try_for_each(|(name, binary)| load_image(name, binary))
}

/// Loads the image called `name` of one program.
pub fn load_image(name: &str, binary: &str) -> anyhow::Result<()> {
    let containerfile = root().join(format!("deploy/images/{name}.Containerfile"));
    let binary = program(binary);
    let image = format!("alscope/{name}");
    let paths = [containerfile.to_string_lossy(), binary.to_string_lossy()];
    run("load-image", &[&image, "e2e", &paths[0], &paths[1]]).map(drop)
}
