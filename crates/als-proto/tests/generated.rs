//! The generated code in `src/gen` is what the .proto files say.
//!
//! `make gen` runs this test with `ALSCOPE_REGENERATE=1`, which writes the files instead of comparing them. The .proto
//! files are those in the package `envoy-types` that cargo downloads; no `protoc` is needed.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const SERVICE_PROTOS: [&str; 2] = [
    "envoy/service/accesslog/v3/als.proto",
    "envoy/service/metrics/v3/metrics_service.proto",
];
const SERVICE_PACKAGES: [&str; 2] = ["envoy.service.accesslog.v3", "envoy.service.metrics.v3"];

/// The packages that the messages of [`SERVICE_PROTOS`] use. The others that they import hold annotations.
const FILES: [&str; 7] = [
    "envoy.service.accesslog.v3.rs",
    "envoy.service.metrics.v3.rs",
    "envoy.data.accesslog.v3.rs",
    "envoy.config.core.v3.rs",
    "envoy.r#type.v3.rs",
    "io.prometheus.client.rs",
    "xds.core.v3.rs",
];

#[test]
fn checked_in_code_is_what_the_protos_generate() {
    let checked_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gen");
    let generated = generate(&proto_directory());
    if env::var_os("ALSCOPE_REGENERATE").is_some() {
        write(&checked_in, &generated);
    }
    let present = read(&checked_in);
    let names: Vec<_> = present.keys().collect();
    assert_eq!(
        names,
        generated.keys().collect::<Vec<_>>(),
        "src/gen has other files: run `make gen`"
    );
    for (name, code) in &generated {
        assert!(
            present.get(name) == Some(code),
            "src/gen/{name} is not up to date: run `make gen`"
        );
    }
}

/// Where cargo keeps the .proto files.
fn proto_directory() -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--manifest-path"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "cargo metadata failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let packages = metadata["packages"]
        .as_array()
        .expect("cargo metadata lists packages");
    let package = packages.iter().find(|package| package["name"] == "envoy-types");
    let manifest = package.and_then(|package| package["manifest_path"].as_str());
    Path::new(manifest.expect("envoy-types is a dependency")).with_file_name("proto")
}

/// The code of [`FILES`] by file name.
fn generate(protos: &Path) -> BTreeMap<String, String> {
    let repositories = ["data-plane-api", "xds", "protoc-gen-validate", "client_model"];
    let includes = repositories.map(|repository| protos.join(repository));
    let mut descriptors = protox::compile(SERVICE_PROTOS, includes).expect("the .proto files compile");
    for file in &mut descriptors.file {
        // The comments in it were written for another documentation tool and are no valid rustdoc.
        file.source_code_info = None;
    }
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("generated");
    fs::create_dir_all(&directory).expect("the target directory is writable");
    // The same message has the same bytes every time.
    let mut builder = tonic_prost_build::configure().btree_map(".");
    for package in SERVICE_PACKAGES {
        builder = builder
            .client_mod_attribute(package, "#[cfg(feature = \"service\")]")
            .server_mod_attribute(package, "#[cfg(feature = \"service\")]");
    }
    builder
        .out_dir(&directory)
        .compile_fds(descriptors)
        .expect("the code is generated");
    let mut generated = read(&directory);
    generated.retain(|name, _| FILES.contains(&name.as_str()));
    assert_eq!(generated.len(), FILES.len(), "a package was not generated");
    generated
}

fn read(directory: &Path) -> BTreeMap<String, String> {
    let Ok(entries) = fs::read_dir(directory) else {
        return BTreeMap::new();
    };
    let mut files = BTreeMap::new();
    for entry in entries {
        let path = entry.expect("the directory is readable").path();
        let name = path
            .file_name()
            .expect("an entry has a name")
            .to_string_lossy()
            .into_owned();
        files.insert(name, fs::read_to_string(path).expect("the file is text"));
    }
    files
}

fn write(directory: &Path, files: &BTreeMap<String, String>) {
    if directory.exists() {
        fs::remove_dir_all(directory).expect("src/gen is writable");
    }
    fs::create_dir_all(directory).expect("src is writable");
    for (name, code) in files {
        fs::write(directory.join(name), code).expect("src/gen is writable");
    }
}
