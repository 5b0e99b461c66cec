//! Where a branch can be written, in the style of what is around it.

use granit_parser::ScalarStyle;

use crate::document::{Document, Entry, Kind, Mapping, Node};
use crate::edit::Splice;
use crate::lines;
use crate::mesh::Mesh;

/// What mesh configs are indented with when the text does not show it.
const USUAL_STEP: usize = 2;

/// Keys from the outside in, and the value under the last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Branch<'a> {
    pub(crate) keys: &'a [&'static str],
    pub(crate) leaf: Leaf<'a>,
}

/// The value of a [`Branch`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum Leaf<'a> {
    True,
    Address(&'a str),
}

/// Whether keys and texts of a flow mapping are quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quotes {
    WhereNeeded,
    /// As in JSON, which is YAML too: who wrote it may read it back with a JSON reader.
    Always,
}

impl Branch<'_> {
    /// The first key and what is under it, as in `a: {b: true}`.
    pub(crate) fn flow_pair(&self, quotes: Quotes) -> String {
        let braces = self.flow_value(quotes);
        let inner = braces.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        inner.map(str::to_owned).unwrap_or(braces)
    }

    /// All of it as one value, as in `{a: {b: true}}`.
    pub(crate) fn flow_value(&self, quotes: Quotes) -> String {
        let mark = match quotes {
            Quotes::WhereNeeded => "",
            Quotes::Always => "\"",
        };
        let leaf = self.leaf.yaml(quotes);
        let around = |value, key: &&str| format!("{{{mark}{key}{mark}: {value}}}");
        self.keys.iter().rev().fold(leaf, around)
    }

    /// One line a key, without the last line break; each `step` columns further in.
    pub(crate) fn block(&self, indent: usize, step: usize, line_break: &str) -> String {
        let leaf = self.leaf.yaml(Quotes::WhereNeeded);
        let line = |(depth, key)| format!("{:column$}{key}:", "", column = indent + depth * step);
        let lines: Vec<String> = self.keys.iter().enumerate().map(line).collect();
        [lines.join(line_break), leaf].join(" ")
    }
}

impl Leaf<'_> {
    fn yaml(self, quotes: Quotes) -> String {
        match (self, quotes) {
            (Leaf::True, _) => "true".to_owned(),
            // Of all that `check_address` lets pass, only IPv6 in brackets reads as something else without quotes.
            (Leaf::Address(address), Quotes::WhereNeeded) if !address.starts_with('[') => address.to_owned(),
            (Leaf::Address(address), Quotes::WhereNeeded | Quotes::Always) => format!("\"{address}\""),
        }
    }
}

/// As a new entry of the mapping `node`: at its end, or else at its start.
pub(crate) fn into_mapping(mesh: &Mesh<'_, '_>, node: &Node<'_>, branch: Branch<'_>) -> Vec<Splice> {
    match &node.kind {
        Kind::Mapping(mapping) if mapping.is_flow() => into_flow(mesh.document.text, node, mapping, branch),
        Kind::Mapping(mapping) => into_block(mesh, node, mapping, branch),
        Kind::Scalar { .. } | Kind::Sequence { .. } | Kind::Alias(_) => Vec::new(),
    }
}

/// As the first keys of a document that has none.
pub(crate) fn into_empty(document: &Document<'_>, branch: Branch<'_>) -> Vec<Splice> {
    vec![below(document.text, document.append_at, branch, (0, USUAL_STEP))]
}

/// As the value of an entry, in place of the one that is there.
pub(crate) fn as_value(document: &Document<'_>, entry: &Entry<'_>, branch: Branch<'_>) -> Vec<Splice> {
    let (text, value) = (document.text, &entry.value);
    let flow = branch.flow_value(quotes(entry));
    match &value.kind {
        _ if value.is_left_out() => {
            let at = entry.after_colon(text).map(|at| at.max(value.content.end));
            at.map(|at| Splice::insert(at, format!(" {flow}")))
                .into_iter()
                .collect()
        }
        Kind::Mapping(mapping) if !mapping.is_flow() => {
            let block = branch.block(0, USUAL_STEP, lines::ending(text, value.content.start));
            vec![Splice {
                range: value.content.start..value.end(text),
                text: block,
            }]
        }
        Kind::Scalar { .. } | Kind::Sequence { .. } | Kind::Mapping(_) | Kind::Alias(_) => vec![Splice {
            range: value.content.clone(),
            text: flow,
        }],
    }
}

