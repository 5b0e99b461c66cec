//! The order of the modules: none imports one that `src/lib.rs` lists after it, and no two files import each other, by whatever way.

use std::collections::BTreeSet;
use std::fs::read_to_string;
use std::path::{Path, PathBuf};

use alscope_module_imports::{Module, graph, listed};

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

#[test]
fn no_module_imports_one_that_the_library_lists_after_it() {
    let library = read_to_string(source().join("lib.rs")).unwrap();
    let listed = listed(&library);
    let place = |name: &str| {
        let place = listed.iter().position(|other| *other == name);
        place.expect("src/lib.rs lists the module")
    };
    let graph = graph(&source());
    let mut steps = BTreeSet::new();
    for (module, imports) in &graph {
        for import in imports {
            let (from, to) = (&*module[0], &*import[0]);
            if from != to {
                steps.insert((from, to));
            }
            assert!(
                place(to) <= place(from),
                "{} imports {}, which src/lib.rs lists after it; move what both need below both",
                module.join("::"),
                import.join("::")
            );
        }
    }
    assert!(
        steps.contains(&("shard", "aggregate")) && steps.contains(&("aggregate", "analyze")),
        "the imports are not found: {steps:?}"
    );
}

#[test]
fn no_two_files_import_each_other() {
    let mut graph = graph(&source());
    assert!(graph.len() > 80, "{} files are not all", graph.len());
    let imports = graph.values().map(BTreeSet::len).sum::<usize>();
    assert!(imports > 200, "{imports} imports are not all");
    // Files whose imports are all in order go, until only circles and what imports them are left.
    loop {
        let in_order: Vec<Module> = graph
            .iter()
            .filter(|(_, imports)| imports.iter().all(|import| !graph.contains_key(import)))
            .map(|(module, _)| module.clone())
            .collect();
        if in_order.is_empty() {
            break;
        }
        graph.retain(|module, _| !in_order.contains(module));
    }
    let left = graph.iter().map(|(module, imports)| {
        let imports = imports.iter().filter(|import| graph.contains_key(*import));
        let imports: Vec<String> = imports.map(|import| import.join("::")).collect();
        format!("{} imports {}", module.join("::"), imports.join(", "))
    });
    let left: Vec<String> = left.collect();
    assert!(
        left.is_empty(),
        "these files are in a circle, or import one:\n{}",
        left.join("\n")
    );
}
