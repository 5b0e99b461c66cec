//! Values as YAML, in flow and in block style.

use crate::path::Value;

/// Whether keys and texts in flow style are quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quotes {
    WhereNeeded,
    /// As in JSON, which is YAML too: who wrote it may read it back with a JSON reader.
    Always,
}

impl Value {
    /// The value on one line, as in `{a: {b: true}}`.
    pub(crate) fn flow(&self, quotes: Quotes) -> String {
        match self {
            Self::Mapping(_) => format!("{{{}}}", self.flow_pairs(quotes)),
            Self::List(_) => format!("[{}]", self.flow_items(quotes)),
            Self::Bool(_) | Self::Number(_) | Self::Text(_) => self.scalar(quotes),
        }
    }

    /// The entries of a mapping without its braces, as in `a: {b: true}`.
    pub(crate) fn flow_pairs(&self, quotes: Quotes) -> String {
        let mark = match quotes {
            Quotes::WhereNeeded => "",
            Quotes::Always => "\"",
        };
        let pair = |(key, value): &(String, Self)| format!("{mark}{key}{mark}: {}", value.flow(quotes));
        let pairs: Vec<String> = self.entries().iter().map(pair).collect();
        pairs.join(", ")
    }

    /// The items of a list without its brackets.
    pub(crate) fn flow_items(&self, quotes: Quotes) -> String {
        let items: Vec<String> = self.items().iter().map(|item| item.flow(quotes)).collect();
        items.join(", ")
    }

    /// One line a key or item, without the last line break; each level `step` columns further in, and lists not at all.
    pub(crate) fn block(&self, indent: usize, step: usize, line_break: &str) -> String {
        self.lines(indent, step).join(line_break)
    }

    fn lines(&self, indent: usize, step: usize) -> Vec<String> {
        let pad = format!("{:indent$}", "");
        let entries = self.entries().iter().flat_map(|(key, value)| match value {
            Self::Mapping(entries) if !entries.is_empty() => {
                [vec![format!("{pad}{key}:")], value.lines(indent + step, step)].concat()
            }
            Self::List(items) if !items.is_empty() => {
                [vec![format!("{pad}{key}:")], value.lines(indent, step)].concat()
            }
            value => vec![format!("{pad}{key}: {}", value.flow(Quotes::WhereNeeded))],
        });
        let items = self.items().iter().flat_map(|item| {
            let mut lines = match item {
                Self::Mapping(entries) if !entries.is_empty() => item.lines(indent + 2, step),
                item => vec![format!("{pad}  {}", item.flow(Quotes::WhereNeeded))],
            };
            if let Some(first) = lines.first_mut() {
                *first = format!("{pad}- {}", first.trim_start());
            }
            lines
        });
        entries.chain(items).collect()
    }

    fn entries(&self) -> &[(String, Self)] {
        match self {
            Self::Mapping(entries) => entries,
            Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::List(_) => &[],
        }
    }

    fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::Mapping(_) => &[],
        }
    }

    fn scalar(&self, quotes: Quotes) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Number(value) => value.to_string(),
            Self::Text(text) if quotes == Quotes::WhereNeeded && is_plain(text) => text.clone(),
            Self::Text(text) => quoted(text),
            Self::Mapping(_) | Self::List(_) => String::new(),
        }
    }
}

/// Whether YAML 1.1 and 1.2 read a text without quotes as a text, also within braces: it starts with a letter or digit, has
/// nothing but those and `._/:-`, and is no boolean, null or number.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"];
    let is_inner = |character: char| character.is_ascii_alphanumeric() || "._/:-".contains(character);
    let has_letter = text.contains(|character: char| character.is_ascii_alphabetic());
    let is_ip = text.matches('.').count() >= 3;
    let lower = text.to_ascii_lowercase();
    let is_number =
        lower.parse::<f64>().is_ok() || ["0x", "0o", "0b"].iter().any(|prefix| lower.starts_with(prefix));
    text.starts_with(|character: char| character.is_ascii_alphanumeric())
        && text.chars().all(is_inner)
        && !text.ends_with(':')
        && (has_letter || is_ip)
        && !is_number
        && !WORDS.contains(&lower.as_str())
}

/// In double quotes. Whatever is no printable ASCII is written as its code point.
fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|character| match character {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        ' '..='~' => character.to_string(),
        _ => format!("\\U{:08X}", u32::from(character)),
    });
    format!("\"{}\"", escaped.collect::<String>())
}
