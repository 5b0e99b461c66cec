//! A YAML document as a tree that knows where in the text each part stands. Aliases stay aliases: nothing is expanded, so
//! the tree is never larger than the text.

use std::borrow::Cow;
use std::ops::Range;

use granit_parser::{ScalarStyle, StructureStyle};

use crate::path::Segment;
use crate::{MeshConfigError, lines};

/// A document with the text that it was parsed from.
#[derive(Debug)]
pub(crate) struct Document<'t> {
    pub(crate) text: &'t str,
    /// `None` when there is nothing but comments and markers.
    pub(crate) root: Option<YamlNode<'t>>,
    /// Where the first key of a document without one may go: before `...`, or else at the end.
    pub(crate) append_at: usize,
}

/// A value or a key. All positions are bytes of the text.
#[derive(Debug)]
pub(crate) struct YamlNode<'t> {
    /// Where it starts with its anchor and tag.
    pub(crate) start: usize,
    /// Where its content stands; empty for a value that is left out.
    pub(crate) content: Range<usize>,
    pub(crate) line: usize,
    pub(crate) tag: Option<String>,
    pub(crate) anchor: Option<Anchor<'t>>,
    pub(crate) kind: YamlKind<'t>,
}

/// What a node is known by to aliases. A name may be set again; the number is unique.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Anchor<'t> {
    pub(crate) number: usize,
    pub(crate) name: Cow<'t, str>,
}

#[derive(Debug)]
pub(crate) enum YamlKind<'t> {
    Scalar {
        text: Cow<'t, str>,
        style: ScalarStyle,
    },
    Sequence {
        style: StructureStyle,
        items: Vec<YamlNode<'t>>,
    },
    Mapping(Mapping<'t>),
    Alias(Anchor<'t>),
}

#[derive(Debug)]
pub(crate) struct Mapping<'t> {
    pub(crate) style: StructureStyle,
    /// The column of a block mapping's keys.
    pub(crate) indent: usize,
    pub(crate) entries: Vec<Entry<'t>>,
}

#[derive(Debug)]
pub(crate) struct Entry<'t> {
    pub(crate) key: YamlNode<'t>,
    pub(crate) value: YamlNode<'t>,
}

impl<'t> Document<'t> {
    /// The node that an alias repeats; any other node itself.
    pub(crate) fn resolved<'d>(&'d self, node: &'d YamlNode<'t>) -> &'d YamlNode<'t> {
        let YamlKind::Alias(anchor) = &node.kind else {
            return node;
        };
        let mut open: Vec<&YamlNode<'t>> = self.root.iter().collect();
        while let Some(candidate) = open.pop() {
            if candidate
                .anchor
                .as_ref()
                .is_some_and(|own| own.number == anchor.number)
            {
                return candidate;
            }
            match &candidate.kind {
                YamlKind::Sequence { items, .. } => open.extend(items),
                YamlKind::Mapping(mapping) => {
                    open.extend(
                        mapping
                            .entries
                            .iter()
                            .flat_map(|entry| [&entry.key, &entry.value]),
                    );
                }
                YamlKind::Scalar { .. } | YamlKind::Alias(_) => {}
            }
        }
        node
    }
}

impl<'t> YamlNode<'t> {
    /// The text of a scalar; `None` for any other node.
    pub(crate) fn scalar(&self) -> Option<&str> {
        match &self.kind {
            YamlKind::Scalar { text, .. } => Some(text),
            YamlKind::Sequence { .. } | YamlKind::Mapping(_) | YamlKind::Alias(_) => None,
        }
    }

