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

fn ask(trie: &Trie, paths: &[&str]) -> Vec<bool> {
    let found = |path: &&str| trie.find(&target(Method::Get, path, false)).is_some();
    paths.iter().map(found).collect()
}

#[test]
fn names_that_nobody_asked_for_are_forgotten_with_their_methods_and_bytes() {
    let mut trie = learned(limits(10, 10), &["/a", "/a/b/c", "/d"]);
    trie.learn(&target(Method::Put, "/a", false), FREE);
    let put = target(Method::Put, "/a", false);
    let call = |method: &str| target(Method::Post, &format!("/shop.Cart/{method}"), true);
    for method in ["Get", "Add"] {
        trie.learn(&call(method), FREE);
        assert!(trie.find(&call(method)).is_some());
    }
    assert!(trie.find(&put).is_some());
    trie.forget_unasked();
    assert_eq!(trie.names, 6, "all were asked for");
    assert_eq!(ask(&trie, &["/a/b/c"]), [true]);
    assert!(trie.find(&call("Get")).is_some());
    trie.forget_unasked();
    assert_eq!(ask(&trie, &["/a/b/c", "/a", "/d"]), [true, false, false]);
    assert_eq!(
        [call("Get"), call("Add"), put].map(|target| trie.find(&target).is_some()),
        [true, false, false]
    );
    assert_eq!(trie.names, 2);
    let node = 3 * (NODE_OVERHEAD_BYTES + 1) + "/a/b/c".len();
    assert_eq!(trie.bytes(), node + GRPC_OVERHEAD_BYTES + "/shop.Cart/Get".len());
    trie.forget_unasked();
    trie.forget_unasked();
    assert_eq!((trie.names, trie.bytes()), (0, 0));
}

#[test]
fn a_method_is_forgotten_and_the_path_of_another_stays() {
    let mut trie = learned(limits(2, 10), &["/a"]);
    let [put, post] = [Method::Put, Method::Post].map(|method| target(method, "/a", false));
    trie.learn(&put, FREE);
    trie.forget_unasked();
    assert_eq!(ask(&trie, &["/a"]), [true]);
    trie.forget_unasked();
    trie.learn(&post, FREE);
    assert_eq!([&put, &post].map(|target| trie.find(target)), [None, Some("/a")]);
}

#[test]
fn a_collapsed_position_stays_so_while_a_name_through_it_is_asked_for() {
    let mut trie = learned(limits(100, 2), &["/u/ann", "/u/bob", "/u/cid", "/u/7", "/v"]);
    trie.forget_unasked();
    assert_eq!(named(&mut trie, "/u/dan"), Some("/u/{any}"));
    assert_eq!(ask(&trie, &["/u/7"]), [true]);
    trie.forget_unasked();
    assert_eq!(named(&mut trie, "/u/eve"), Some("/u/{any}"));
    trie.forget_unasked();
    assert_eq!(ask(&trie, &["/u/7"]), [false]);
    trie.forget_unasked();
    assert_eq!(named(&mut trie, "/u/eve"), Some("/u/eve"));
    assert_eq!(named(&mut trie, "/u/fay"), Some("/u/fay"));
    assert_eq!(named(&mut trie, "/u/gus"), Some("/u/{any}"));
}

#[test]
fn what_a_collapse_merged_was_asked_for_if_a_part_was() {
    let mut trie = learned(limits(100, 2), &["/ann/a", "/bob/b"]);
    trie.forget_unasked();
    assert_eq!(ask(&trie, &["/ann/a"]), [true]);
    // The collapse by another name, which is not asked for itself.
    trie.learn(&target(Method::Get, "/cid", false), FREE);
    trie.forget_unasked();
    assert_eq!(ask(&trie, &["/dan/a", "/dan/b"]), [true, false]);
}

#[test]
fn a_trie_that_had_no_room_for_a_collapse_learns_again_when_there_is() {
    let mut trie = learned(limits(5, 2), &["/ann/x", "/ann/y", "/bob/x", "/bob/y"]);
    assert_eq!(named(&mut trie, "/cid/x"), None);
    trie.forget_unasked();
    assert_eq!(ask(&trie, &["/ann/x", "/bob/x"]), [true, true]);
    trie.forget_unasked();
    assert_eq!(named(&mut trie, "/cid/x"), Some("/{any}/x"));
    assert_eq!(trie.names, 3);
}

