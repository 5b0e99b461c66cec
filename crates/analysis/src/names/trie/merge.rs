//! Collapses a position: its words become one, and what followed them is merged.

use std::collections::BTreeMap;

use super::methods::{AtomicMethods, Methods};
use super::{TrieNode, is_word, shown_path};
use crate::names::segment::Placeholder;

impl TrieNode {
    /// Makes this position's words one `{any}`. Below it, positions that now have more words than `limit`, or that had
    /// collapsed after one of the words, collapse too.
    pub(super) fn collapse(&mut self, limit: usize) {
        let any = Placeholder::Any.text();
        let children = std::mem::take(&mut self.children);
        let (values, kept): (Vec<_>, Vec<_>) = children
            .into_iter()
            .partition(|(key, _)| is_word(key) || **key == *any);
        self.children = kept;
        self.is_collapsed = true;
        let values = values.into_iter().map(|(_, node)| node).collect();
        *self.child_or_new(any) = TrieNode::merged(values, limit);
    }

    fn merged(nodes: Vec<TrieNode>, limit: usize) -> TrieNode {
        let (mut methods, mut asked) = (Methods::default(), AtomicMethods::default());
        let mut was_collapsed = false;
        let mut groups: BTreeMap<Box<str>, Vec<TrieNode>> = BTreeMap::new();
        for node in nodes {
            methods.add(node.methods);
            asked.add(&node.asked);
            was_collapsed |= node.is_collapsed;
            for (key, child) in node.children {
                groups.entry(key).or_default().push(child);
            }
        }
        let mut merged = TrieNode {
            methods,
            asked,
            ..TrieNode::default()
        };
        // The map is sorted, as the children of a node must be.
        let children = groups.into_iter();
        merged.children = children
            .map(|(key, nodes)| (key, TrieNode::merged(nodes, limit)))
            .collect();
        if was_collapsed || merged.words() > limit {
            merged.collapse(limit);
        }
        merged
    }

    /// Rewrites the paths after a collapse. `path` is that of this node.
    pub(super) fn rename_paths(&mut self, path: &mut String, name_bytes: Option<usize>) {
        if self.methods != Methods::default() {
            self.path = shown_path(path, name_bytes).into();
        }
        for (key, child) in &mut self.children {
            let length = path.len();
            path.push('/');
            path.push_str(key);
            child.rename_paths(path, name_bytes);
            path.truncate(length);
        }
    }
}
