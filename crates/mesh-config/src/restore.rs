//! Taking back what [`wire`] wrote, without touching what others wrote meanwhile.

use crate::comparison::is_same_value;
use crate::document::{Entry, Mapping};
use crate::edit::{Splice, edited};
use crate::mesh::{Mesh, Path};
use crate::{MeshConfigError, lines, parse, wire};

/// What [`restore`] makes of a mesh config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The mesh config without our values.
    pub text: String,
    /// The paths that hold neither our value nor the one from before, because somebody changed them meanwhile. They stay as
    /// they are.
    pub kept: Vec<&'static str>,
}

/// Takes those of the two paths that still hold our value back to what `original` has there: nothing, or its exact bytes.
///
/// `current` is the mesh config now, `original` the one before [`wire`] with `address`. If `current` is what `wire` made of
/// `original`, the result is exactly `original`. Otherwise the changes that others made meanwhile stay, byte for byte, and a
/// `defaultConfig` that `wire` had to add goes only if nothing else is in it by now. The result is checked as that of `wire` is.
pub fn restore(current: &str, original: &str, address: &str) -> Result<Restored, MeshConfigError> {
    let aside = |error| MeshConfigError::Original(Box::new(error));
    let then = parse::document(original).map_err(aside)?;
    let then = Mesh::of(&then).map_err(aside)?;
    if wire(original, address).is_ok_and(|wired| wired == current) {
        return Ok(Restored {
            text: original.to_owned(),
            kept: Vec::new(),
        });
    }
    let untouched = Restored {
        text: current.to_owned(),
        kept: Vec::new(),
    };
    let mut restored = untouched.clone();
    for path in [Path::Flag, Path::Service] {
        if let Err(error) = take_back(path, &mut restored, &then, address) {
            // The caller knows the lines of `current` only.
            let again = take_back(path, &mut untouched.clone(), &then, address);
            return Err(again.err().unwrap_or(error));
        }
    }
    Ok(restored)
}

fn take_back(
    path: Path,
    restored: &mut Restored,
    then: &Mesh<'_, '_>,
    address: &str,
) -> Result<(), MeshConfigError> {
    let document = parse::document(&restored.text)?;
    let now = Mesh::of(&document)?;
    if !is_ours(path, &now, address) {
        if !is_same(now.entry(path), then.entry(path)) {
            restored.kept.push(path.name());
        }
        return Ok(());
    }
    if is_ours(path, then, address) {
        return Ok(());
    }
    let is_reached = |after: &Mesh<'_, '_>| is_same(after.entry(path), then.entry(path));
    let text = edited(&now, path, &back(path, &now, then), &is_reached)?;
    restored.text = text;
    Ok(())
}

fn is_ours(path: Path, mesh: &Mesh<'_, '_>, address: &str) -> bool {
    match path {
        Path::Flag => mesh.settings.enabled == Some(true),
        Path::Service => mesh.settings.service_is(address),
    }
}

/// Whether two entries, of two texts, say the same; null is as good as no entry.
fn is_same(one: Option<&Entry<'_>>, other: Option<&Entry<'_>>) -> bool {
    let said = |entry: &&Entry<'_>| !entry.value.is_null();
    match (one.filter(said), other.filter(said)) {
        (None, None) => true,
        (Some(one), Some(other)) => is_same_value(&one.value, &other.value),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// Takes `path`, which is in `now`, back to what `then` has there.
fn back(path: Path, now: &Mesh<'_, '_>, then: &Mesh<'_, '_>) -> Vec<Splice> {
    let Some(entry) = now.entry(path) else {
        return Vec::new();
    };
    match (then.entry(path), path) {
        (Some(old), Path::Flag | Path::Service) => put_back(now, entry, then, old),
        (None, Path::Flag) => now.root.map_or_else(Vec::new, |root| without(now, root, entry)),
        (None, Path::Service) => without_service(now, then, entry),
    }
}

/// The bytes between the colon and the end of the value, as they were.
fn put_back(now: &Mesh<'_, '_>, entry: &Entry<'_>, then: &Mesh<'_, '_>, old: &Entry<'_>) -> Vec<Splice> {
    let range = entry.value_source(now.document.text);
    let source = old.value_source(then.document.text);
    let source = source.and_then(|source| then.document.text.get(source));
    let (Some(range), Some(source)) = (range, source) else {
        return Vec::new();
    };
    let splice = |text| Splice {
        range: range.clone(),
        text,
    };
    // The second is for a text that somebody indented further since.
    let deeper = column(now, entry).saturating_sub(column(then, old));
    let deeper = format!("\n{:deeper$}", "");
    vec![splice(source.to_owned()), splice(source.replace('\n', &deeper))]
}

fn column(mesh: &Mesh<'_, '_>, entry: &Entry<'_>) -> usize {
    entry.key.start - lines::start(mesh.document.text, entry.key.start)
}

fn without_service(now: &Mesh<'_, '_>, then: &Mesh<'_, '_>, entry: &Entry<'_>) -> Vec<Splice> {
    let Some(proxy) = now.proxy else { return Vec::new() };
    let Some(mapping) = proxy.value.mapping() else {
        return Vec::new();
    };
    let mut splices = Vec::new();
    if mapping.entries.len() == 1 {
        // With nothing else in it, `defaultConfig` itself goes back to what it was, if that was nothing.
        match then.proxy {
            None => splices.extend(now.root.into_iter().flat_map(|root| without(now, root, proxy))),
            Some(old) if old.value.is_null() && mapping.is_flow() => {
                splices.extend(put_back(now, proxy, then, old));
            }
            Some(_) => {}
        }
    }
    splices.extend(without(now, mapping, entry));
    splices
}

/// The text without an entry of `mapping`: exactly what an insertion added, whether it was at the end or at the start.
fn without(mesh: &Mesh<'_, '_>, mapping: &Mapping<'_>, entry: &Entry<'_>) -> Vec<Splice> {
    let text = mesh.document.text;
    let (start, end) = (entry.key.start, entry.value.end(text).max(entry.key.content.end));
    let place = mapping
        .entries
        .iter()
        .position(|other| std::ptr::eq(other, entry));
    let neighbour = |offset: fn(usize) -> Option<usize>| mapping.entries.get(place.and_then(offset)?);
    let previous = neighbour(|place| place.checked_sub(1));
    let next = neighbour(|place| place.checked_add(1));
    let up_to_next = next.map(|next| Splice::remove(start..next.key.start));
    if mapping.is_flow() {
        let from_previous = previous.map(|previous| Splice::remove(previous.value.end(text)..end));
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