/// Paths that share beginnings, so that positions fill up.
fn paths() -> impl Strategy<Value = Vec<String>> {
    const SEGMENTS: [&str; 10] = ["a", "b", "c", "d", "e", "f", "ab", "ba", "7", "{any}"];
    let path = prop::collection::vec(prop::sample::select(&SEGMENTS[..]), 0..5);
    prop::collection::vec(
        path.prop_map(|segments| format!("/{}", segments.join("/"))),
        0..200,
    )
}

proptest! {
    #[test]
    fn names_ever_handed_out_stay_within_the_bound(paths in paths(), names in 0_usize..40, values in 0_usize..6) {
        let mut trie = Trie::new(limits(names, values));
        let mut handed_out = BTreeSet::new();
        for path in &paths {
            handed_out.extend(named(&mut trie, path).map(str::to_owned));
            prop_assert!(handed_out.len() <= trie.names, "{:?}", handed_out);
        }
        prop_assert!(trie.names <= names);
    }

    #[test]
    fn a_named_path_stays_named_and_changes_its_name_only_by_any(paths in paths(), names in 1_usize..40) {
        let mut trie = Trie::new(limits(names, 3));
        let mut before: Vec<(Target, String)> = Vec::new();
        for path in &paths {
            let name = named(&mut trie, path).map(str::to_owned);
            for (target, name) in &mut before {
                let now = trie.find(target).expect("a named path stays named");
                prop_assert_eq!(now.matches('/').count(), name.matches('/').count());
                for (now, before) in now.split('/').zip(name.split('/')) {
                    prop_assert!(now == before || now == "{any}", "{} after {}", now, before);
                }
                now.clone_into(name);
            }
            before.extend(name.map(|name| (target(Method::Get, path, false), name)));
        }
    }

    #[test]
    fn the_same_order_gives_the_same_names(paths in paths()) {
        let run = || {
            let mut trie = Trie::new(limits(30, 3));
            let names: Vec<Option<String>> = paths.iter().map(|path| named(&mut trie, path).map(str::to_owned)).collect();
            names
        };
        prop_assert_eq!(run(), run());
    }

    #[test]
    fn counted_bytes_are_those_of_the_nodes(paths in paths()) {
        let mut trie = Trie::new(limits(30, 3));
        for path in &paths {
            named(&mut trie, path);
            prop_assert!(trie.root.bytes() <= trie.bytes());
        }
    }

    #[test]
    fn no_position_has_more_words_than_the_bound(paths in paths()) {
        fn widest(node: &TrieNode) -> usize {
            let below = node.children.iter().map(|(_, child)| widest(child));
            below.max().unwrap_or(0).max(node.words())
        }
        let mut trie = Trie::new(limits(1000, 4));
        for path in &paths {
            named(&mut trie, path);
            prop_assert!(widest(&trie.root) <= 4);
        }
    }

    #[test]
    fn naming_a_name_gives_the_same_name(paths in paths()) {
        let mut trie = Trie::new(limits(50, 3));
        for path in &paths {
            if let Some(name) = named(&mut trie, path).map(str::to_owned) {
                prop_assert_eq!(named(&mut trie, &name), Some(name.as_str()));
            }
        }
    }

    #[test]
    fn names_handed_out_between_two_forgettings_stay_within_the_bound_and_those_asked_for_stay(
        rounds in prop::collection::vec(paths(), 1..5),
        names in 0_usize..40,
        values in 0_usize..6,
    ) {
        let mut trie = Trie::new(limits(names, values));
        for paths in &rounds {
            let mut handed_out = BTreeSet::new();
            let mut asked = Vec::new();
            for path in paths {
                let name = named(&mut trie, path).map(str::to_owned);
                asked.extend(name.is_some().then_some(path));
                handed_out.extend(name);
                prop_assert!(handed_out.len() <= names, "{:?}", handed_out);
            }
            let bytes = trie.bytes();
            trie.forget_unasked();
            prop_assert!(trie.names <= names && trie.bytes() <= bytes);
            prop_assert_eq!(trie.bytes(), trie.root.bytes());
            let mut now = trie.clone();
            now.forget_unasked();
            prop_assert_eq!((now.names, now.bytes()), (0, 0));
            for path in asked {
                prop_assert!(trie.clone().find(&target(Method::Get, path, false)).is_some(), "{} stays", path);
            }
        }
    }
}
