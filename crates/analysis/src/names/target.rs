//! Reads the target of a request into canonical segments, so that all spellings of one endpoint are equal.
//!
//! | target | read as |
//! |---|---|
//! | from the first `?` or `#` on | left out |
//! | `http://host/path` (absolute-form) | `/path` |
//! | `*` of OPTIONS (asterisk-form) | `*` |
//! | `host:port` or nothing, of CONNECT (authority-form) | `{authority}` |
//! | nothing, of another method | `/` |
//! | text without a `/` before it | as if it had one |
//! | empty segments: `//`, a last `/` | left out |
//! | matrix parameters `;name=value` | left out |
//! | escapes | RFC 3986's unreserved characters plain, others in capitals |
//! | bytes that are not ASCII or that no path may hold | escaped |
//! | a segment of more than [`MAX_SEGMENT_BYTES`] that is of no type | `{any}` |
//! | an escaped segment of more than [`MAX_ESCAPED_SEGMENT_BYTES`], or with escaped escapes | `{any}` |
//! | segments after the first [`MAX_SEGMENTS`] | `**` |
//! | `.` and `..` | words: proxies have already resolved those that they resolve |
//! | a gRPC call's `/package.Service/Method` | as it is |

use super::escape;
use super::method::Method;
use super::segment::{Classes, Placeholder};

/// How many segments of a path a name has.
pub const MAX_SEGMENTS: usize = 16;
/// How many bytes a word has at most, in its canonical spelling.
pub const MAX_SEGMENT_BYTES: usize = 64;
/// How many bytes an escaped segment may decode to; a longer one gets no type.
pub const MAX_ESCAPED_SEGMENT_BYTES: usize = 256;
/// How many bytes the path of a gRPC call may have; a longer one is named like any other path.
pub const MAX_GRPC_PATH_BYTES: usize = 256;

/// The parts of a request from which its endpoint is named.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method of the request.
    pub method: Method,
    /// `HTTPRequestProperties.path`, in whatever form the client sent.
    pub path: &'a [u8],
    /// Whether the call is gRPC.
    pub is_grpc: bool,
}

/// The forms of a target, which are named differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TargetForm {
    Path,
    /// The path of a gRPC call, whose words are kept as they are.
    Grpc,
    Asterisk,
    Authority,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    /// The end of its text, which starts with a `/` at the end of the previous one.
    end: usize,
    placeholder: Option<Placeholder>,
}

/// The target of a request. It is reused for every request, so that a known path allocates nothing.
#[derive(Clone, Debug)]
pub struct Target {
    pub(super) method: Method,
    pub(super) form: TargetForm,
    /// The texts of the segments, each after a `/`. A value that is too long for a word has only the `/`.
    text: String,
    segments: Vec<Segment>,
}

impl Default for Target {
    fn default() -> Self {
        Target {
            method: Method::Other,
            form: TargetForm::Path,
            text: String::with_capacity((MAX_SEGMENTS + 1) * (MAX_SEGMENT_BYTES + 4)),
            segments: Vec::with_capacity(MAX_SEGMENTS + 1),
        }
    }
}

impl Target {
    /// Reads `request`, in place of the previous one.
    pub fn read(&mut self, request: &Request<'_>) {
        self.method = request.method;
        self.text.clear();
        self.segments.clear();
        let target = without_query(request.path);
        self.form = match (request.method, target) {
            (Method::Options, b"*") => TargetForm::Asterisk,
            (Method::Connect, target) if !target.starts_with(b"/") => TargetForm::Authority,
            _ if request.is_grpc && is_grpc_path(target) => TargetForm::Grpc,
            _ => TargetForm::Path,
        };
        if self.form == TargetForm::Asterisk || self.form == TargetForm::Authority {
            return;
        }
        for segment in path(target).split(|byte| *byte == b'/') {
            let classes = Classes::of(segment);
            let segment = if classes.have(Classes::SEMICOLON) {
                without_parameters(segment)
            } else {
                segment
            };
            if segment.is_empty() {
                continue;
            }
            if self.segments.len() == MAX_SEGMENTS {
                self.push("", Some(Placeholder::Rest));
                break;
            }
            match std::str::from_utf8(segment) {
                Ok(text) if !classes.have(Classes::ESCAPE) => self.push_plain(text, classes),
                _ => self.push_escaped(segment),
            }
        }
    }