/// As the children of a key in a block mapping whose value is left out.
pub(crate) fn as_children(mesh: &Mesh<'_, '_>, entry: &Entry<'_>, branch: Branch<'_>) -> Vec<Splice> {
    let text = mesh.document.text;
    let Some(root) = mesh.root.filter(|root| !root.is_flow()) else {
        return Vec::new();
    };
    let Some(colon) = entry.after_colon(text) else {
        return Vec::new();
    };
    let step = step(mesh);
    let at = colon.max(entry.value.content.end);
    vec![below(text, at, branch, (root.indent + step, step))]
}

fn into_block(
    mesh: &Mesh<'_, '_>,
    node: &Node<'_>,
    mapping: &Mapping<'_>,
    branch: Branch<'_>,
) -> Vec<Splice> {
    let (text, columns) = (mesh.document.text, (mapping.indent, step(mesh)));
    // The second is for a text block that keeps its blank lines, the third for one without a line break at its end.
    let mut splices = vec![
        below(text, node.end(text), branch, columns),
        below(text, node.content.end, branch, columns),
    ];
    splices.extend(mapping.entries.first().map(|first| {
        let line_break = lines::ending(text, first.key.start);
        let lines = branch.block(mapping.indent, columns.1, line_break);
        let first_indent = format!("{:column$}", "", column = mapping.indent);
        Splice::insert(
            first.key.start,
            [lines.trim_start(), line_break, &first_indent].concat(),
        )
    }));
    splices
}

/// On lines of its own below the line that holds `at`, or there if a line starts there.
fn below(text: &str, at: usize, branch: Branch<'_>, (indent, step): (usize, usize)) -> Splice {
    let line_break = lines::ending(text, at);
    let lines = branch.block(indent, step, line_break);
    let next_line = if lines::start(text, at) == at {
        Some(at)
    } else {
        lines::break_after(text, at).map(|line_break| line_break.end)
    };
    match next_line {
        Some(at) => Splice::insert(at, lines + line_break),
        None => Splice::insert(text.len(), format!("{line_break}{lines}")),
    }
}

fn into_flow(text: &str, node: &Node<'_>, mapping: &Mapping<'_>, branch: Branch<'_>) -> Vec<Splice> {
    let (Some(first), Some(last)) = (mapping.entries.first(), mapping.entries.last()) else {
        // Behind the brace.
        let pair = branch.flow_pair(Quotes::WhereNeeded);
        return vec![Splice::insert(node.content.start + 1, pair)];
    };
    let pair = branch.flow_pair(quotes(last));
    let at_start = Splice::insert(first.key.start, format!("{pair}, "));
    if last.value.is_left_out() {
        // `{a:, b: 1}` is not the same to all readers.
        return vec![at_start];
    }
    let end = last.value.end(text);
    let mut splices = Vec::new();
    if let Some(line_break) = lines::break_after(text, end)
        && lines::is_first_on_line(text, last.key.start)
    {
        let rest = text.get(end..line_break.start).unwrap_or_default();
        let indent = text.get(lines::start(text, last.key.start)..last.key.start);
        if rest.trim_matches([' ', '\t', ',']).is_empty() {
            let line_break = text.get(line_break).unwrap_or_default();
            let indent = indent.unwrap_or_default();
            splices.push(Splice::insert(end, format!(",{line_break}{indent}{pair}")));
        }
    }
    splices.push(Splice::insert(end, format!(", {pair}")));
    splices.push(at_start);
    splices
}

fn quotes(sibling: &Entry<'_>) -> Quotes {
    match &sibling.key.kind {
        Kind::Scalar {
            style: ScalarStyle::DoubleQuoted,
            ..
        } => Quotes::Always,
        Kind::Scalar { .. } | Kind::Sequence { .. } | Kind::Mapping(_) | Kind::Alias(_) => {
            Quotes::WhereNeeded
        }
    }
}

/// How many columns further in than its parent a block mapping stands: `defaultConfig`'s, else the first there is.
fn step(mesh: &Mesh<'_, '_>) -> usize {
    let Some(root) = mesh.root.filter(|root| !root.is_flow()) else {
        return USUAL_STEP;
    };
    let indent = |entry: &Entry<'_>| {
        entry
            .value
            .mapping()
            .filter(|mapping| !mapping.is_flow())?
            .indent
            .into()
    };
    let indent = mesh
        .proxy
        .and_then(indent)
        .or_else(|| root.entries.iter().find_map(indent));
    indent
        .and_then(|indent: usize| indent.checked_sub(root.indent))
        .filter(|step| *step > 0)
        .unwrap_or(USUAL_STEP)
}
