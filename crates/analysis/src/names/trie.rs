//! Learns the names of one service's endpoints from its traffic: a trie over segments, with a bound of names.
//!
//! A position is what may follow one beginning of a path. When it has more distinct words than
//! [`ServiceLimits::values_per_position`], they count as values: they become one `{any}`, and what followed them is merged. The
//! result depends only on the order in which paths arrive.
//!
//! A name stays while it is asked for, with one exception: a collapse replaces the word by `{any}` in the names through its
//! position. This happens once for each position of a path, and is not undone while anybody asks for a name through it. A path with
//! a name never loses it to the overflow: if the names after a collapse would not fit, the trie learns nothing more.
//!
//! `Trie::forget_unasked` forgets the names that nobody asked for since the last call, which makes room for others.

mod merge;
mod methods;

use std::collections::BTreeSet;

use super::method::Method;
use super::segment::Placeholder;
use super::target::{Target, TargetForm};
use methods::{AtomicMethods, Methods};

/// Bytes of a node besides its texts, including the allocator's overhead.
pub(super) const NODE_OVERHEAD_BYTES: usize = 128;

/// Bytes of a gRPC call's name besides its text, including the allocator's overhead.
const GRPC_OVERHEAD_BYTES: usize = 48;

/// Bytes reserved before the path of a bounded name: the longest method and a blank.
const MAX_METHOD_BYTES: usize = "OPTIONS ".len();

/// The bounds of one service's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceLimits {
    /// How many distinct names are given until unused ones are forgotten.
    pub names: usize,
    /// How many distinct words one position may have before they count as values.
    pub values_per_position: usize,
    /// How many bytes a name with its method may have; a longer one is cut and ends in `/**`. `None` allows
    /// [`MAX_SEGMENTS`](super::target::MAX_SEGMENTS) × ([`MAX_SEGMENT_BYTES`](super::target::MAX_SEGMENT_BYTES) + 1) bytes and a
    /// few.
    pub name_bytes: Option<usize>,
}

/// The names of one service's endpoints.
#[derive(Clone, Debug)]
pub(super) struct Trie {
    limits: ServiceLimits,
    root: TrieNode,
    /// The gRPC calls, sorted. A service's methods are a closed list, so they never collapse.
    grpc: Vec<GrpcCall>,
    /// How many names there are, and how many a collapse replaced since names were last forgotten.
    names: usize,
    bytes: usize,
    is_full: bool,
}

/// A node of the trie: what follows one beginning of a path.
#[derive(Clone, Debug, Default)]
struct TrieNode {
    /// The words and placeholders that may follow, sorted by text.
    children: Vec<(Box<str>, TrieNode)>,
    is_collapsed: bool,
    /// The methods with which the path that ends here has been named.
    methods: Methods,
    /// The methods that were asked for since names were last forgotten.
    asked: AtomicMethods,
    /// The path that ends here, as names show it; empty until it is named.
    path: Box<str>,
}

/// The name of a gRPC call.
#[derive(Clone, Debug)]
struct GrpcCall {
    path: Box<str>,
    asked: AtomicMethods,
}

impl Trie {
    pub(super) fn new(limits: ServiceLimits) -> Self {
        Trie {
            limits,
            root: TrieNode::default(),
            grpc: Vec::new(),
            names: 0,
            bytes: 0,
            is_full: false,
        }
    }

    /// An upper bound of the bytes in use.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The path of the name that `target` has; notes that it was asked for.
    pub(super) fn find(&self, target: &Target) -> Option<&str> {
        if target.form == TargetForm::Grpc {
            let index = self.grpc_index(target).ok()?;
            return self.grpc.get(index).map(|call| {
                call.asked.note(target.method);
                &*call.path
            });
        }
        let mut node = &self.root;
        for (text, placeholder) in target.segments() {
            node = node.child(node.key(text, placeholder))?;
        }
        node.methods.has(target.method).then(|| {
            node.asked.note(target.method);
            &*node.path
        })
    }

