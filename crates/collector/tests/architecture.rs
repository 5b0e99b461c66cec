//! Holds ARCHITECTURE.md and README.md to the source: everything that they name exists, and everything that
//! exists is named.

#![expect(clippy::expect_used, reason = "a test may fail")]

use std::collections::BTreeSet;
use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};

use alscope_collector_config::Listen;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn text(path: &str) -> String {
    read_to_string(root().join(path)).expect("the file exists")
}

/// Returns the texts in backticks outside of code blocks.
fn names(markdown: &str) -> BTreeSet<String> {
    let mut is_code = false;
    let mut names = BTreeSet::new();
    for line in markdown.lines() {
        is_code ^= line.starts_with("```");
        if !is_code {
            names.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    names
}

/// Returns the part of ARCHITECTURE.md under the heading `title`.
fn section(title: &str) -> String {
    let page = text("ARCHITECTURE.md");
    let (_, rest) = page
        .split_once(&format!("\n## {title}\n"))
        .expect("the section exists");
    rest.split("\n## ").next().expect("a part").to_owned()
}

/// Returns the cells of a section's table, without its head.
fn rows(title: &str) -> Vec<Vec<String>> {
    let section = section(title);
    let lines = section.lines().filter(|line| line.starts_with('|')).skip(2);
    let cells = |line: &str| {
        line.trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    lines.map(cells).collect()
}

/// Returns the code of a room without its tests: the file `path` and the directory of the same name.
fn code(path: &Path) -> String {
    let own = read_to_string(path).unwrap_or_default();
    let mut code = own.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
    for entry in read_dir(path.with_extension("")).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            code.push_str(&self::code(&path));
        }
    }
    code
}

/// Returns the rooms that `code` imports, one by one or as in `use crate::{export, web};`.
fn imports(code: &str) -> BTreeSet<String> {
    let lists = code
        .split("use crate::{")
        .skip(1)
        .filter_map(|rest| rest.split('}').next());
    let listed = set(lists.flat_map(|list| list.split(", ")));
    listed.union(&words_after(code, "crate::")).cloned().collect()
}

/// Returns the words that follow `start` in `code`.
fn words_after(code: &str, start: &str) -> BTreeSet<String> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let word = |rest: &str| rest.chars().take_while(|character| is_part(*character)).collect();
    code.split(start)
        .skip(1)
        .map(word)
        .filter(|word: &String| !word.is_empty())
        .collect()
}

fn set<T: ToString>(items: impl IntoIterator<Item = T>) -> BTreeSet<String> {
    items.into_iter().map(|item| item.to_string()).collect()
}

/// Returns the directory and the manifest of every crate of the workspace.
fn crates() -> Vec<(String, String)> {
    let inner = ["crates", "tools"].into_iter().flat_map(|folder| {
        let entries = read_dir(root().join(folder)).expect("the crates");
        entries.map(move |entry| format!("{folder}/{}", entry.expect("a crate").file_name().display()))
    });
    let outer = ["demo", "tests/e2e", "tests/e2e/bookinfo"].map(str::to_owned);
    inner
        .chain(outer)
        .map(|path| (path.clone(), text(&format!("{path}/Cargo.toml"))))
        .collect()
}

fn crate_name(manifest: &str) -> String {
    let name = manifest.lines().find_map(|line| line.strip_prefix("name = "));
    name.expect("the crate has a name").trim_matches('"').to_owned()
}

/// Returns the crates that a manifest lists under `[dependencies]`.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let section = manifest.split("\n[dependencies]\n").nth(1).unwrap_or_default();
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    let keys = lines.filter_map(|line| line.split(['.', ' ', '=']).next());
    set(keys.filter(|key| !key.is_empty() && !key.starts_with('#')))
}

#[test]
fn every_path_exists() {
    let page = names(&text("ARCHITECTURE.md"))
        .into_iter()
        .chain(names(&text("README.md")));
    let paths: Vec<String> = page
        .filter(|name| name.contains('/') && !name.starts_with('/') && !name.contains(' '))
        .chain(
            rows("Crates")
                .into_iter()
                .map(|row| row.get(1).expect("a path").replace('`', "")),
        )
        .collect();
    assert!(paths.len() > 20, "{paths:?}");
    let missing: Vec<&String> = paths.iter().filter(|path| !root().join(path).exists()).collect();
    assert!(missing.is_empty(), "these paths do not exist: {missing:?}");
}

#[test]
fn table_of_crates_is_the_workspace() {
    let named: BTreeSet<(String, String)> = rows("Crates")
        .iter()
        .map(|row| (row[0].replace('`', ""), row[1].replace('`', "")))
        .collect();
    let existing = crates()
        .into_iter()
        .map(|(path, manifest)| (crate_name(&manifest), path))
        .collect();
    assert_eq!(named, existing);
}

