//! Writes what is generated, in block and flow style.

use crate::text::{Braces, Comment, Entry, Style, Written};

pub(crate) struct Writer {
    style: Style,
    pub(crate) text: String,
    anchors: usize,
    keys: usize,
}

impl Writer {
    pub(crate) fn new(style: Style) -> Self {
        Self {
            style,
            text: String::new(),
            anchors: 0,
            keys: 0,
        }
    }

    pub(crate) fn mapping(&mut self, entries: &[Entry], indent: usize) {
        for entry in entries {
            if entry.blank_line {
                self.text.push('\n');
            }
            if entry.comment == Comment::Above {
                self.line_start(indent);
                self.text.push_str("# c: é\n");
            }
            self.line_start(indent);
            self.key(entry);
            self.text.push(':');
            self.value(
                &entry.value,
                indent,
                if entry.comment == Comment::Behind {
                    " # behind"
                } else {
                    ""
                },
            );
        }
    }

    /// The value behind a key or a dash, up to the end of its last line.
    fn value(&mut self, value: &Written, indent: usize, comment: &str) {
        let inner = indent + self.style.step;
        match value {
            Written::Scalar("") => {}
            Written::Literal(header) => {
                let pad = " ".repeat(inner);
                let end = if *header == "|+" { "\n" } else { "" };
                let block = format!(" {header}\n{pad}text: é\n\n{pad}- more # text\n{end}");
                self.text.push_str(&block);
                return;
            }
            Written::Sequence(items) => {
                self.text.push_str(comment);
                self.text.push('\n');
                self.sequence(items, if self.style.step == 2 { indent } else { inner });
                return;
            }
            Written::Mapping(entries) => {
                self.text.push_str(comment);
                self.text.push('\n');
                self.mapping(entries, inner);
                return;
            }
            Written::Scalar(_)
            | Written::Anchored(_)
            | Written::Alias
            | Written::FlowSequence(_)
            | Written::FlowMapping(..) => {
                self.text.push(' ');
                self.flow(value, inner);
            }
        }
        self.text.push_str(comment);
        self.text.push('\n');
    }

    fn sequence(&mut self, items: &[Written], indent: usize) {
        for item in items {
            self.line_start(indent);
            self.text.push('-');
            match item {
                Written::Mapping(entries) => {
                    let start = self.text.len();
                    self.mapping(entries, indent + 2);
                    let lines = self.text.split_off(start);
                    // The first key stands behind the dash, if nothing is above it.
                    match lines.strip_prefix(&" ".repeat(indent + 2)) {
                        Some(rest) if !rest.starts_with('#') => self.text.extend([" ", rest]),
                        _ => self.text.extend(["\n", &lines]),
                    }
                }
                Written::Sequence(items) => {
                    self.text.push('\n');
                    self.sequence(items, indent + self.style.step);
                }
                item => self.value(item, indent, ""),
            }
        }
    }

    fn flow(&mut self, value: &Written, indent: usize) {
        match value {
            Written::Scalar(text) => self.text.push_str(text),
            Written::Anchored(text) => {
                self.anchors += 1;
                let anchored = format!("&a{} {text}", self.anchors);
                self.text.push_str(&anchored);
            }
            Written::Alias if self.anchors == 0 => self.text.push_str("plain"),
            Written::Alias => {
                let alias = format!("*a{}", self.anchors);
                self.text.push_str(&alias);
            }
            Written::FlowSequence(items) => {
                self.text.push('[');
                for (place, item) in items.iter().enumerate() {
                    self.text.push_str(if place == 0 { "" } else { ", " });
                    self.flow(item, indent);
                }
                self.text.push(']');
            }
            Written::FlowMapping(entries, braces) => self.flow_mapping(entries, *braces, indent),
            Written::Literal(_) | Written::Sequence(_) | Written::Mapping(_) => {
                panic!("{value:?} is not written in braces")
            }
        }
    }

    pub(crate) fn flow_mapping(&mut self, entries: &[Entry], braces: Braces, indent: usize) {
        let (open, close) = match braces {
            Braces::Tight => ("{", "}"),
            Braces::Spaced => ("{ ", " }"),
            Braces::TrailingComma if entries.is_empty() => ("{", " }"),
            Braces::TrailingComma => ("{ ", ", }"),
            Braces::Lines => ("{", ""),
        };
        self.text.push_str(open);
        for (place, entry) in entries.iter().enumerate() {
            if let Braces::Lines = braces {
                self.text.push('\n');
                self.line_start(indent + 1);
            }
            self.key(entry);
            self.text.push_str(": ");
            self.flow(&entry.value, indent + 1);
            let is_last = place + 1 == entries.len();
            match braces {
                Braces::Tight | Braces::Spaced | Braces::TrailingComma if is_last => {}
                Braces::Tight | Braces::Spaced | Braces::TrailingComma => self.text.push_str(", "),
                Braces::Lines => {
                    self.text.push_str(if is_last { "" } else { "," });
                    self.text.push_str(if entry.comment == Comment::Behind {
                        " # behind"
                    } else {
                        ""
                    });
                }
            }
        }
        self.text.push_str(close);
        if let Braces::Lines = braces {
            self.text.push('\n');
            self.line_start(indent);
            self.text.push('}');
        }
    }

    fn key(&mut self, entry: &Entry) {
        self.keys += 1;
        let numbered = format!("k{}", self.keys);
        let key = entry.key.unwrap_or(&numbered);
        let key = if entry.is_quoted {
            format!("\"{key}\"")
        } else {
            key.to_owned()
        };
        self.text.push_str(&key);
    }

    fn line_start(&mut self, indent: usize) {
        self.text.extend(std::iter::repeat_n(' ', indent));
    }
}
