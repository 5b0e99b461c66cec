//! Where lines of a text start and end, whatever ends them: LF, CRLF or a lone CR.

use std::ops::Range;

const BREAKS: [char; 2] = ['\n', '\r'];

/// Where the line that holds `at` starts. A byte order mark is no part of the first line.
pub(crate) fn start(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or_default();
    let first = before.len() - before.trim_start_matches('\u{feff}').len();
    before.rfind(BREAKS).map_or(first, |last| last + 1)
}

/// The line break that ends the line that holds `at`; `None` on a last line without one.
pub(crate) fn break_after(text: &str, at: usize) -> Option<Range<usize>> {
    let rest = text.get(at..)?;
    let from = at + rest.find(BREAKS)?;
    let length = if text.get(from..)?.starts_with("\r\n") {
        2
    } else {
        1
    };
    Some(from..from + length)
}

/// The line break just before the line that starts at `line_start`; `None` on the first line.
pub(crate) fn break_before(text: &str, line_start: usize) -> Option<Range<usize>> {
    let before = text.get(..line_start)?;
    let rest = before
        .strip_suffix("\r\n")
        .or_else(|| before.strip_suffix(BREAKS))?;
    Some(rest.len()..line_start)
}

/// The line break of the lines around `at`.
pub(crate) fn ending(text: &str, at: usize) -> &str {
    break_after(text, at)
        .or_else(|| break_before(text, start(text, at)))
        .and_then(|range| text.get(range))
        .unwrap_or("\n")
}

/// `end`, moved back over blanks and line breaks.
pub(crate) fn without_trailing_space(text: &str, end: usize) -> usize {
    text.get(..end).map_or(end, |before| {
        before.trim_end_matches([' ', '\t', '\n', '\r']).len()
    })
}

/// Whether there is nothing but blanks between the start of the line and `at`.
pub(crate) fn is_first_on_line(text: &str, at: usize) -> bool {
    text.get(start(text, at)..at)
        .is_some_and(|before| before.trim_matches([' ', '\t']).is_empty())
}

/// The position of the dash before the item of a list that starts at `at`; `None` if something else is between them.
pub(crate) fn dash_before(text: &str, at: usize) -> Option<usize> {
    text.get(..without_trailing_space(text, at))?
        .strip_suffix('-')
        .map(str::len)
}
