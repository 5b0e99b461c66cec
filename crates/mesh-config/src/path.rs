//! Paths to the values that are edited, and the values.

use std::fmt;

use crate::MeshConfigError;
use crate::document::{BOOL_TAG, Document, Entry, NAME, YamlKind, YamlNode, wrong_form};

/// One step from a value to a value inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment<'a> {
    /// The value under this key of a mapping.
    Key(&'a str),
    /// The item of a list whose `name` is this.
    Item(&'a str),
    /// The item of a list that is this text.
    Text(&'a str),
}

/// A path from the root of mesh config, written as `extensionProviders[name=alscope].envoyHttpAls.service`
/// or `defaultProviders.accessLogging[alscope]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path<'a>(pub &'a [Segment<'a>]);

/// A value that is written into mesh config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// A number, such as a port.
    Number(u32),
    /// A text, which is quoted where YAML would read it as something else.
    Text(String),
    /// A mapping with these keys, in this order.
    Mapping(Vec<(String, Value)>),
    /// A list.
    List(Vec<Value>),
}

/// A value that a path leads to, or leads through.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part<'d, 't> {
    /// An entry of the mapping `parent`.
    Entry {
        parent: &'d YamlNode<'t>,
        place: usize,
        entry: &'d Entry<'t>,
    },
    /// An item of the list `parent`.
    Item {
        parent: &'d YamlNode<'t>,
        place: usize,
        item: &'d YamlNode<'t>,
    },
}

impl Segment<'_> {
    /// Whether an item of a list is the one that this names.
    pub(crate) fn is_of(&self, item: &YamlNode<'_>) -> bool {
        match self {
            Segment::Key(_) => false,
            Segment::Item(name) => item.name() == Some(name),
            Segment::Text(text) => item.scalar() == Some(text),
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Key(key) if place == 0 => formatter.write_str(key)?,
                Segment::Key(key) => write!(formatter, ".{key}")?,
                Segment::Item(name) => write!(formatter, "[name={name}]")?,
                Segment::Text(text) => write!(formatter, "[{text}]")?,
            }
        }
        Ok(())
    }
}

impl Path<'_> {
    /// The parts that a document has of this path, from the outside in. A value of null has nothing inside it.
    pub(crate) fn parts<'d, 't>(
        self,
        document: &'d Document<'t>,
    ) -> Result<Vec<Part<'d, 't>>, MeshConfigError> {
        let mut parts: Vec<Part<'d, 't>> = Vec::new();
        for (place, segment) in self.0.iter().enumerate() {
            let Some(parent) = parts.last().map(Part::value).or(document.root.as_ref()) else {
                break;
            };
            if parent.is_null() {
                break;
            }
            let name = || Self(self.0.get(..place).unwrap_or_default()).to_string();
            let part = match (segment, &parent.kind) {
                (_, YamlKind::Alias(_)) => {
                    return Err(MeshConfigError::Aliased {
                        line: parent.line,
                        path: name(),
                    });
                }
                (Segment::Key(key), YamlKind::Mapping(mapping)) => {
                    let found = mapping.position(key);
                    found.and_then(|place| {
                        let entry = mapping.entries.get(place)?;
                        Some(Part::Entry { parent, place, entry })
                    })
                }
                (Segment::Item(_) | Segment::Text(_), YamlKind::Sequence { items, .. }) => {
                    // The last, as istiod takes it.
                    let mut items = items.iter().enumerate().rev();
                    let found = items.find(|(_, item)| segment.is_of(document.resolved(item)));
                    found.map(|(place, item)| Part::Item { parent, place, item })
                }
                (Segment::Key(_), _) => return Err(wrong_form(parent, &name(), "a mapping")),
                (Segment::Item(_) | Segment::Text(_), _) => {
                    return Err(wrong_form(parent, &name(), "a list"));
                }
            };
            match part {
                Some(part) => parts.push(part),
                None => break,
            }
        }
        Ok(parts)
    }

    /// The value at the end of the path; `None` where a part is missing.
    pub(crate) fn value<'d, 't>(
        self,
        document: &'d Document<'t>,
    ) -> Result<Option<&'d YamlNode<'t>>, MeshConfigError> {
        let parts = self.parts(document)?;
        let last = parts.last().filter(|_| parts.len() == self.0.len());
        Ok(last.map(Part::value))
    }

    /// `value` inside everything that this path names after its first `known` segments.
    pub(crate) fn wrap(self, known: usize, value: &Value) -> Value {
        let missing = self.0.get(known..).unwrap_or_default();
        missing
            .iter()
            .rev()
            .fold(value.clone(), |inner, segment| match (segment, inner) {
                (Segment::Key(key), inner) => Value::Mapping(vec![((*key).to_owned(), inner)]),
                (Segment::Item(name), Value::Mapping(entries)) if !is_named(&entries) => {
                    let name = (NAME.to_owned(), Value::Text((*name).to_owned()));
                    Value::List(vec![Value::Mapping(
                        std::iter::once(name).chain(entries).collect(),
                    )])
                }
                (Segment::Item(_) | Segment::Text(_), inner) => Value::List(vec![inner]),
            })
    }
}

