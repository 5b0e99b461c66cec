//! From text to [`Document`]. What istiod's own reader would refuse, or would read otherwise, is an error with its line.

use std::collections::HashSet;
use std::iter::Peekable;

use granit_parser::{ErrorKind, Event, Marker, Parser, ScanError, Span, StrInput, StructureStyle, Tag};

use crate::MeshConfigError;
use crate::document::{Anchor, Document, Entry, Mapping, YamlKind, YamlNode};

/// More levels than any mesh config has, and few enough to walk the tree by recursion.
const MAX_DEPTH: usize = 64;

type Events<'t> = Peekable<Parser<'t, StrInput<'t>>>;

/// Parses `text`, which must have one document.
pub(crate) fn document(text: &str) -> Result<Document<'_>, MeshConfigError> {
    check_characters(text)?;
    let options = granit_parser::options! {
        emit_comments: false,
        emit_anchor_events: true,
        // As istiod reads it: a text block at the end of a file without a last line break ends without one, too.
        block_scalar_eof_without_line_feed: true,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut events: Events<'_> = Parser::new_from_str_with_options(text, options).peekable();
    let mut builder = Builder {
        text,
        open: Vec::new(),
        root: None,
    };
    let mut append_at = text.len();
    let mut documents = 0;
    while let Some(event) = events.next() {
        let (event, span) = event.map_err(|error| refusal(&error))?;
        match event {
            Event::DocumentStart(..) if documents > 0 => {
                return Err(MeshConfigError::SeveralDocuments {
                    line: span.start.line(),
                });
            }
            Event::DocumentStart(..) => documents += 1,
            Event::DocumentEnd if offset(span.start) < offset(span.end) => append_at = offset(span.start),
            event => builder.take(event, span, &mut events)?,
        }
    }
    let root = builder
        .root
        .filter(|root| !(root.is_left_out() && root.is_null()));
    Ok(Document {
        text,
        root,
        append_at,
    })
}

/// istiod reads with a YAML 1.1 reader, which refuses control characters and ends lines at three characters more.
fn check_characters(text: &str) -> Result<(), MeshConfigError> {
    let mut line = 1;
    let mut previous = None;
    for (at, character) in text.char_indices() {
        let is_read = match character {
            '\u{feff}' => at == 0,
            '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}' | '\u{7f}'..='\u{9f}' => false,
            '\t' | '\n' | '\r' | ' '.. => true,
            _ => false,
        };
        if !is_read {
            return Err(MeshConfigError::Character {
                line,
                code: u32::from(character),
            });
        }
        if character == '\r' || (character == '\n' && previous != Some('\r')) {
            line += 1;
        }
        previous = Some(character);
    }
    Ok(())
}

fn refusal(error: &ScanError) -> MeshConfigError {
    let line = error.marker().line();
    match error.kind() {
        ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabNotAllowed
        | ErrorKind::TabAtBlockScalarStart => MeshConfigError::Tab { line },
        ErrorKind::RecursionLimitExceeded => MeshConfigError::TooDeep {
            line,
            limit: MAX_DEPTH,
        },
        ErrorKind::UnknownAnchor => MeshConfigError::UnknownAnchor { line },
        _ => MeshConfigError::NotYaml {
            line,
            problem: error.info(),
        },
    }
}

fn offset(marker: Marker) -> usize {
    // A parser of a `&str` always knows the byte; a wrong answer would not pass the comparison after an edit.
    marker.byte_offset().unwrap_or_default()
}

struct Builder<'t> {
    text: &'t str,
    open: Vec<Open<'t>>,
    root: Option<YamlNode<'t>>,
}

/// A list or mapping whose end has not come yet.
struct Open<'t> {
    node: YamlNode<'t>,
    style: StructureStyle,
    /// A key that waits for its value.
    key: Option<YamlNode<'t>>,
    names: HashSet<String>,
}

