//! Which modules of a crate import which, for tests of their order.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may fail, and every place is that of an item found"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{read_dir, read_to_string};
use std::path::Path;

/// A module's path below the crate, as `directory::state`.
pub type Module = Vec<String>;

/// The modules in the `mod` list of a file, in their order.
pub fn listed(file: &str) -> Vec<String> {
    let name = |line: &str| {
        let line = line.strip_prefix("pub ").unwrap_or(line);
        Some(line.strip_prefix("mod ")?.strip_suffix(';')?.to_owned())
    };
    file.lines().filter_map(name).collect()
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
            modules.insert(module, code(&text));
        }
    }
}

/// The code of a file, without comments and unit tests.
fn code(file: &str) -> String {
    let code = file.split("#[cfg(test)]").next().unwrap();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
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

/// The modules below the folder `source` of a crate, and what each imports; its unit tests and comments do not count.
pub fn graph(source: &Path) -> BTreeMap<Module, BTreeSet<Module>> {
    let mut code = BTreeMap::new();
    modules(source, &Vec::new(), &mut code);
    let each = code.iter();
    each.map(|(module, text)| (module.clone(), imports(module, text, &code)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_is_found_in_every_form() {
        let file = "use super::a::B;\nuse super::{c, d::E};\n// super::f\n    /// [`super::g`]\nfn h() -> super::i::J {}\n\
                    #[cfg(test)]\nuse super::k;\n";
        let found = paths(&code(file), "super::");
        let found: Vec<String> = found.iter().map(|path| path.join("::")).collect();
        assert_eq!(found, ["super::a::B", "super::c", "super::d::E", "super::i::J"]);
    }
}