    /// Forgets the names that nobody asked for since the last call.
    pub(super) fn forget_unasked(&mut self) {
        self.grpc
            .retain_mut(|call| call.asked.take() != Methods::default());
        self.root.forget_unasked();
        let texts = self.grpc.iter().map(|call| GRPC_OVERHEAD_BYTES + call.path.len());
        self.bytes = self.root.bytes() + texts.sum::<usize>();
        self.names = self.root.names().len() + self.grpc.len();
        self.is_full = false;
    }

    /// Gives `target` a name, unless a bound is reached. It may take up to `free` bytes.
    pub(super) fn learn(&mut self, target: &Target, free: usize) {
        if self.is_full || self.names >= self.limits.names || self.find(target).is_some() {
            return;
        }
        if target.form == TargetForm::Grpc {
            return self.learn_grpc(target, free);
        }
        while let Some(depth) = self.crowded_position(target) {
            if !self.collapse(target, depth, free) {
                self.is_full = true;
                return;
            }
        }
        if self.find(target).is_some() {
            return;
        }
        let cost = self.cost(target);
        if self.names < self.limits.names && cost <= free {
            self.insert(target);
            self.bytes += cost;
        }
    }

    fn grpc_index(&self, target: &Target) -> Result<usize, usize> {
        self.grpc.binary_search_by(|call| (*call.path).cmp(target.text()))
    }

    fn learn_grpc(&mut self, target: &Target, free: usize) {
        let cost = GRPC_OVERHEAD_BYTES + target.text().len();
        if let (Err(index), true) = (self.grpc_index(target), cost <= free) {
            let call = GrpcCall {
                path: target.text().into(),
                asked: AtomicMethods::default(),
            };
            self.grpc.insert(index, call);
            self.names += 1;
            self.bytes += cost;
        }
    }

    /// The depth of the position on the path of `target` that can't take another word; `None` if all can.
    fn crowded_position(&self, target: &Target) -> Option<usize> {
        let mut node = &self.root;
        for (depth, (text, placeholder)) in target.segments().enumerate() {
            match node.child(node.key(text, placeholder)) {
                Some(child) => node = child,
                None if placeholder.is_some() => return None,
                None => return (node.words() >= self.limits.values_per_position).then_some(depth),
            }
        }
        None
    }

    /// Collapses the position at `depth`, if the resulting names fit. Returns whether it did.
    fn collapse(&mut self, target: &Target, depth: usize, free: usize) -> bool {
        let mut collapsed = self.root.clone();
        let mut node = &mut collapsed;
        for (text, placeholder) in target.segments().take(depth) {
            let key = node.key(text, placeholder).to_owned();
            node = node.child_or_new(&key);
        }
        node.collapse(self.limits.values_per_position);
        collapsed.rename_paths(&mut String::new(), self.limits.name_bytes);
        let before = self.root.names();
        let new = collapsed.names().difference(&before).count();
        let (bytes_before, bytes) = (self.root.bytes(), collapsed.bytes());
        if self.names + new > self.limits.names || bytes > bytes_before + free {
            return false;
        }
        self.names += new;
        self.bytes = self.bytes - bytes_before + bytes;
        self.root = collapsed;
        true
    }

    /// The bytes that naming `target` would take.
    fn cost(&self, target: &Target) -> usize {
        let mut node = Some(&self.root);
        let (mut cost, mut path) = (0, 0);
        for (text, placeholder) in target.segments() {
            let is_collapsed = node.is_some_and(|node| node.is_collapsed);
            let key = key(is_collapsed, text, placeholder);
            node = node.and_then(|node| node.child(key));
            cost += if node.is_none() {
                NODE_OVERHEAD_BYTES + key.len()
            } else {
                0
            };
            path += 1 + key.len();
        }
        let is_named = node.is_some_and(|node| node.methods != Methods::default());
        cost + if is_named { 0 } else { path.max("/**".len()) }
    }

