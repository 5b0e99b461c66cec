//! The order of the modules: none imports one that `src/lib.rs` lists after it, and no two files import each other, by whatever way.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{read_dir, read_to_string};
use std::path::Path;

/// A module's path below the crate, as `directory::state`.
type Module = Vec<String>;

fn source() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The code of every module by its path, without comments and tests.
fn modules(directory: &Path, above: &Module, modules: &mut BTreeMap<Module, String>) {
    for entry in read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if name == "tests" || name == "lib" {
            continue;
        }
        let module = [above.clone(), vec![name]].concat();
        if path.is_dir() {
            self::modules(&path, &module, modules);
        } else {
            let text = read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            modules.insert(module, code.collect::<Vec<_>>().join("\n"));
        }
    }
}

/// The paths in `code` that begin with `start`, each member of a list in braces by itself.
fn paths(code: &str, start: &str) -> Vec<Vec<String>> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || "_:".contains(character);
    let mut paths = Vec::new();
    for (place, _) in code.match_indices(start) {
        let before = code[..place].chars().next_back();
        if before.is_some_and(is_part) {
            continue;
        }
        let path: String = code[place..]
            .chars()
            .take_while(|character| is_part(*character))
            .collect();
        let rest = &code[place + path.len()..];
        let list = rest.strip_prefix('{').and_then(|list| list.split('}').next());
        for member in list.unwrap_or_default().split(',') {
            let whole = format!("{path}{}", member.trim());
            paths.push(whole.split("::").map(str::to_owned).collect());
        }
    }
    paths
}

/// The modules that `module` imports: by `crate::`, by `super::`, and its own children that it does not only pass on.
fn imports(module: &Module, code: &str, modules: &BTreeMap<Module, String>) -> BTreeSet<Module> {
    let mut imports = BTreeSet::new();
    let mut add = |mut found: Module, rest: &[String]| {
        for word in rest {
            let next = [found.clone(), vec![word.clone()]].concat();
            if !modules.contains_key(&next) {
                break;
            }
            found = next;
        }
        if !found.is_empty() && found != *module {
            imports.insert(found);
        }
    };
    for path in paths(code, "crate::") {
        add(Vec::new(), &path[1..]);
    }
    for path in paths(code, "super::") {
        let above = path.iter().take_while(|word| *word == "super").count();
        add(module[..module.len() - above].to_vec(), &path[above..]);
    }
    for line in code.lines().filter_map(|line| line.strip_prefix("use ")) {
        let child = line.split("::").next().unwrap().to_owned();
        if modules.contains_key(&[module.clone(), vec![child.clone()]].concat()) {
            add(module.clone(), &[child]);
        }
    }
    imports
}

/// The modules, and what each imports.
fn graph() -> BTreeMap<Module, BTreeSet<Module>> {
    let mut code = BTreeMap::new();
    modules(&source(), &Vec::new(), &mut code);
    let each = code.iter();
    each.map(|(module, text)| (module.clone(), imports(module, text, &code)))
        .collect()
}

#[test]
fn no_module_imports_one_that_the_library_lists_after_it() {
    let library = read_to_string(source().join("lib.rs")).unwrap();
    let listed = library.lines().filter_map(|line| line.strip_prefix("pub mod "));
    let listed: Vec<&str> = listed.map(|name| name.trim_end_matches(';')).collect();
    let place = |name: &str| {
        let place = listed.iter().position(|other| *other == name);
        place.expect("src/lib.rs lists the module")
    };
    let graph = graph();
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
    let mut graph = graph();
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
