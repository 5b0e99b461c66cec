mod forgetting;
mod properties;

use std::collections::BTreeSet;

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::names::target::Request;

const FREE: usize = usize::MAX / 2;

fn limits(names: usize, values_per_position: usize) -> ServiceLimits {
    ServiceLimits {
        names,
        values_per_position,
        name_bytes: None,
    }
}

fn target(method: Method, path: &str, is_grpc: bool) -> Target {
    let mut target = Target::default();
    target.read(&Request {
        method,
        path: path.as_bytes(),
        is_grpc,
    });
    target
}

/// Learns a path of GET, and answers what it is called.
fn named<'t>(trie: &'t mut Trie, path: &str) -> Option<&'t str> {
    let target = target(Method::Get, path, false);
    trie.learn(&target, FREE);
    trie.find(&target)
}

fn learned(limits: ServiceLimits, paths: &[&str]) -> Trie {
    let mut trie = Trie::new(limits);
    for path in paths {
        named(&mut trie, path);
    }
    trie
}

#[test]
fn paths_are_named_by_their_words() {
    let mut trie = Trie::new(limits(10, 10));
    assert_eq!(named(&mut trie, "/"), Some("/"));
    assert_eq!(named(&mut trie, "/products/42?x"), Some("/products/{int}"));
    assert_eq!(named(&mut trie, "/products"), Some("/products"));
    assert_eq!(trie.find(&target(Method::Get, "/carts", false)), None);
    assert_eq!(trie.names, 3);
}

#[test]
fn each_method_is_a_name_of_its_own() {
    let mut trie = learned(limits(2, 10), &["/a"]);
    let put = target(Method::Put, "/a", false);
    assert_eq!(trie.find(&put), None);
    trie.learn(&put, FREE);
    assert_eq!((trie.find(&put), trie.names), (Some("/a"), 2));
    let post = target(Method::Post, "/a", false);
    trie.learn(&post, FREE);
    assert_eq!((trie.find(&post), trie.names), (None, 2));
}

#[test]
fn one_word_too_many_collapses_a_position() {
    let mut trie = learned(limits(100, 2), &["/u/ann/orders", "/u/bob/orders"]);
    assert_eq!(named(&mut trie, "/u/bob/orders"), Some("/u/bob/orders"));
    assert_eq!(named(&mut trie, "/u/cid/orders"), Some("/u/{any}/orders"));
    assert_eq!(named(&mut trie, "/u/ann/orders"), Some("/u/{any}/orders"));
    assert_eq!(trie.names, 3);
}

#[test]
fn a_collapse_leaves_other_positions_alone() {
    let paths = ["/u/ann", "/u/bob", "/v/ann", "/u/cid"];
    let mut trie = learned(limits(100, 2), &paths);
    assert_eq!(named(&mut trie, "/v/ann"), Some("/v/ann"));
    assert_eq!(named(&mut trie, "/v/bob"), Some("/v/bob"));
    assert_eq!(named(&mut trie, "/u/dan"), Some("/u/{any}"));
}

#[test]
fn typed_values_are_no_words_and_stay_beside_any() {
    let mut trie = learned(
        limits(100, 2),
        &["/u/1", "/u/a@b.org", "/u/ann", "/u/bob", "/u/2024-05-12"],
    );
    assert_eq!(named(&mut trie, "/u/bob"), Some("/u/bob"));
    assert_eq!(named(&mut trie, "/u/cid"), Some("/u/{any}"));
    assert_eq!(named(&mut trie, "/u/7"), Some("/u/{int}"));
}

#[test]
fn a_segment_too_long_for_a_word_joins_the_collapsed_words() {
    let long = format!("/u/{}", "x".repeat(65));
    let mut trie = learned(limits(100, 2), &[&long, "/u/ann", "/u/bob"]);
    assert_eq!(named(&mut trie, "/u/bob"), Some("/u/bob"));
    assert_eq!(named(&mut trie, "/u/cid"), Some("/u/{any}"));
    assert_eq!(trie.names, 3);
}

#[test]
fn merged_positions_with_too_many_words_collapse_too() {
    let paths = ["/ann/a/x", "/ann/b/x", "/bob/c/x", "/bob/d/x", "/cid/a/x"];
    let mut trie = learned(limits(100, 2), &paths);
    assert_eq!(named(&mut trie, "/ann/a/x"), Some("/{any}/{any}/x"));
}

#[test]
fn a_position_that_had_collapsed_stays_so_when_it_is_merged() {
    let paths = ["/ann/a", "/ann/b", "/ann/c", "/bob/a", "/cid/a"];
    let mut trie = learned(limits(100, 2), &paths);
    assert_eq!(named(&mut trie, "/bob/a"), Some("/{any}/{any}"));
}

#[test]
fn merged_positions_keep_few_words() {
    let paths = ["/ann/a", "/bob/b", "/cid/a"];
    let mut trie = learned(limits(100, 2), &paths);
    assert_eq!(named(&mut trie, "/dan/a"), Some("/{any}/a"));
    assert_eq!(named(&mut trie, "/dan/b"), Some("/{any}/b"));
}