impl<'t> Builder<'t> {
    fn take(&mut self, event: Event<'t>, span: Span, events: &mut Events<'t>) -> Result<(), MeshConfigError> {
        match event {
            Event::Scalar(text, style, _, tag) => {
                let node = node(YamlKind::Scalar { text, style }, span, tag.as_deref(), events);
                self.close(node, span.indent)
            }
            Event::Alias(number) => {
                self.check_finite(number, span)?;
                let name = span.slice(self.text).unwrap_or_default().trim_start_matches('*');
                let name = name.into();
                let node = node(YamlKind::Alias(Anchor { number, name }), span, None, events);
                self.close(node, span.indent)
            }
            Event::Anchor(_, name) => check_name(&name, span),
            Event::SequenceStart(style, _, tag) => {
                let kind = YamlKind::Sequence {
                    style,
                    items: Vec::new(),
                };
                self.open(node(kind, span, tag.as_deref(), events), style)
            }
            Event::MappingStart(style, _, tag) => {
                let kind = YamlKind::Mapping(Mapping {
                    style,
                    indent: span.start.col(),
                    entries: Vec::new(),
                });
                self.open(node(kind, span, tag.as_deref(), events), style)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open { mut node, style, .. }) = self.open.pop() else {
                    return Ok(());
                };
                if style == StructureStyle::Flow {
                    node.content.end = offset(span.end);
                }
                self.close(node, None)
            }
            // Start and end of stream and document, and comments, are no part of the tree.
            _ => Ok(()),
        }
    }

    /// istiod refuses an alias inside of what it repeats.
    fn check_finite(&self, number: usize, span: Span) -> Result<(), MeshConfigError> {
        let is_around = |open: &Open<'_>| open.node.anchor.as_ref().is_some_and(|own| own.number == number);
        if self.open.iter().any(is_around) {
            return Err(MeshConfigError::NotYaml {
                line: span.start.line(),
                problem: "the alias is inside of what it repeats".to_owned(),
            });
        }
        Ok(())
    }

    fn open(&mut self, node: YamlNode<'t>, style: StructureStyle) -> Result<(), MeshConfigError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(MeshConfigError::TooDeep {
                line: node.line,
                limit: MAX_DEPTH,
            });
        }
        self.open.push(Open {
            node,
            style,
            key: None,
            names: HashSet::new(),
        });
        Ok(())
    }

    /// Puts a complete node where it belongs; `indent` is known for the keys of block mappings.
    fn close(&mut self, node: YamlNode<'t>, indent: Option<usize>) -> Result<(), MeshConfigError> {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        open.node.content.end = open.node.content.end.max(node.content.end);
        match &mut open.node.kind {
            YamlKind::Sequence { items, .. } => items.push(node),
            YamlKind::Mapping(mapping) => {
                if let Some(key) = open.key.take() {
                    mapping.entries.push(Entry { key, value: node });
                } else {
                    check_key(&node, &mut open.names)?;
                    mapping.indent = indent.unwrap_or(mapping.indent);
                    open.key = Some(node);
                }
            }
            YamlKind::Scalar { .. } | YamlKind::Alias(_) => {}
        }
        Ok(())
    }
}

fn check_key(key: &YamlNode<'_>, names: &mut HashSet<String>) -> Result<(), MeshConfigError> {
    let line = key.line;
    let Some(name) = key.scalar() else {
        return Err(MeshConfigError::KeyNotText { line });
    };
    if names.insert(name.to_owned()) {
        return Ok(());
    }
    Err(MeshConfigError::DuplicateKey {
        line,
        key: name.to_owned(),
    })
}

/// To istiod's reader an anchor ends before any other character: `&a:` is an anchor and a colon.
fn check_name(name: &str, span: Span) -> Result<(), MeshConfigError> {
    let is_read = |character: char| character.is_ascii_alphanumeric() || "_-".contains(character);
    if name.chars().all(is_read) {
        return Ok(());
    }
    Err(MeshConfigError::NotYaml {
        line: span.start.line(),
        problem: format!("the anchor `{name}` has more than letters, digits, `_` and `-`"),
    })
}

/// A node with the anchor that the parser tells of next, if it has one.
fn node<'t>(kind: YamlKind<'t>, span: Span, tag: Option<&Tag>, events: &mut Events<'t>) -> YamlNode<'t> {
    let content = offset(span.start)..offset(span.end);
    let mut start = span.tag_start().map_or(content.start, offset).min(content.start);
    let mut anchor = None;
    if let Some(Ok((Event::Anchor(number, name), place))) = events.peek() {
        start = start.min(offset(place.start));
        anchor = Some(Anchor {
            number: *number,
            name: name.clone(),
        });
    }
    YamlNode {
        start,
        content,
        line: span.start.line(),
        tag: tag.map(|tag| [tag.handle(), tag.suffix()].concat()),
        anchor,
        kind,
    }
}
