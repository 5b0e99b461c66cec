//! The modules of this crate stand in the order of the flow: each imports only modules above it in the `mod` list.

use std::collections::BTreeSet;
use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};

use alscope_module_imports::{Module, graph, listed};
use rstest::rstest;

#[rstest]
#[case::crate_("lib", 4)]
#[case::plan("plan", 30)]
#[case::world("world", 3)]
#[case::api("api", 3)]
fn modules_import_only_modules_above_them(#[case] name: &str, #[case] least: usize) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let list = read_to_string(source.join(name).with_extension("rs")).expect("the file with the list");
    let (folder, parent): (PathBuf, Module) = if name == "lib" {
        (source.clone(), Vec::new())
    } else {
        (source.join(name), vec![name.to_owned()])
    };
    let modules = listed(&list);
    let files = read_dir(&folder).expect("the folder of the modules");
    let files = files.map(|entry| entry.expect("an entry").path());
    let files: BTreeSet<String> = files
        .filter(|path| {
            path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("lib.rs")
        })
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    assert_eq!(modules.iter().cloned().collect::<BTreeSet<_>>(), files);
    let child = |module: &Module| module.strip_prefix(&*parent).and_then(<[String]>::first).cloned();
    let place = |name: &String| {
        modules
            .iter()
            .position(|other| other == name)
            .expect("it is listed")
    };
    let mut steps = BTreeSet::new();
    for (module, imports) in &graph(&source) {
        let Some(from) = child(module) else { continue };
        let others = imports.iter().filter_map(child).filter(|to| *to != from);
        steps.extend(others.map(|to| (from.clone(), to)));
    }
    assert!(steps.len() >= least, "the imports are not found: {steps:?}");
    let below: Vec<_> = steps
        .iter()
        .filter(|(from, to)| place(to) > place(from))
        .collect();
    assert!(below.is_empty(), "these import one below them: {below:?}");
}
