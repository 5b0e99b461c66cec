//! Whether two documents say the same but for one path: the check that every edit must pass.

use std::collections::HashMap;

use crate::document::{Anchor, Entry, Kind, Mapping, Node};
use crate::mesh::{FLAG, Mesh, PROXY, Path, SERVICE};

/// The first difference that should not be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Difference {
    /// A value, a key, a tag, an anchor, or the order of keys.
    Value,
    /// The alias on `line` repeats what is changed, or no longer means what it meant.
    Alias { line: usize },
}

/// Compares everything but what stands at `except`. A `defaultConfig` that is absent, null or empty is the same.
pub(crate) fn check_equal_but(
    except: Path,
    before: &Mesh<'_, '_>,
    after: &Mesh<'_, '_>,
) -> Result<(), Difference> {
    let mut comparison = Comparison::default();
    let roots = (before.document.root.as_ref(), after.document.root.as_ref());
    check_properties(roots.0, roots.1)?;
    match except {
        Path::Flag => comparison.check_entries(before.root, after.root, FLAG)?,
        Path::Service => {
            comparison.check_entries(before.root, after.root, PROXY)?;
            comparison.check_proxies(before.proxy, after.proxy)?;
        }
    }
    comparison.check_aliases()
}

/// Whether two values say the same, in documents that need have nothing else in common: aliases by name.
pub(crate) fn is_same_value(one: &Node<'_>, other: &Node<'_>) -> bool {
    let mut comparison = Comparison::default();
    let has_same_name = |(one, other, _): &(&Anchor<'_>, &Anchor<'_>, usize)| one.name == other.name;
    comparison.check_nodes(one, other).is_ok() && comparison.aliases.iter().all(has_same_name)
}

#[derive(Default)]
struct Comparison<'d, 't> {
    /// Numbers of the anchors on values that are the same, before and after.
    anchors: HashMap<usize, usize>,
    /// Pairs of aliases with the line of the first, for when all anchors are known.
    aliases: Vec<(&'d Anchor<'t>, &'d Anchor<'t>, usize)>,
}

impl<'d, 't> Comparison<'d, 't> {
    fn check_nodes(&mut self, one: &'d Node<'t>, other: &'d Node<'t>) -> Result<(), Difference> {
        check_properties(Some(one), Some(other))?;
        if let (Some(one), Some(other)) = (&one.anchor, &other.anchor) {
            self.anchors.insert(one.number, other.number);
        }
        match (&one.kind, &other.kind) {
            (
                Kind::Scalar { text, style },
                Kind::Scalar {
                    text: other_text,
                    style: other_style,
                },
            ) => check(text == other_text && style == other_style),
            (Kind::Sequence { items }, Kind::Sequence { items: others }) => {
                check(items.len() == others.len())?;
                let mut pairs = items.iter().zip(others);
                pairs.try_for_each(|(one, other)| self.check_nodes(one, other))
            }
            (Kind::Mapping(mapping), Kind::Mapping(other)) => {
                check(mapping.style == other.style)?;
                self.check_all(mapping.entries.iter(), other.entries.iter())
            }
            (Kind::Alias(alias), Kind::Alias(other)) => {
                self.aliases.push((alias, other, one.line));
                Ok(())
            }
            (Kind::Scalar { .. } | Kind::Sequence { .. } | Kind::Mapping(_) | Kind::Alias(_), _) => {
                Err(Difference::Value)
            }
        }
    }

    fn check_proxies(
        &mut self,
        one: Option<&'d Entry<'t>>,
        other: Option<&'d Entry<'t>>,
    ) -> Result<(), Difference> {
        if let (Some(one), Some(other)) = (one, other) {
            self.check_nodes(&one.key, &other.key)?;
        }
        let (one, other) = (one.map(|entry| &entry.value), other.map(|entry| &entry.value));
        check_properties(one, other)?;
        let mapping = |node: Option<&'d Node<'t>>| node.and_then(Node::mapping);
        self.check_entries(mapping(one), mapping(other), SERVICE)
    }

    /// The entries in their order, without the one under `ignored`; an absent mapping has none.
    fn check_entries(
        &mut self,
        one: Option<&'d Mapping<'t>>,
        other: Option<&'d Mapping<'t>>,
        ignored: &str,
    ) -> Result<(), Difference> {
        let entries = |mapping: Option<&'d Mapping<'t>>| {
            let entries = mapping.into_iter().flat_map(|mapping| &mapping.entries);
            entries.filter(|entry| entry.key.scalar() != Some(ignored))
        };
        self.check_all(entries(one), entries(other))
    }

    fn check_all(
        &mut self,
        mut ones: impl Iterator<Item = &'d Entry<'t>>,
        mut others: impl Iterator<Item = &'d Entry<'t>>,
    ) -> Result<(), Difference> {
        loop {
            match (ones.next(), others.next()) {
                (Some(one), Some(other)) => {
                    self.check_nodes(&one.key, &other.key)?;
                    self.check_nodes(&one.value, &other.value)?;
                }
                (None, None) => return Ok(()),
                (Some(_), None) | (None, Some(_)) => return Err(Difference::Value),
            }
        }
    }

    /// An alias is the same only if its anchor is on a value that was compared: not on what is changed, nor around it.
    fn check_aliases(&self) -> Result<(), Difference> {
        let is_changed = |(one, other, _): &&(&Anchor<'t>, &Anchor<'t>, usize)| {
            self.anchors.get(&one.number) != Some(&other.number)
        };
        match self.aliases.iter().find(is_changed) {
            Some((_, _, line)) => Err(Difference::Alias { line: *line }),
            None => Ok(()),
        }
    }
}

fn check(is_same: bool) -> Result<(), Difference> {
    if is_same { Ok(()) } else { Err(Difference::Value) }
}

/// Tag and name of the anchor; a node that is absent has neither.
fn check_properties(one: Option<&Node<'_>>, other: Option<&Node<'_>>) -> Result<(), Difference> {
    let tag = |node: Option<&Node<'_>>| node.and_then(|node| node.tag.clone());
    let name = |node: Option<&Node<'_>>| Some(node?.anchor.as_ref()?.name.to_string());
    check(tag(one) == tag(other) && name(one) == name(other))
}
