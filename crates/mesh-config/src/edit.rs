//! One edit of a text: proposed as a splice, applied, read again, and taken only if nothing but its path changed.

use std::ops::Range;

use crate::MeshConfigError;
use crate::comparison::{Difference, check_equal_but};
use crate::mesh_config::MeshConfig;
use crate::parse;
use crate::path::{Part, Path};

/// Puts `text` where `range` was; all other bytes stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Splice {
    pub(crate) range: Range<usize>,
    pub(crate) text: String,
}

impl Splice {
    pub(crate) fn insert(at: usize, text: String) -> Self {
        Self { range: at..at, text }
    }

    pub(crate) fn remove(range: Range<usize>) -> Self {
        let text = String::new();
        Self { range, text }
    }

    /// The edited text; `None` when the range is not one of `text`.
    fn apply(&self, text: &str) -> Option<String> {
        text.get(self.range.clone())?;
        let before = text.get(..self.range.start)?;
        let after = text.get(self.range.end..)?;
        Some([before, &self.text, after].concat())
    }
}

/// The text after the first of `splices` that changes nothing but `path` and makes `is_reached` true. Which one that is
/// depends on the text (a text block may take in the line below it), so they are tried, the best-looking first.
pub(crate) fn edited(
    before: &MeshConfig<'_, '_>,
    path: Path<'_>,
    splices: &[Splice],
    is_reached: &dyn Fn(&MeshConfig<'_, '_>) -> bool,
) -> Result<String, MeshConfigError> {
    let parts = path.parts(before.document)?;
    let mut refusal = MeshConfigError::Unsupported {
        line: parts.last().map_or(1, Part::line),
        path: path.to_string(),
    };
    for splice in splices {
        let Some(text) = splice.apply(before.document.text) else {
            continue;
        };
        match check(before, path, &text, is_reached) {
            Ok(()) => return Ok(text),
            Err(Difference::Alias { line }) => {
                refusal = MeshConfigError::Shared {
                    line,
                    path: path.to_string(),
                };
            }
            Err(Difference::Value) => {}
        }
    }
    Err(refusal)
}

fn check(
    before: &MeshConfig<'_, '_>,
    path: Path<'_>,
    text: &str,
    is_reached: &dyn Fn(&MeshConfig<'_, '_>) -> bool,
) -> Result<(), Difference> {
    let lines = |text: &str| text.matches('\n').count();
    let document = parse::document(text).map_err(|error| match error {
        // The anchor was in what changed, so the alias stands below it and moved with the lines.
        MeshConfigError::UnknownAnchor { line } => Difference::Alias {
            line: (line + lines(before.document.text)).saturating_sub(lines(text)),
        },
        _ => Difference::Value,
    })?;
    let after = MeshConfig::of(&document).map_err(|_| Difference::Value)?;
    check_equal_but(path, before.document, after.document)?;
    if is_reached(&after) {
        Ok(())
    } else {
        Err(Difference::Value)
    }
}