#[test]
fn crates_depend_on_no_more_than_the_page_says() {
    let crates = crates();
    let mut checked = 0;
    for row in rows("Crates") {
        let is_the_row = |(_, manifest): &&(String, String)| crate_name(manifest) == row[0].replace('`', "");
        let (_, manifest) = crates.iter().find(is_the_row).expect("the crate exists");
        if row[3].ends_with("any crate") {
            continue;
        }
        let more: BTreeSet<String> = dependencies(manifest)
            .difference(&names(&row[3]))
            .cloned()
            .collect();
        // The optional dependencies of als-proto are features that analysis does not use.
        let is_optional =
            |name: &String| manifest.contains(&format!("{name} = {{ workspace = true, optional = true }}"));
        let more: Vec<&String> = more.iter().filter(|name| !is_optional(name)).collect();
        assert!(more.is_empty(), "{} also depends on {more:?}", row[0]);
        checked += 1;
    }
    assert_eq!(checked, 7);
}

#[test]
fn rooms_import_only_what_the_page_says() {
    for (title, library) in [
        ("Rooms of the collector", "crates/collector/src/lib.rs"),
        ("Rooms of the plan", "crates/plan/src/lib.rs"),
        ("Rooms of the operator", "crates/operator/src/lib.rs"),
    ] {
        check_rooms(title, library);
    }
}

fn check_rooms(title: &str, library: &str) {
    let rooms = rows(title);
    for row in &rooms {
        let path = root().join(row[1].split('`').nth(1).expect("a path"));
        let room: BTreeSet<String> = set([&row[0]]);
        let allowed: BTreeSet<String> = names(&row[3]).union(&room).cloned().collect();
        let imports = imports(&code(&path));
        let more: Vec<&String> = imports.difference(&allowed).collect();
        assert!(more.is_empty(), "{} also imports {more:?}", row[0]);
    }
    let named: BTreeSet<String> = rooms.iter().map(|row| row[0].clone()).collect();
    let modules = words_after(&text(library), "pub mod ");
    assert_eq!(named, modules);
}

#[test]
fn ports_are_the_defaults_and_what_the_image_exposes() {
    let listen = Listen::default();
    let defaults = [
        ("listen.grpc", listen.grpc),
        ("listen.web", listen.web),
        ("listen.admin", listen.admin),
    ];
    let defaults: BTreeSet<String> = defaults
        .iter()
        .map(|(key, address)| format!("{key} {}", address.port()))
        .collect();
    let rows = rows("Ports");
    let named = rows
        .iter()
        .map(|row| format!("{} {}", row[1], row[0]).replace('`', ""))
        .collect();
    assert_eq!(defaults, named);
    let image = text("deploy/images/collector.Containerfile");
    let exposed = image
        .lines()
        .find_map(|line| line.strip_prefix("EXPOSE "))
        .expect("the image exposes ports");
    assert_eq!(
        set(exposed.split(' ')),
        set(rows.iter().map(|row| row[0].replace('`', "")))
    );
}

#[test]
fn routes_are_served() {
    let rooms = ["receive", "web", "admin", "assets"];
    let code: String = rooms
        .map(|room| code(&root().join(format!("crates/collector/src/{room}.rs"))))
        .concat();
    let routes: BTreeSet<String> = rows("Ports").iter().flat_map(|row| names(&row[3])).collect();
    assert_eq!(routes.len(), 12);
    for route in routes {
        assert!(code.contains(&format!("\"{route}\"")), "no room serves {route}");
    }
}

#[test]
fn readme_links_every_document() {
    let readme = text("README.md");
    let paths = read_dir(root().join("docs")).expect("the documents");
    let paths = paths.map(|entry| entry.expect("a document").path());
    let pages: Vec<String> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .filter_map(|path| Some(path.file_name()?.display().to_string()))
        .collect();
    assert!(pages.contains(&"glossary.md".to_owned()), "{pages:?}");
    let unlinked: Vec<&String> = pages
        .iter()
        .filter(|page| !readme.contains(&format!("](docs/{page})")))
        .collect();
    assert!(unlinked.is_empty(), "README.md does not link {unlinked:?}");
}

#[test]
fn glossary_has_each_word_once_in_order_and_in_one_sentence() {
    let glossary = text("docs/glossary.md");
    let rows = glossary.lines().filter(|line| line.starts_with('|')).skip(2);
    let mut last = String::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [word, meaning] = cells[..] else {
            panic!("{row} has two cells")
        };
        assert!(*word > *last, "{word} stands after {last}");
        assert!(meaning.ends_with('.') && !meaning.contains(". "), "{meaning}");
        word.clone_into(&mut last);
    }
    assert_eq!(last, "wired");
}

#[test]
fn table_of_metrics_is_what_the_collector_exports() {
    let export = code(&root().join("crates/collector/src/export.rs"));
    let exported: BTreeSet<String> = words_after(&export, "\"alscope_")
        .iter()
        .map(|rest| format!("alscope_{rest}"))
        .collect();
    let named: BTreeSet<String> = rows("Metrics")
        .iter()
        .map(|row| row[0].replace('`', ""))
        .collect();
    assert_eq!(named, exported);
    let readme = names(&text("README.md"));
    let readme: BTreeSet<String> = readme
        .into_iter()
        .filter(|name| name.starts_with("alscope_"))
        .collect();
    assert!(readme.len() > 5, "{readme:?}");
    let missing: Vec<&String> = readme.difference(&exported).collect();
    assert!(
        missing.is_empty(),
        "README.md names metrics that are not exported: {missing:?}"
    );
}
