//! Where a value can be written, in the style of what is around it.

use granit_parser::{ScalarStyle, StructureStyle};

use crate::document::{Document, Entry, Mapping, YamlKind, YamlNode};
use crate::edit::Splice;
use crate::lines;
use crate::mesh_config::MeshConfig;
use crate::path::Value;
use crate::writing::Quotes;

/// What mesh configs are indented with when the text does not show it.
const USUAL_STEP: usize = 2;

/// As a new entry of the mapping `node`: at its end, or else at its start.
pub(crate) fn into_mapping(mesh: &MeshConfig<'_, '_>, node: &YamlNode<'_>, branch: &Value) -> Vec<Splice> {
    match &node.kind {
        YamlKind::Mapping(mapping) if mapping.is_flow() => {
            into_flow(mesh.document.text, node, mapping, branch)
        }
        YamlKind::Mapping(mapping) => into_block(mesh, node, mapping, branch),
        YamlKind::Scalar { .. } | YamlKind::Sequence { .. } | YamlKind::Alias(_) => Vec::new(),
    }
}

/// As the first keys of a document that has none.
pub(crate) fn into_empty(document: &Document<'_>, branch: &Value) -> Vec<Splice> {
    vec![below(document.text, document.append_at, branch, 0, USUAL_STEP)]
}

/// As the value of an entry, in place of the one that is there.
pub(crate) fn as_value(document: &Document<'_>, entry: &Entry<'_>, branch: &Value) -> Vec<Splice> {
    let (text, value) = (document.text, &entry.value);
    let flow = branch.flow(quotes(entry));
    match &value.kind {
        _ if value.is_left_out() => {
            let at = entry.after_colon(text).map(|at| at.max(value.content.end));
            at.map(|at| Splice::insert(at, format!(" {flow}")))
                .into_iter()
                .collect()
        }
        YamlKind::Mapping(mapping) if !mapping.is_flow() => {
            vec![in_block(text, value, branch)]
        }
        YamlKind::Scalar { .. } | YamlKind::Sequence { .. } | YamlKind::Mapping(_) | YamlKind::Alias(_) => {
            vec![Splice {
                range: value.content.clone(),
                text: flow,
            }]
        }
    }
}

/// In place of an item of a list.
pub(crate) fn in_place_of_item(document: &Document<'_>, item: &YamlNode<'_>, branch: &Value) -> Vec<Splice> {
    match &item.kind {
        YamlKind::Mapping(mapping) if !mapping.is_flow() => vec![in_block(document.text, item, branch)],
        YamlKind::Scalar { .. } | YamlKind::Sequence { .. } | YamlKind::Mapping(_) | YamlKind::Alias(_) => {
            vec![Splice {
                range: item.content.clone(),
                text: branch.flow(quotes_of(item)),
            }]
        }
    }
}

/// In place of a block mapping, from the column at which it starts.
fn in_block(text: &str, node: &YamlNode<'_>, branch: &Value) -> Splice {
    let start = node.content.start;
    let column = start - lines::start(text, start);
    let block = branch.block(column, USUAL_STEP, lines::ending(text, start));
    Splice {
        range: start..node.end(text),
        text: block.trim_start().to_owned(),
    }
}

/// As the children of a key in the block mapping `parent` whose value is left out.
pub(crate) fn as_children(
    mesh: &MeshConfig<'_, '_>,
    parent: &YamlNode<'_>,
    entry: &Entry<'_>,
    branch: &Value,
) -> Vec<Splice> {
    let text = mesh.document.text;
    let Some(mapping) = parent.mapping().filter(|parent| !parent.is_flow()) else {
        return Vec::new();
    };
    let Some(colon) = entry.after_colon(text) else {
        return Vec::new();
    };
    let step = step(mesh);
    let indent = match branch {
        Value::List(_) => mapping.indent,
        _ => mapping.indent + step,
    };
    let at = colon.max(entry.value.content.end);
    vec![below(text, at, branch, indent, step)]
}

