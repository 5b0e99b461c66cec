//! Writes a value at a path: everything else stays byte for byte.

use crate::document::{Document, YamlKind};
use crate::edit::{Splice, edited};
use crate::insertion::{as_children, as_value, in_place_of_item, into_empty, into_list, into_mapping};
use crate::mesh_config::MeshConfig;
use crate::path::{Part, Path, Value};
use crate::{MeshConfigError, parse};

/// The mesh config `text` with `value` at `path`, and everything else byte for byte as it is.
///
/// What the path lacks is written in the style of the mapping or list that it comes into: a key at the end of its mapping, an
/// item at the end of its list, with its `name`. A value that is there already, in whatever spelling, stays as it is written;
/// another one is replaced as a whole. The result is parsed and compared with `text`: if anything but `path` would differ, or if
/// an alias repeats what would change, it is an error.
pub fn insert(text: &str, path: Path<'_>, value: &Value) -> Result<String, MeshConfigError> {
    let document = parse::document(text)?;
    let mesh = MeshConfig::of(&document)?;
    if holds_in(&document, path, value)? {
        return Ok(text.to_owned());
    }
    let splices = splices(&mesh, path, value)?;
    edited(&mesh, path, &splices, &|after| {
        holds_in(after.document, path, value).unwrap_or(false)
    })
}

/// Whether [`insert`] would leave `text` as it is.
pub fn holds(text: &str, path: Path<'_>, value: &Value) -> Result<bool, MeshConfigError> {
    let document = parse::document(text)?;
    MeshConfig::of(&document)?;
    holds_in(&document, path, value)
}

pub(crate) fn holds_in(
    document: &Document<'_>,
    path: Path<'_>,
    value: &Value,
) -> Result<bool, MeshConfigError> {
    let found = path.value(document)?;
    Ok(found.is_some_and(|node| value.is_said_by(document, node)))
}

fn splices(mesh: &MeshConfig<'_, '_>, path: Path<'_>, value: &Value) -> Result<Vec<Splice>, MeshConfigError> {
    let document = mesh.document;
    let parts = path.parts(document)?;
    let missing = path.wrap(parts.len(), value);
    let is_complete = parts.len() == path.0.len();
    Ok(match (parts.last(), &document.root) {
        (Some(Part::Entry { entry, .. }), _) if is_complete => as_value(document, entry, &missing),
        (Some(Part::Item { item, .. }), _) if is_complete => in_place_of_item(document, item, &missing),
        (Some(Part::Entry { parent, entry, .. }), _) if entry.value.is_left_out() => {
            let mut splices = as_children(mesh, parent, entry, &missing);
            splices.extend(as_value(document, entry, &missing));
            splices
        }
        (Some(Part::Entry { entry, .. }), _) if entry.value.is_null() => as_value(document, entry, &missing),
        (Some(part), _) if matches!(part.value().kind, YamlKind::Sequence { .. }) => {
            into_list(mesh, part.value(), &missing)
        }
        (Some(part), _) => into_mapping(mesh, part.value(), &missing),
        (None, Some(root)) => into_mapping(mesh, root, &missing),
        (None, None) => into_empty(document, &missing),
    })
}
