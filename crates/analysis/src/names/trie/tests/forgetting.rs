//! Names that nobody asks for are forgotten.

use super::*;

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