fn is_named(entries: &[(String, Value)]) -> bool {
    entries.iter().any(|(key, _)| key == NAME)
}

impl Value {
    /// Whether a node says the same to istiod. A key with null is as good as no key.
    pub(crate) fn is_said_by(&self, document: &Document<'_>, node: &YamlNode<'_>) -> bool {
        let node = document.resolved(node);
        match (self, &node.kind) {
            (Self::Bool(value), _) => node.is_open_to(BOOL_TAG) && node.boolean() == Some(*value),
            (Self::Number(value), _) => node.scalar().and_then(|text| text.parse().ok()) == Some(*value),
            (Self::Text(value), _) => !node.is_null() && node.scalar() == Some(value),
            (Self::Mapping(wanted), YamlKind::Mapping(mapping)) => {
                let is_wanted = |(key, value): &(String, Self)| {
                    let entry = mapping.entry(key);
                    entry.is_some_and(|entry| value.is_said_by(document, &entry.value))
                };
                let is_other = |entry: &&Entry<'_>| {
                    let key = entry.key.scalar();
                    !wanted.iter().any(|(wanted, _)| key == Some(wanted))
                };
                wanted.iter().all(is_wanted)
                    && mapping
                        .entries
                        .iter()
                        .filter(is_other)
                        .all(|entry| document.resolved(&entry.value).is_null())
            }
            (Self::List(wanted), YamlKind::Sequence { items, .. }) => {
                wanted.len() == items.len()
                    && wanted
                        .iter()
                        .zip(items)
                        .all(|(value, item)| value.is_said_by(document, item))
            }
            (Self::Mapping(_) | Self::List(_), _) => false,
        }
    }
}

impl<'d, 't> Part<'d, 't> {
    pub(crate) fn value(&self) -> &'d YamlNode<'t> {
        match self {
            Self::Entry { entry, .. } => &entry.value,
            Self::Item { item, .. } => item,
        }
    }

    pub(crate) fn line(&self) -> usize {
        match self {
            Self::Entry { entry, .. } => entry.key.line,
            Self::Item { item, .. } => item.line,
        }
    }

    /// Whether its parent has nothing else in it, but for the name of a list's item.
    pub(crate) fn is_alone(&self) -> bool {
        match self {
            Self::Entry { parent, place, .. } => parent.mapping().is_some_and(|mapping| {
                let mut others = mapping
                    .entries
                    .iter()
                    .enumerate()
                    .filter(|(other, _)| other != place);
                others.all(|(_, entry)| entry.key.scalar() == Some(NAME))
            }),
            Self::Item { parent, .. } => parent.items().len() == 1,
        }
    }
}