    /// The segments, each with its text, and its placeholder if it is not a word.
    pub(super) fn segments(&self) -> impl Iterator<Item = (&str, Option<Placeholder>)> {
        let mut start = 0;
        self.segments.iter().map(move |segment| {
            let text = self.text.get(start + 1..segment.end).unwrap_or_default();
            start = segment.end;
            (text, segment.placeholder)
        })
    }

    /// The whole path with the texts of all segments.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// A segment that is its own canonical spelling.
    fn push_plain(&mut self, segment: &str, classes: Classes) {
        if self.form == TargetForm::Grpc {
            return self.push(segment, None);
        }
        let placeholder = Placeholder::of_classes(segment.as_bytes(), classes);
        if segment.len() > MAX_SEGMENT_BYTES {
            self.push("", placeholder.or(Some(Placeholder::Any)));
        } else {
            self.push(segment, placeholder);
        }
    }

    fn push_escaped(&mut self, segment: &[u8]) {
        let mut buffer = [0; MAX_ESCAPED_SEGMENT_BYTES];
        let placeholder = match escape::decoded(segment, &mut buffer) {
            Some(decoded) if escape::has_escape(decoded) => Some(Placeholder::Any),
            Some(decoded) => Placeholder::of(decoded),
            None => None,
        };
        self.text.push('/');
        let start = self.text.len();
        for (byte, is_escaped) in escape::bytes(segment) {
            escape::write_byte(byte, is_escaped, &mut self.text);
            if self.text.len() - start > MAX_SEGMENT_BYTES {
                self.text.truncate(start);
                break;
            }
        }
        let end = self.text.len();
        let too_long = (end == start).then_some(Placeholder::Any);
        self.segments.push(Segment {
            end,
            placeholder: placeholder.or(too_long),
        });
    }

    fn push(&mut self, text: &str, placeholder: Option<Placeholder>) {
        self.text.push('/');
        self.text.push_str(text);
        self.segments.push(Segment {
            end: self.text.len(),
            placeholder,
        });
    }
}

/// The part before the matrix parameters.
fn without_parameters(segment: &[u8]) -> &[u8] {
    segment.split(|byte| *byte == b';').next().unwrap_or_default()
}

/// The part before the query and the fragment.
fn without_query(target: &[u8]) -> &[u8] {
    let end = target.iter().position(|byte| matches!(byte, b'?' | b'#'));
    target.get(..end.unwrap_or(target.len())).unwrap_or_default()
}

/// The scheme, the authority and the path of an absolute-form without its query.
pub(super) fn absolute_form(target: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let colon = target.windows(3).position(|window| window == b"://")?;
    let (scheme, rest) = target.split_at_checked(colon)?;
    let (first, others) = scheme.split_first()?;
    let is_scheme = first.is_ascii_alphabetic()
        && others
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
    let rest = rest.get(3..)?;
    let end = rest.iter().position(|byte| *byte == b'/');
    let (authority, path) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
    is_scheme.then_some((scheme, authority, path))
}

fn path(target: &[u8]) -> &[u8] {
    if target.starts_with(b"/") {
        return target;
    }
    absolute_form(target).map_or(target, |(_, _, path)| path)
}

/// Two segments of letters, digits, dots and underscores, neither a value.
fn is_grpc_path(path: &[u8]) -> bool {
    let is_name = |name: &[u8]| {
        !name.is_empty()
            && name
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_'))
            && Placeholder::of(name).is_none()
    };
    let mut segments = path.split(|byte| *byte == b'/');
    path.len() <= MAX_GRPC_PATH_BYTES
        && segments.next().is_some_and(<[u8]>::is_empty)
        && segments.next().is_some_and(is_name)
        && segments.next().is_some_and(is_name)
        && segments.next().is_none()
}

#[cfg(test)]
pub(super) mod tests;