/// As a new item of the list `node`: at its end, or else at its start. `branch` is a list of this item.
pub(crate) fn into_list(mesh: &MeshConfig<'_, '_>, node: &YamlNode<'_>, branch: &Value) -> Vec<Splice> {
    let text = mesh.document.text;
    let quotes = node.items().first().map_or(Quotes::WhereNeeded, quotes_of);
    let item = branch.flow_items(quotes);
    match (&node.kind, node.items()) {
        (_, []) => vec![Splice::insert(node.content.start + 1, item)],
        (YamlKind::Sequence { style, .. }, [first, .., last] | [first @ last])
            if *style == StructureStyle::Flow =>
        {
            vec![
                Splice::insert(last.end(text), format!(", {item}")),
                Splice::insert(first.start, format!("{item}, ")),
            ]
        }
        (_, [first, ..]) => {
            let Some(dash) = lines::dash_before(text, first.start) else {
                return Vec::new();
            };
            let (indent, step) = (dash - lines::start(text, dash), step(mesh));
            let line_break = lines::ending(text, dash);
            let first_indent = format!("{:indent$}", "");
            let block = branch.block(indent, step, line_break);
            // The second is for a text block that keeps its blank lines, the third for one without a line break at its end.
            vec![
                below(text, node.end(text), branch, indent, step),
                below(text, node.content.end, branch, indent, step),
                Splice::insert(dash, [block.trim_start(), line_break, &first_indent].concat()),
            ]
        }
    }
}

fn into_block(
    mesh: &MeshConfig<'_, '_>,
    node: &YamlNode<'_>,
    mapping: &Mapping<'_>,
    branch: &Value,
) -> Vec<Splice> {
    let (text, step) = (mesh.document.text, step(mesh));
    // The second is for a text block that keeps its blank lines, the third for one without a line break at its end.
    let mut splices = vec![
        below(text, node.end(text), branch, mapping.indent, step),
        below(text, node.content.end, branch, mapping.indent, step),
    ];
    splices.extend(mapping.entries.first().map(|first| {
        let line_break = lines::ending(text, first.key.start);
        let lines = branch.block(mapping.indent, step, line_break);
        let first_indent = format!("{:column$}", "", column = mapping.indent);
        Splice::insert(
            first.key.start,
            [lines.trim_start(), line_break, &first_indent].concat(),
        )
    }));
    splices
}

/// On lines of its own below the line that holds `at`, or there if a line starts there.
fn below(text: &str, at: usize, branch: &Value, indent: usize, step: usize) -> Splice {
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

fn into_flow(text: &str, node: &YamlNode<'_>, mapping: &Mapping<'_>, branch: &Value) -> Vec<Splice> {
    let (Some(first), Some(last)) = (mapping.entries.first(), mapping.entries.last()) else {
        // Behind the brace.
        let pair = branch.flow_pairs(Quotes::WhereNeeded);
        return vec![Splice::insert(node.content.start + 1, pair)];
    };
    let pair = branch.flow_pairs(quotes(last));
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

fn quotes_of(item: &YamlNode<'_>) -> Quotes {
    let entry = item.mapping().and_then(|mapping| mapping.entries.last());
    entry.map_or(Quotes::WhereNeeded, quotes)
}

fn quotes(sibling: &Entry<'_>) -> Quotes {
    match &sibling.key.kind {
        YamlKind::Scalar {
            style: ScalarStyle::DoubleQuoted,
            ..
        } => Quotes::Always,
        YamlKind::Scalar { .. } | YamlKind::Sequence { .. } | YamlKind::Mapping(_) | YamlKind::Alias(_) => {
            Quotes::WhereNeeded
        }
    }
}

/// How many columns a block mapping is indented more than its parent: that of `defaultConfig`, else the first one.
fn step(mesh: &MeshConfig<'_, '_>) -> usize {
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