#[test]
fn methods_are_merged_too() {
    let mut trie = Trie::new(limits(100, 1));
    trie.learn(&target(Method::Put, "/ann", false), FREE);
    assert_eq!(named(&mut trie, "/bob"), Some("/{any}"));
    assert_eq!(trie.find(&target(Method::Put, "/cid", false)), Some("/{any}"));
    assert_eq!(trie.find(&target(Method::Post, "/cid", false)), None);
    // PUT /ann, PUT /{any}, GET /{any}.
    assert_eq!(trie.names, 3);
}

#[test]
fn a_full_trie_keeps_its_names_and_gives_no_more() {
    let mut trie = learned(limits(2, 10), &["/a", "/b"]);
    assert_eq!(named(&mut trie, "/c"), None);
    assert_eq!(named(&mut trie, "/a"), Some("/a"));
    assert_eq!(trie.names, 2);
}

#[test]
fn a_collapse_whose_names_do_not_fit_ends_the_learning() {
    let paths = ["/ann/x", "/ann/y", "/bob/x", "/bob/y"];
    let mut trie = learned(limits(5, 2), &paths);
    assert_eq!(named(&mut trie, "/cid/x"), None);
    assert_eq!(named(&mut trie, "/ann/x"), Some("/ann/x"));
    assert_eq!(named(&mut trie, "/ann"), None);
    let mut trie = learned(limits(6, 2), &paths);
    assert_eq!(named(&mut trie, "/cid/x"), Some("/{any}/x"));
    assert_eq!(trie.names, 6);
}

#[test]
fn grpc_methods_are_kept_as_they_are_and_never_collapse() {
    let mut trie = Trie::new(limits(3, 1));
    let methods = [
        "/shop.Cart/Get1",
        "/shop.Cart/Get2",
        "/shop.Cart/Add",
        "/shop.Cart/Drop",
    ];
    for method in methods {
        trie.learn(&target(Method::Post, method, true), FREE);
    }
    let found = methods.map(|method| trie.find(&target(Method::Post, method, true)).map(str::to_owned));
    assert_eq!(
        found,
        [
            Some(methods[0].to_owned()),
            Some(methods[1].to_owned()),
            Some(methods[2].to_owned()),
            None
        ]
    );
    assert_eq!(trie.find(&target(Method::Post, methods[0], false)), None);
}

#[rstest]
#[case(23, "/products/{int}")]
#[case(22, "/products/**")]
#[case(20, "/products/**")]
#[case(19, "/**")]
#[case(0, "/**")]
fn the_segments_that_fit_are_kept(#[case] name_bytes: usize, #[case] expected: &str) {
    let mut trie = Trie::new(ServiceLimits {
        name_bytes: Some(name_bytes),
        ..limits(10, 10)
    });
    assert_eq!(named(&mut trie, "/products/1"), Some(expected));
}

#[test]
fn bytes_bound_what_is_learned() {
    let mut trie = Trie::new(limits(10, 10));
    let first = target(Method::Get, "/abc", false);
    let cost = NODE_OVERHEAD_BYTES + 3 + 4;
    trie.learn(&first, cost - 1);
    assert_eq!((trie.find(&first), trie.bytes()), (None, 0));
    trie.learn(&first, cost);
    assert_eq!((trie.find(&first), trie.bytes()), (Some("/abc"), cost));
    let grpc = target(Method::Post, "/a.B/C", true);
    trie.learn(&grpc, GRPC_OVERHEAD_BYTES + 5);
    assert_eq!(trie.find(&grpc), None);
    trie.learn(&grpc, GRPC_OVERHEAD_BYTES + 6);
    assert_eq!(trie.bytes(), cost + GRPC_OVERHEAD_BYTES + 6);
}

#[test]
fn a_collapse_gives_bytes_back() {
    let mut trie = learned(limits(10, 2), &["/u/ann", "/u/bob"]);
    let before = 3 * NODE_OVERHEAD_BYTES + "u".len() + 2 * ("ann".len() + "/u/ann".len());
    assert_eq!(trie.bytes(), before);
    named(&mut trie, "/u/cid");
    let after = 2 * NODE_OVERHEAD_BYTES + "u".len() + "{any}".len() + "/u/{any}".len();
    assert_eq!(trie.bytes(), after);
}

#[test]
fn a_collapse_that_needs_more_bytes_than_are_free_ends_the_learning() {
    let growth = "{any}".len() + "/{any}".len() - "a".len() - "/a".len();
    let next = target(Method::Get, "/b", false);
    let mut trie = learned(limits(10, 1), &["/a"]);
    trie.learn(&next, growth - 1);
    assert_eq!(trie.find(&next), None);
    assert_eq!(named(&mut trie, "/a"), Some("/a"));
    let mut trie = learned(limits(10, 1), &["/a"]);
    trie.learn(&next, growth);
    assert_eq!(trie.find(&next), Some("/{any}"));
}