    pub(crate) fn mapping(&self) -> Option<&Mapping<'t>> {
        match &self.kind {
            YamlKind::Mapping(mapping) => Some(mapping),
            YamlKind::Scalar { .. } | YamlKind::Sequence { .. } | YamlKind::Alias(_) => None,
        }
    }

    /// The items of a list; none of anything else.
    pub(crate) fn items(&self) -> &[YamlNode<'t>] {
        match &self.kind {
            YamlKind::Sequence { items, .. } => items,
            YamlKind::Scalar { .. } | YamlKind::Mapping(_) | YamlKind::Alias(_) => &[],
        }
    }

    /// The place of an item in a list. Of several, the last counts to istiod.
    pub(crate) fn place_of(&self, item: Segment<'_>) -> Option<usize> {
        self.items().iter().rposition(|node| item.is_of(node))
    }

    /// The `name` of a list's item.
    pub(crate) fn name(&self) -> Option<&str> {
        self.mapping()?.entry(NAME)?.value.scalar()
    }

    /// A scalar as a boolean of YAML 1.1, which istiod's reader knows.
    pub(crate) fn boolean(&self) -> Option<bool> {
        match self.scalar()? {
            "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y" => Some(true),
            "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "n" | "N" => {
                Some(false)
            }
            _ => None,
        }
    }

    /// Whether it is a scalar without quotes and without a tag other than `tag`, so that its text decides what it is.
    pub(crate) fn is_open_to(&self, tag: &str) -> bool {
        match (&self.kind, &self.tag) {
            (YamlKind::Scalar { style, .. }, None) => *style == ScalarStyle::Plain,
            (YamlKind::Scalar { .. }, Some(own)) => own == tag,
            (YamlKind::Sequence { .. } | YamlKind::Mapping(_) | YamlKind::Alias(_), _) => false,
        }
    }

    /// Whether it is null: left out or written so. To istiod a key with null is as good as no key.
    pub(crate) fn is_null(&self) -> bool {
        let is_null_text = |text| matches!(text, "" | "~" | "null" | "Null" | "NULL");
        self.is_open_to(NULL_TAG) && self.scalar().is_some_and(is_null_text)
    }

    /// Whether nothing is written where the value would stand.
    pub(crate) fn is_left_out(&self) -> bool {
        let is_plain = matches!(
            &self.kind,
            YamlKind::Scalar {
                style: ScalarStyle::Plain,
                ..
            }
        );
        is_plain && self.content.is_empty()
    }

    /// Where its content ends, without the blank lines that a block scalar takes in.
    pub(crate) fn end(&self, text: &str) -> usize {
        lines::without_trailing_space(text, self.content.end).max(self.content.start)
    }
}

impl<'t> Mapping<'t> {
    pub(crate) fn is_flow(&self) -> bool {
        self.style == StructureStyle::Flow
    }

    pub(crate) fn position(&self, key: &str) -> Option<usize> {
        self.entries
            .iter()
            .position(|entry| entry.key.scalar() == Some(key))
    }

    pub(crate) fn entry(&self, key: &str) -> Option<&Entry<'t>> {
        self.entries.get(self.position(key)?)
    }
}

impl Entry<'_> {
    /// Just behind the colon between key and value; `None` when there is none.
    pub(crate) fn after_colon(&self, text: &str) -> Option<usize> {
        let mut at = self.key.content.end;
        loop {
            let rest = text.get(at..)?;
            match rest.chars().next()? {
                ':' => return Some(at + 1),
                '#' => at = lines::break_after(text, at)?.end,
                ' ' | '\t' | '\r' | '\n' => at += 1,
                _ => return None,
            }
        }
    }

    /// The bytes between the colon and the end of the value.
    pub(crate) fn value_source(&self, text: &str) -> Option<Range<usize>> {
        let from = self.after_colon(text)?;
        Some(from..self.value.end(text).max(from))
    }
}

/// The key by which the items of a list differ.
pub(crate) const NAME: &str = "name";
pub(crate) const NULL_TAG: &str = "tag:yaml.org,2002:null";
pub(crate) const BOOL_TAG: &str = "tag:yaml.org,2002:bool";

/// The error for a value at `path` that istiod would not read.
pub(crate) fn wrong_form(value: &YamlNode<'_>, path: &str, expected: &'static str) -> MeshConfigError {
    MeshConfigError::WrongForm {
        line: value.line,
        path: path.to_owned(),
        expected,
    }
}
