//! Holds the page to what the collector serves: its files, its content security policy, and the names in
//! the API.

use std::collections::BTreeSet;

use alscope_collector::assets;
use alscope_collector::evidence::Example;
use alscope_collector::topology::{Edge, NO_GRPC_STATUS};

/// The page's own scripts.
const SCRIPTS: [&str; 5] = ["/page.js", "/edges.js", "/format.js", "/graph.js", "/why.js"];

fn asset(path: &str) -> &'static str {
    let found = assets::ALL.iter().find(|asset| asset.path == path);
    found
        .and_then(|asset| std::str::from_utf8(asset.body).ok())
        .unwrap_or_default()
}

/// Returns the values between `start` and the next quotation mark.
fn quoted_after(text: &str, start: &str) -> BTreeSet<String> {
    text.split(start)
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn files_of_the_page_are_served() {
    let page = asset("/");
    let files: BTreeSet<String> = quoted_after(page, " src=\"")
        .union(&quoted_after(page, " href=\""))
        .cloned()
        .collect();
    let files: BTreeSet<String> = files
        .into_iter()
        .filter(|file| !file.starts_with("api/"))
        .map(|file| format!("/{file}"))
        .collect();
    let served: BTreeSet<String> = assets::ALL
        .iter()
        .map(|asset| asset.path.to_owned())
        .filter(|path| path != "/")
        .collect();
    assert_eq!(files, served);
    assert!(assets::ALL.iter().all(|asset| !asset.body.is_empty()));
}

#[test]
fn page_has_nothing_inline_and_nothing_from_elsewhere() {
    let page = asset("/");
    assert_eq!(
        page.matches("<script").count(),
        page.matches("<script src=\"").count()
    );
    for inline in ["<style", " style=", " onclick=", " onload=", "javascript:", "://"] {
        assert!(!page.contains(inline), "index.html contains {inline}");
    }
    for own in [SCRIPTS.as_slice(), &["/page.css"]].concat() {
        assert!(!asset(own).contains("://"), "{own} names another host");
    }
    for own in SCRIPTS {
        assert_safe(own);
    }
}

fn assert_safe(script: &str) {
    for unsafe_call in [
        "innerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        ".style.",
    ] {
        assert!(
            !asset(script).contains(unsafe_call),
            "{script} contains {unsafe_call}"
        );
    }
}

#[test]
fn columns_of_the_page_are_the_fields_of_an_edge() {
    let edge = Edge {
        source: String::new(),
        destination: String::new(),
        protocol: String::new(),
        reporter: String::new(),
        requests_per_second: 0.0,
        error_share: None,
        client_error_share: None,
        unknown_share: 0.0,
        p50_milliseconds: None,
        p95_milliseconds: None,
        p99_milliseconds: None,
    };
    let fields = serde_json::to_value(edge).expect("an edge is JSON");
    let fields: BTreeSet<String> = fields.as_object().expect("an object").keys().cloned().collect();
    assert_eq!(quoted_after(asset("/page.js"), "{ key: \""), fields);
}

#[test]
fn page_and_terminal_say_the_same_of_calls_without_a_grpc_status() {
    assert!(asset("/page.js").contains(&format!("\"{NO_GRPC_STATUS}\"")));
    assert!(asset("/").contains("id=\"no-grpc-status\""));
}

#[test]
fn what_the_page_shows_of_an_example_are_its_fields() {
    let fields = serde_json::to_value(Example::default()).expect("an example is JSON");
    let fields: BTreeSet<String> = fields.as_object().expect("an object").keys().cloned().collect();
    let (_, list) = asset("/why.js").split_once("const FIELDS = [").expect("the list");
    let list = list.split("];").next().expect("its end");
    assert_eq!(quoted_after(list, "\", \""), fields);
}

#[test]
fn graph_library_has_its_licences() {
    for (file, licence) in [
        (
            "/vendor/cytoscape.min.js",
            include_str!("../assets/vendor/cytoscape.LICENSE"),
        ),
        (
            "/vendor/cytoscape-dagre.min.js",
            include_str!("../assets/vendor/cytoscape-dagre.LICENSE"),
        ),
        (
            "/vendor/cytoscape-dagre.min.js",
            include_str!("../assets/vendor/dagre.LICENSE"),
        ),
    ] {
        assert!(asset(file).len() > 10_000, "{file} is not the library");
        assert!(
            licence.contains("Permission is hereby granted, free of charge"),
            "{file} has no MIT licence"
        );
    }
}
