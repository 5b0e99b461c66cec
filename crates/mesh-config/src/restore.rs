//! Takes values back that were inserted, without touching what others wrote meanwhile.

use std::ops::Range;

use granit_parser::StructureStyle;

use crate::comparison::is_same_value;
use crate::document::{Document, Entry, YamlKind, YamlNode};
use crate::edit::{Splice, edited};
use crate::insert::{holds_in, insert};
use crate::mesh_config::MeshConfig;
use crate::path::{Part, Path, Value};
use crate::wire::{FLAG, SERVICE, service, wire};
use crate::{MeshConfigError, lines, parse};

/// What [`restore`] makes of a mesh config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The mesh config without our values.
    pub text: String,
    /// The paths that hold neither our value nor the one from before, because somebody changed them meanwhile. They stay as
    /// they are.
    pub kept: Vec<String>,
}

/// Takes those of the two paths that still hold the operator's value back to what `original` has there: nothing, or its exact
/// bytes.
///
/// `current` is the mesh config now, `original` the one before [`wire`] with `address`. If `current` is what `wire` made of
/// `original`, the result is exactly `original`. Otherwise the changes that others made meanwhile stay, byte for byte, and a
/// `defaultConfig` that `wire` had to add goes only if nothing else is in it by now. The result is checked as that of `wire` is.
pub fn restore(current: &str, original: &str, address: &str) -> Result<Restored, MeshConfigError> {
    let values = [(FLAG, Value::Bool(true)), (SERVICE, service(address))];
    restore_or_undo(current, original, &values, wire(original, address))
}

/// Takes the value that [`insert`] wrote at `path` back to what `original` has there, as [`restore`] does for the two paths of
/// [`wire`]. The list, the item and the mappings that were added for it go with it, if nothing else is in them by now.
pub fn remove(
    current: &str,
    original: &str,
    path: Path<'_>,
    value: &Value,
) -> Result<Restored, MeshConfigError> {
    let values = [(path, value.clone())];
    restore_or_undo(current, original, &values, insert(original, path, value))
}

