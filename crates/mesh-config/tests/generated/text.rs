//! Mesh configs as text, of any style that a person or a tool may write.

use proptest::prelude::*;

use crate::writer::Writer;

/// A mesh config as it is written.
#[derive(Clone, Debug)]
pub(crate) struct Mesh {
    is_flow: bool,
    style: Style,
    entries: Vec<Entry>,
    flag: Ours,
    proxy: Ours,
    service: Ours,
    proxy_entries: Vec<Entry>,
    places: (prop::sample::Index, prop::sample::Index, prop::sample::Index),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    is_crlf: bool,
    pub(crate) step: usize,
    indent: usize,
    marker: u8,
    ends_with_break: bool,
    ends_with_comment: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// `None` for any that is new in the text.
    pub(crate) key: Option<&'static str>,
    pub(crate) value: Written,
    pub(crate) is_quoted: bool,
    pub(crate) blank_line: bool,
    pub(crate) comment: Comment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comment {
    No,
    Above,
    Behind,
}

/// How one of the keys that this crate writes is there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ours {
    Absent,
    LeftOut,
    Null,
    Empty,
    Flow,
    Block,
    /// As `wire` would have it.
    Same,
}

#[derive(Clone, Debug)]
pub(crate) enum Written {
    Scalar(&'static str),
    Anchored(&'static str),
    /// Of the last anchor, if there is one.
    Alias,
    Literal(&'static str),
    Sequence(Vec<Written>),
    Mapping(Vec<Entry>),
    FlowSequence(Vec<Written>),
    FlowMapping(Vec<Entry>, Braces),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Braces {
    Tight,
    Spaced,
    TrailingComma,
    Lines,
}

const SCALARS: [&str; 12] = [
    "1",
    "true",
    "~",
    "\"quoted: # x\"",
    "'it''s'",
    "plain words",
    "é ünï 😀",
    "http://x:1/y",
    "1.5",
    "\"\"",
    "\"a\\tb\"",
    "a#b",
];
const LITERALS: [&str; 5] = ["|", "|-", "|+", ">", ">-"];

fn scalar() -> impl Strategy<Value = Written> {
    prop_oneof![
        6 => prop::sample::select(&SCALARS[..]).prop_map(Written::Scalar),
        1 => prop::sample::select(&SCALARS[..]).prop_map(Written::Anchored),
        1 => Just(Written::Alias),
    ]
}

fn entry(value: impl Strategy<Value = Written>) -> impl Strategy<Value = Entry> {
    let often_not = || prop::bool::weighted(0.2);
    let comment = prop_oneof![3 => Just(Comment::No), 1 => Just(Comment::Above), 1 => Just(Comment::Behind)];
    (value, often_not(), often_not(), comment).prop_map(|(value, is_quoted, blank_line, comment)| Entry {
        key: None,
        value,
        is_quoted,
        blank_line,
        comment,
    })
}

fn braces() -> impl Strategy<Value = Braces> {
    use Braces::{Lines, Spaced, Tight, TrailingComma};
    prop::sample::select(vec![Tight, Spaced, TrailingComma, Lines])
}

fn flow() -> impl Strategy<Value = Written> {
    scalar().prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Written::FlowSequence),
            (prop::collection::vec(entry(inner), 0..3), braces())
                .prop_map(|(entries, braces)| Written::FlowMapping(entries, braces)),
        ]
    })
}

fn block() -> impl Strategy<Value = Written> {
    let leaf = prop_oneof![
        3 => flow(),
        1 => prop::sample::select(&LITERALS[..]).prop_map(Written::Literal),
        1 => Just(Written::Scalar("")),
    ];
    leaf.prop_recursive(2, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(Written::Sequence),
            prop::collection::vec(entry(inner), 1..4).prop_map(Written::Mapping),
        ]
    })
}

fn ours() -> impl Strategy<Value = Ours> {
    use Ours::{Absent, Block, Empty, Flow, LeftOut, Null, Same};
    prop::sample::select(vec![Absent, Absent, LeftOut, Null, Empty, Flow, Block, Same])
}

fn style() -> impl Strategy<Value = Style> {
    (any::<[bool; 3]>(), 1_usize..5, 0_usize..3, 0_u8..6).prop_map(
        |([is_crlf, ends_with_break, ends_with_comment], step, indent, marker)| Style {
            is_crlf,
            step,
            indent,
            marker,
            ends_with_break,
            ends_with_comment,
        },
    )
}

/// Any mesh config that can be wired.
pub(crate) fn mesh() -> impl Strategy<Value = Mesh> {
    let entries = |is_flow: bool| {
        let value = if is_flow { flow().boxed() } else { block().boxed() };
        prop::collection::vec(entry(value), 0..4)
    };
    prop::bool::weighted(0.25)
        .prop_flat_map(move |is_flow| (Just(is_flow), entries(is_flow), entries(is_flow)))
        .prop_flat_map(|contents| {
            (
                Just(contents),
                style(),
                ours(),
                ours(),
                ours(),
                any::<[prop::sample::Index; 3]>(),
            )
        })
        .prop_map(
            |((is_flow, entries, proxy_entries), style, flag, proxy, service, [one, two, three])| Mesh {
                is_flow,
                style,
                entries,
                flag,
                proxy,
                service,
                proxy_entries,
                places: (one, two, three),
            },
        )
}