    fn insert(&mut self, target: &Target) {
        let mut path = String::new();
        let mut node = &mut self.root;
        for (text, placeholder) in target.segments() {
            let is_collapsed = node.is_collapsed;
            let key = key(is_collapsed, text, placeholder);
            path.push('/');
            path.push_str(key);
            node = node.child_or_new(key);
        }
        node.methods.insert(target.method);
        node.path = shown_path(&path, self.limits.name_bytes).into();
        self.names += 1;
    }
}

impl TrieNode {
    fn key<'a>(&self, text: &'a str, placeholder: Option<Placeholder>) -> &'a str {
        key(self.is_collapsed, text, placeholder)
    }

    fn index(&self, key: &str) -> Result<usize, usize> {
        self.children.binary_search_by(|(other, _)| (**other).cmp(key))
    }

    fn child(&self, key: &str) -> Option<&TrieNode> {
        let index = self.index(key).ok()?;
        self.children.get(index).map(|(_, child)| child)
    }

    fn child_or_new(&mut self, key: &str) -> &mut TrieNode {
        let index = self.index(key).unwrap_or_else(|index| {
            self.children.reserve_exact(1);
            self.children.insert(index, (key.into(), TrieNode::default()));
            index
        });
        &mut self.children[index].1
    }

    fn words(&self) -> usize {
        self.children.iter().filter(|(key, _)| is_word(key)).count()
    }

    /// All names at and below this node, each with its method.
    fn names(&self) -> BTreeSet<(&str, Method)> {
        let mut names: BTreeSet<(&str, Method)> =
            self.methods.all().map(|method| (&*self.path, method)).collect();
        for (_, child) in &self.children {
            names.extend(child.names());
        }
        names
    }

    /// Forgets the methods and children that nobody asked for. A position that is then empty may have words again.
    fn forget_unasked(&mut self) {
        self.methods = self.methods.intersection(self.asked.take());
        if self.methods == Methods::default() {
            self.path = Box::default();
        }
        self.children.retain_mut(|(_, child)| {
            child.forget_unasked();
            child.methods != Methods::default() || !child.children.is_empty()
        });
        self.children.shrink_to_fit();
        self.is_collapsed &= self.child(Placeholder::Any.text()).is_some();
    }

    fn bytes(&self) -> usize {
        let children = self.children.iter();
        let below: usize = children
            .map(|(key, child)| NODE_OVERHEAD_BYTES + key.len() + child.bytes())
            .sum();
        below + self.path.len()
    }
}

/// The key of the child to which a segment leads.
fn key(is_collapsed: bool, text: &str, placeholder: Option<Placeholder>) -> &str {
    match placeholder {
        Some(placeholder) => placeholder.text(),
        None if is_collapsed => Placeholder::Any.text(),
        None => text,
    }
}

/// Whether the key of a child is a word. The spelling of a word has no braces, and `**` is a placeholder.
fn is_word(key: &str) -> bool {
    !key.starts_with('{') && key != Placeholder::Rest.text()
}

/// The path as a name shows it. If the name would be too long, it has the segments that fit, and `/**`.
fn shown_path(path: &str, name_bytes: Option<usize>) -> String {
    if path.is_empty() {
        return "/".to_owned();
    }
    let Some(bound) = name_bytes.map(|bytes| bytes.saturating_sub(MAX_METHOD_BYTES)) else {
        return path.to_owned();
    };
    if path.len() <= bound {
        return path.to_owned();
    }
    let rest = "/**";
    let ends = path.match_indices('/').map(|(index, _)| index);
    let end = ends.take_while(|end| end + rest.len() <= bound).last();
    format!("{}{rest}", path.get(..end.unwrap_or(0)).unwrap_or_default())
}

#[cfg(test)]
mod tests;
