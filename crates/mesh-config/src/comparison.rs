//! Whether two documents say the same but for one path: the check that every edit must pass.

use std::collections::HashMap;

use crate::document::{Anchor, Document, Entry, Mapping, NAME, YamlKind, YamlNode};
use crate::path::{Path, Segment};

/// The first difference that should not be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Difference {
    /// A value, a key, a tag, an anchor, or the order of keys.
    Value,
    /// The alias on `line` repeats what is changed, or no longer means what it meant.
    Alias { line: usize },
}

/// Compares everything but what stands at `except`. A mapping or list on the way there that is absent, null or empty is the same.
pub(crate) fn check_equal_but(
    except: Path<'_>,
    before: &Document<'_>,
    after: &Document<'_>,
) -> Result<(), Difference> {
    let mut comparison = Comparison::default();
    comparison.check_around(before.root.as_ref(), after.root.as_ref(), except.0)?;
    comparison.check_aliases()
}

/// Whether two values say the same, in documents that need have nothing else in common: aliases by name.
pub(crate) fn is_same_value(one: &YamlNode<'_>, other: &YamlNode<'_>) -> bool {
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
    fn check_nodes(&mut self, one: &'d YamlNode<'t>, other: &'d YamlNode<'t>) -> Result<(), Difference> {
        check_properties(Some(one), Some(other))?;
        if let (Some(one), Some(other)) = (&one.anchor, &other.anchor) {
            self.anchors.insert(one.number, other.number);
        }
        match (&one.kind, &other.kind) {
            (
                YamlKind::Scalar { text, style },
                YamlKind::Scalar {
                    text: other_text,
                    style: other_style,
                },
            ) => check(text == other_text && style == other_style),
            (
                YamlKind::Sequence { items, style },
                YamlKind::Sequence {
                    items: others,
                    style: other_style,
                },
            ) => {
                check(items.len() == others.len() && style == other_style)?;
                let mut pairs = items.iter().zip(others);
                pairs.try_for_each(|(one, other)| self.check_nodes(one, other))
            }
            (YamlKind::Mapping(mapping), YamlKind::Mapping(other)) => {
                check(mapping.style == other.style)?;
                self.check_all(mapping.entries.iter(), other.entries.iter())
            }
            (YamlKind::Alias(alias), YamlKind::Alias(other)) => {
                self.aliases.push((alias, other, one.line));
                Ok(())
            }
            (
                YamlKind::Scalar { .. }
                | YamlKind::Sequence { .. }
                | YamlKind::Mapping(_)
                | YamlKind::Alias(_),
                _,
            ) => Err(Difference::Value),
        }
    }

    /// Compares two values but for what stands at the end of `path` inside them.
    fn check_around(
        &mut self,
        one: Option<&'d YamlNode<'t>>,
        other: Option<&'d YamlNode<'t>>,
        path: &[Segment<'_>],
    ) -> Result<(), Difference> {
        check_properties(one, other)?;
        let Some((segment, rest)) = path.split_first() else {
            return Ok(());
        };
        let inner = match segment {
            Segment::Key(key) => {
                // An item that comes or goes as a whole brings its name along.
                let is_new = one.is_none() || other.is_none();
                self.check_entries(one, other, |name| name == *key || (is_new && name == NAME))?;
                let entry = |node: Option<&'d YamlNode<'t>>| node?.mapping()?.entry(key);
                let (one, other) = (entry(one), entry(other));
                if let (Some(one), Some(other)) = (one, other) {
                    self.check_nodes(&one.key, &other.key)?;
                }
                (one.map(|entry| &entry.value), other.map(|entry| &entry.value))
            }
            Segment::Item(_) | Segment::Text(_) => {
                self.check_items(one, other, *segment)?;
                let item = |node: Option<&'d YamlNode<'t>>| node?.items().get(node?.place_of(*segment)?);
                (item(one), item(other))
            }
        };
        if rest.is_empty() {
            return Ok(());
        }
        self.check_around(inner.0, inner.1, rest)
    }

    /// The entries in their order, without those that are ignored; what is no mapping has none.
    fn check_entries(
        &mut self,
        one: Option<&'d YamlNode<'t>>,
        other: Option<&'d YamlNode<'t>>,
        is_ignored: impl Fn(&str) -> bool,
    ) -> Result<(), Difference> {
        let entries = |node: Option<&'d YamlNode<'t>>| {
            let mapping = node.and_then(YamlNode::mapping);
            let entries = mapping
                .into_iter()
                .flat_map(|mapping: &'d Mapping<'t>| &mapping.entries);
            entries.filter(|entry| !entry.key.scalar().is_some_and(&is_ignored))
        };
        self.check_all(entries(one), entries(other))
    }

    /// The items in their order, without the one that is ignored; what is no list has none.
    fn check_items(
        &mut self,
        one: Option<&'d YamlNode<'t>>,
        other: Option<&'d YamlNode<'t>>,
        ignored: Segment<'_>,
    ) -> Result<(), Difference> {
        let items = |node: Option<&'d YamlNode<'t>>| {
            let place = node.and_then(|node| node.place_of(ignored));
            let items = node.into_iter().flat_map(|node: &'d YamlNode<'t>| node.items());
            let others = items.enumerate().filter(|(other, _)| Some(*other) != place);
            others.map(|(_, item)| item).collect::<Vec<_>>()
        };
        let (one, other) = (items(one), items(other));
        check(one.len() == other.len())?;
        let mut pairs = one.into_iter().zip(other);
        pairs.try_for_each(|(one, other)| self.check_nodes(one, other))
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
fn check_properties(one: Option<&YamlNode<'_>>, other: Option<&YamlNode<'_>>) -> Result<(), Difference> {
    let tag = |node: Option<&YamlNode<'_>>| node.and_then(|node| node.tag.clone());
    let name = |node: Option<&YamlNode<'_>>| Some(node?.anchor.as_ref()?.name.to_string());
    check(tag(one) == tag(other) && name(one) == name(other))
}