impl Mesh {
    /// What ends its lines; a text without any gets what is usual.
    pub(crate) fn line_break(&self) -> &'static str {
        if self.text().contains('\r') { "\r\n" } else { "\n" }
    }

    pub(crate) fn text(&self) -> String {
        let root = self.root();
        let mut writer = Writer::new(self.style);
        writer.text.push_str(match self.style.marker {
            0 => "---\n",
            1 => "# head é\n--- # c\n",
            2 => "%YAML 1.1\n---\n",
            3 => "\u{feff}",
            4 => "",
            _ => "# head\n\n",
        });
        let has_keys = !root.is_empty();
        if self.is_flow {
            writer.flow_mapping(&root, self.braces(), 0);
            writer.text.push('\n');
        } else {
            writer.mapping(&root, self.style.indent);
        }
        if self.style.ends_with_comment {
            writer.text.push_str("# end\n");
        }
        if has_keys && self.has_end_marker() {
            writer.text.push_str("...\n");
        }
        let text = writer.text;
        let text = if self.style.ends_with_break {
            &text
        } else {
            text.strip_suffix('\n').unwrap_or(&text)
        };
        if self.style.is_crlf {
            text.replace('\n', "\r\n")
        } else {
            text.to_owned()
        }
    }

    /// `line` as one more of the top level; `None` where there can be none at the end.
    pub(crate) fn line_at_the_end(&self, line: &str) -> Option<String> {
        let has_keys = !self.root().is_empty();
        let indent = if has_keys { self.style.indent } else { 0 };
        let is_closed = self.is_flow || (has_keys && self.has_end_marker());
        (!is_closed).then(|| [&" ".repeat(indent), line, self.line_break()].concat())
    }

    fn has_end_marker(&self) -> bool {
        self.style.marker == 2
    }

    fn braces(&self) -> Braces {
        match self.style.step {
            1 => Braces::Tight,
            2 => Braces::Lines,
            3 => Braces::Spaced,
            _ => Braces::TrailingComma,
        }
    }

    /// The top level with our keys somewhere in it.
    fn root(&self) -> Vec<Entry> {
        let mut root = self.entries.clone();
        let mut insert = |place: prop::sample::Index, key, value: Option<Written>| {
            if let Some(value) = value {
                root.insert(
                    place.index(root.len() + 1),
                    named(key, self.style.marker == 4, value),
                );
            }
        };
        insert(self.places.0, "enableEnvoyAccessLogService", self.flag());
        insert(self.places.1, "defaultConfig", self.proxy());
        root
    }

    fn flag(&self) -> Option<Written> {
        let text = match self.flag {
            Ours::Absent => return None,
            Ours::LeftOut => "",
            Ours::Null => "~",
            Ours::Empty => "!!bool 'Off'",
            Ours::Flow => "false",
            Ours::Block => "yes",
            Ours::Same => "true",
        };
        Some(Written::Scalar(text))
    }

    fn proxy(&self) -> Option<Written> {
        let mut entries = self.proxy_entries.clone();
        if let Some(value) = self.service() {
            let place = self.places.2.index(entries.len() + 1);
            entries.insert(place, named("envoyAccessLogService", false, value));
        }
        let scalar = |text| Some(Written::Scalar(text));
        match self.proxy {
            Ours::Absent => None,
            Ours::LeftOut => scalar(""),
            Ours::Null => scalar("~"),
            Ours::Empty => scalar("{}"),
            Ours::Flow => {
                entries.retain(|entry| is_flow(&entry.value));
                Some(Written::FlowMapping(entries, self.braces()))
            }
            Ours::Block | Ours::Same if self.is_flow => Some(Written::FlowMapping(entries, Braces::Lines)),
            Ours::Block | Ours::Same if entries.is_empty() => scalar("null"),
            Ours::Block | Ours::Same => Some(Written::Mapping(entries)),
        }
    }

    fn service(&self) -> Option<Written> {
        let address = named("address", false, Written::Scalar("'other.ns:1'"));
        let tls = Written::FlowMapping(
            vec![named("mode", false, Written::Scalar("DISABLE"))],
            Braces::Tight,
        );
        match self.service {
            Ours::Absent => None,
            Ours::LeftOut => Some(Written::Scalar("")),
            Ours::Null => Some(Written::Scalar("null")),
            Ours::Empty => Some(Written::FlowMapping(Vec::new(), self.braces())),
            Ours::Block if !self.is_flow => {
                Some(Written::Mapping(vec![address, named("tlsSettings", false, tls)]))
            }
            Ours::Block | Ours::Flow => Some(Written::FlowMapping(vec![address], self.braces())),
            Ours::Same => {
                let ours = named("address", false, Written::Scalar(crate::laws::ADDRESS));
                Some(Written::FlowMapping(vec![ours], Braces::Tight))
            }
        }
    }
}

fn named(key: &'static str, is_quoted: bool, value: Written) -> Entry {
    Entry {
        key: Some(key),
        value,
        is_quoted,
        blank_line: false,
        comment: Comment::No,
    }
}

fn is_flow(value: &Written) -> bool {
    match value {
        Written::Literal(_) | Written::Sequence(_) | Written::Mapping(_) => false,
        Written::Scalar(text) => !text.is_empty(),
        Written::Anchored(_) | Written::Alias | Written::FlowSequence(_) | Written::FlowMapping(..) => true,
    }
}
