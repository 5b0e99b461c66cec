//! Writes a configuration as a file. The file holds what differs from the defaults, and
//! `directory`, which has no default.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::field::FileValue;
use crate::setting::settings;
use crate::{Config, Directory};

/// A key's value, or the block of keys below it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Entry {
    Block(BTreeMap<&'static str, Entry>),
    Text(String),
    List(Vec<String>),
}

impl Config {
    /// Renders this configuration as YAML, without the settings that are at their defaults.
    /// [`Config::parse`] reads the same configuration back, except for [ignored](Config::ignored) settings
    /// of `SkyWalking`. A path or rule that itself holds a placeholder such as `${HOME}` does not survive:
    /// it is read back as the variable's value. Only an environment variable can bring such a text in.
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "a string takes every text, and YAML has a form for each"
    )]
    pub fn render(&self) -> String {
        let (mut config, mut default) = (self.clone(), Self::default());
        let mut file = BTreeMap::new();
        insert_directory(&self.directory, &mut file);
        for setting in settings() {
            let value = setting.field.value(&mut config);
            if value == setting.field.value(&mut default) {
                continue;
            }
            match value {
                FileValue::Unset => {}
                FileValue::Text(text) => insert(&mut file, setting.key, Entry::Text(text)),
                FileValue::List(items) => insert(&mut file, setting.key, Entry::List(items)),
            }
        }
        serde_saphyr::to_string(&file).expect("the file is written")
    }
}

fn insert_directory(directory: &Directory, file: &mut BTreeMap<&'static str, Entry>) {
    let empty = || Entry::Block(BTreeMap::new());
    let path = |path: &std::path::Path| Entry::Text(path.display().to_string());
    match directory {
        Directory::None => insert(file, "directory.none", empty()),
        Directory::File(file_path) => insert(file, "directory.file", path(file_path)),
        Directory::Kubernetes(kubernetes) => match &kubernetes.kubeconfig {
            None => insert(file, "directory.kubernetes", empty()),
            Some(kubeconfig) => insert(file, "directory.kubernetes.kubeconfig", path(kubeconfig)),
        },
    }
}

/// Inserts `entry` under a key with its parents.
fn insert(block: &mut BTreeMap<&'static str, Entry>, key: &'static str, entry: Entry) {
    match key.split_once('.') {
        None => {
            block.insert(key, entry);
        }
        Some((parent, rest)) => {
            let below = block
                .entry(parent)
                .or_insert_with(|| Entry::Block(BTreeMap::new()));
            if let Entry::Block(below) = below {
                insert(below, rest, entry);
            }
        }
    }
}