/// The exact original, if `current` is what was written over it. Otherwise takes the values back.
fn restore_or_undo(
    current: &str,
    original: &str,
    values: &[(Path<'_>, Value)],
    written: Result<String, MeshConfigError>,
) -> Result<Restored, MeshConfigError> {
    if written.is_ok_and(|written| written == current) {
        return Ok(Restored {
            text: original.to_owned(),
            kept: Vec::new(),
        });
    }
    restore_all(current, original, values)
}

/// Takes values back, one after the other.
pub(crate) fn restore_all(
    current: &str,
    original: &str,
    values: &[(Path<'_>, Value)],
) -> Result<Restored, MeshConfigError> {
    let then = parse::document(original).map_err(aside)?;
    MeshConfig::of(&then).map_err(aside)?;
    let untouched = Restored {
        text: current.to_owned(),
        kept: Vec::new(),
    };
    let mut restored = untouched.clone();
    for (path, value) in values {
        if let Err(error) = restore_value(*path, value, &mut restored, &then) {
            // The caller knows the lines of `current` only.
            let again = restore_value(*path, value, &mut untouched.clone(), &then);
            return Err(again.err().unwrap_or(error));
        }
    }
    Ok(restored)
}

/// Says that an error is about the original.
pub(crate) fn aside(error: MeshConfigError) -> MeshConfigError {
    MeshConfigError::Original(Box::new(error))
}

fn restore_value(
    path: Path<'_>,
    value: &Value,
    restored: &mut Restored,
    then: &Document<'_>,
) -> Result<(), MeshConfigError> {
    let document = parse::document(&restored.text)?;
    let now = MeshConfig::of(&document)?;
    let original = path.value(then)?;
    if !holds_in(&document, path, value)? {
        if !is_same(path.value(&document)?, original) {
            restored.kept.push(path.to_string());
        }
        return Ok(());
    }
    if holds_in(then, path, value)? {
        return Ok(());
    }
    let is_reached = |after: &MeshConfig<'_, '_>| {
        let value = path.value(after.document);
        value.is_ok_and(|value| is_same(value, original))
    };
    let splices = splices_back(&document, &path.parts(&document)?, then, &path.parts(then)?);
    restored.text = edited(&now, path, &splices, &is_reached)?;
    Ok(())
}

/// Whether two values, of two texts, say the same; null is as good as no value.
fn is_same(one: Option<&YamlNode<'_>>, other: Option<&YamlNode<'_>>) -> bool {
    let is_said = |node: &&YamlNode<'_>| !node.is_null();
    match (one.filter(is_said), other.filter(is_said)) {
        (None, None) => true,
        (Some(one), Some(other)) => is_same_value(one, other),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// Takes the last of the parts that are there now back to what was there then: the whole of what was added for it first.
fn splices_back(
    now: &Document<'_>,
    parts: &[Part<'_, '_>],
    then: &Document<'_>,
    before: &[Part<'_, '_>],
) -> Vec<Splice> {
    let mut splices = Vec::new();
    for (place, part) in parts.iter().enumerate() {
        let inner = parts.get(place + 1..).unwrap_or_default();
        if !inner.iter().all(Part::is_alone) {
            continue;
        }
        match before.get(place) {
            None => splices.extend(removals(now.text, part)),
            // With nothing else in it, what held nothing is written as it was.
            Some(old) if inner.is_empty() || (old.value().is_null() && is_flow(part.value())) => {
                splices.extend(put_back(now.text, part, then.text, old));
            }
            Some(_) => {}
        }
    }
    splices
}

fn is_flow(node: &YamlNode<'_>) -> bool {
    match &node.kind {
        YamlKind::Mapping(mapping) => mapping.is_flow(),
        YamlKind::Sequence { style, .. } => *style == StructureStyle::Flow,
        YamlKind::Scalar { .. } | YamlKind::Alias(_) => false,
    }
}

/// The bytes of the value as they were: of an entry, from its colon on.
fn put_back(now: &str, part: &Part<'_, '_>, then: &str, old: &Part<'_, '_>) -> Vec<Splice> {
    let (Some(range), Some(source)) = (source(now, part), source(then, old)) else {
        return Vec::new();
    };
    let Some(source) = then.get(source) else {
        return Vec::new();
    };
    let splice = |text| Splice {
        range: range.clone(),
        text,
    };
    // The second is for a text that somebody indented further since.
    let deeper = column(now, part).saturating_sub(column(then, old));
    let deeper = format!("\n{:deeper$}", "");
    vec![splice(source.to_owned()), splice(source.replace('\n', &deeper))]
}

fn source(text: &str, part: &Part<'_, '_>) -> Option<Range<usize>> {
    match part {
        Part::Entry { entry, .. } => entry.value_source(text),
        Part::Item { item, .. } => Some(item.start..item.end(text)),
    }
}

fn column(text: &str, part: &Part<'_, '_>) -> usize {
    let start = match part {
        Part::Entry { entry, .. } => entry.key.start,
        Part::Item { item, .. } => item.start,
    };
    start - lines::start(text, start)
}

/// The text without an entry or item: exactly what an insertion added, whether it was at the end or at the start.
fn removals(text: &str, part: &Part<'_, '_>) -> Vec<Splice> {
    let (parent, place) = match part {
        Part::Entry { parent, place, .. } | Part::Item { parent, place, .. } => (*parent, *place),
    };
    let spans: Option<Vec<Range<usize>>> = match &parent.kind {
        YamlKind::Mapping(mapping) => mapping
            .entries
            .iter()
            .map(|entry| Some(span(text, entry)))
            .collect(),
        YamlKind::Sequence { items, .. } => items
            .iter()
            .map(|item| {
                let start = if is_flow(parent) {
                    Some(item.start)
                } else {
                    lines::dash_before(text, item.start)
                };
                Some(start?..item.end(text))
            })
            .collect(),
        YamlKind::Scalar { .. } | YamlKind::Alias(_) => None,
    };
    let spans = spans.unwrap_or_default();
    let Some(Range { start, end }) = spans.get(place).cloned() else {
        return Vec::new();
    };
    let previous = place.checked_sub(1).and_then(|place| spans.get(place));
    let next = spans.get(place + 1);
    let up_to_next = next.map(|next| Splice::remove(start..next.start));
    if is_flow(parent) {
        let from_previous = previous.map(|previous| Splice::remove(previous.end..end));
        return from_previous
            .or(up_to_next)
            .or(Some(Splice::remove(start..end)))
            .into_iter()
            .collect();
    }
    let line_start = lines::start(text, start);
    let lines = match (
        lines::break_after(text, end),
        lines::break_before(text, line_start),
    ) {
        (Some(last), _) => line_start..last.end,
        (None, Some(before)) => before.start..text.len(),
        (None, None) => line_start..text.len(),
    };
    // The second is for an entry behind something else on its line, as in `? a` and `: b: 1`.
    [Some(Splice::remove(lines)), up_to_next]
        .into_iter()
        .flatten()
        .collect()
}

fn span(text: &str, entry: &Entry<'_>) -> Range<usize> {
    entry.key.start..entry.value.end(text).max(entry.key.content.end)
}
