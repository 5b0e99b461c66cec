//! The modules of this crate stand in the order of the flow: each imports only modules above it in the `mod` list.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may fail, and every place is that of an item found"
)]

use std::collections::BTreeSet;
use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};

use rstest::rstest;

/// The modules in the `mod` list of a file, in their order.
fn modules(file: &str) -> Vec<String> {
    let name = |line: &str| {
        let line = line.strip_prefix("pub ").unwrap_or(line);
        Some(line.strip_prefix("mod ")?.strip_suffix(';')?.to_owned())
    };
    file.lines().filter_map(name).collect()
}

/// The code of a file, without comments and unit tests.
fn code(file: &str) -> String {
    let code = file.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The first name of each path below `parent`, as in `super::` or `crate::`, also of several in braces.
fn imports(code: &str, parent: &str) -> Vec<String> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let word = |text: &str| -> String {
        text.trim_start()
            .chars()
            .take_while(|one| is_part(*one))
            .collect()
    };
    let paths = code.split(parent).skip(1);
    paths
        .flat_map(|rest| match rest.strip_prefix('{') {
            Some(list) => list
                .split('}')
                .next()
                .unwrap_or_default()
                .split(',')
                .map(word)
                .collect(),
            None => vec![word(rest)],
        })
        .filter(|name| !name.is_empty())
        .collect()
}

/// The code of a module: its file, and all files of its folder.
fn module(path: &Path) -> String {
    let file = read_to_string(path.with_extension("rs")).unwrap_or_default();
    let inner = read_dir(path).into_iter().flatten();
    let inner = inner.map(|entry| module(&entry.expect("an entry").path().with_extension("")));
    inner.fold(code(&file), |code, inner| code + &inner)
}

#[rstest]
#[case::crate_("lib", &["crate::"])]
#[case::plan("plan", &["super::", "crate::plan::"])]
#[case::world("world", &["super::", "crate::world::"])]
#[case::api("api", &["super::", "crate::api::"])]
fn modules_import_only_modules_above_them(#[case] name: &str, #[case] parents: &[&str]) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let list = read_to_string(source.join(name).with_extension("rs")).expect("the file with the list");
    let folder: PathBuf = if name == "lib" { source } else { source.join(name) };
    let modules = modules(&list);
    let files = read_dir(&folder).expect("the folder of the modules");
    let files = files.map(|entry| entry.expect("an entry").path());
    let files: BTreeSet<String> = files
        .filter(|path| {
            path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("lib.rs")
        })
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    assert_eq!(modules.iter().cloned().collect::<BTreeSet<_>>(), files);
    let mut below = Vec::new();
    for (place, name) in modules.iter().enumerate() {
        let code = module(&folder.join(name));
        let imported = parents.iter().flat_map(|parent| imports(&code, parent));
        let is_above = |import: &String| import == name || modules[..place].contains(import);
        below.extend(
            imported
                .filter(|import| !is_above(import))
                .map(|import| format!("{name} imports {import}")),
        );
    }
    assert!(below.is_empty(), "{below:?}");
}

#[test]
fn an_import_is_found_in_every_form() {
    let file = "use super::a::B;\nuse super::{c, d::E};\n// super::f\n    /// [`super::g`]\nfn h() -> super::i::J {}\n\
                #[cfg(test)]\nuse super::k;\n";
    assert_eq!(imports(&code(file), "super::"), ["a", "c", "d", "i"]);
}
