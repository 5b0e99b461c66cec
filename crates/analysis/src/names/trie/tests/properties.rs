//! What holds for any paths.

use super::*;

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
