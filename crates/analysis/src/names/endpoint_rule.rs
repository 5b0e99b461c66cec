//! The path templates of the user. They name what they match, before any type or learned name does.
//!
//! A rule is `GET /products/{id}`, or without a method for all methods. A segment in braces matches any one segment; a last `**`
//! matches any number of further ones, also none. Other segments are compared in their canonical spelling, like those of a request,
//! so `/a/`, `//a` and `/%61` are one rule.

use super::escape;
use super::method::Method;
use super::segment::Placeholder;
use super::target::{MAX_SEGMENT_BYTES, MAX_SEGMENTS, Target, TargetForm};

/// A path template of the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointRule {
    service: Option<Box<str>>,
    method: Option<Method>,
    segments: Vec<SegmentPattern>,
    has_rest: bool,
    path: Box<str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum SegmentPattern {
    Word(Box<str>),
    Variable,
}

/// Why a path template was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointRuleError {
    /// The rule has no path.
    #[error("the endpoint rule `{rule}` has no path; write `GET /products/{{id}}` or `/products/{{id}}`")]
    NoPath {
        /// The rule as the user wrote it.
        rule: String,
    },
    /// The word before the path is not a method.
    #[error("`{method}` in the endpoint rule `{rule}` is no method; use {known} or none", known = known_methods())]
    UnknownMethod {
        /// The word before the path.
        method: String,
        /// The rule as the user wrote it.
        rule: String,
    },
    /// The path has a query, a fragment or matrix parameters.
    #[error(
        "the endpoint rule `{rule}` has a `{character}`, which no name has; leave it out with what follows it"
    )]
    NotAPath {
        /// The rule as the user wrote it.
        rule: String,
        /// The character that begins them.
        character: char,
    },
    /// Braces are not around a whole segment, or have no valid name in them.
    #[error(
        "the segment `{segment}` in the endpoint rule `{rule}` is no variable; write a whole segment as `{{name}}` with letters, digits, `_` and `-`"
    )]
    BadVariable {
        /// The refused segment.
        segment: String,
        /// The rule as the user wrote it.
        rule: String,
    },
    /// A `*` is not part of a last `**`.
    #[error(
        "the segment `{segment}` in the endpoint rule `{rule}` has a wildcard; write `{{name}}` for one segment and `**` at the end for all further ones"
    )]
    BadWildcard {
        /// The refused segment.
        segment: String,
        /// The rule as the user wrote it.
        rule: String,
    },
    /// The rule has more or longer segments than are compared.
    #[error(
        "the endpoint rule `{rule}` has more than {MAX_SEGMENTS} segments or one of more than {MAX_SEGMENT_BYTES} bytes; end it earlier with `**`"
    )]
    TooLong {
        /// The rule as the user wrote it.
        rule: String,
    },
}

impl EndpointRule {
    /// Parses a rule for the service of this name, or for all services.
    pub fn parse(rule: &str, service: Option<&str>) -> Result<Self, EndpointRuleError> {
        let written = || rule.to_owned();
        let Some((method, path)) = rule.find('/').map(|slash| rule.split_at(slash)) else {
            return Err(EndpointRuleError::NoPath { rule: written() });
        };
        let method = parse_method(method.trim(), rule)?;
        let path = path.trim_end();
        if let Some(character) = path.chars().find(|character| "?#;".contains(*character)) {
            return Err(EndpointRuleError::NotAPath {
                rule: written(),
                character,
            });
        }
        let mut parsed = EndpointRule {
            service: service.map(Into::into),
            method,
            segments: Vec::new(),
            has_rest: false,
            path: Box::default(),
        };
        let mut text = String::new();
        for segment in path.split('/').filter(|segment| !segment.is_empty()) {
            parsed.push(segment, rule, &mut text)?;
        }
        if parsed.segments.len() > MAX_SEGMENTS {
            return Err(EndpointRuleError::TooLong { rule: written() });
        }
        parsed.path = if text.is_empty() { "/".into() } else { text.into() };
        Ok(parsed)
    }

    /// Whether the rule is for `service`.
    pub(super) fn is_for(&self, service: &str) -> bool {
        self.service.as_deref().is_none_or(|own| own == service)
    }

    /// The path by which the rule names what it matches.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether this rule names `target`.
    pub(super) fn matches(&self, target: &Target) -> bool {
        let has_path = target.form == TargetForm::Path || target.form == TargetForm::Grpc;
        if !has_path || self.method.is_some_and(|method| method != target.method) {
            return false;
        }
        let mut segments = target.segments();
        let are_equal = self
            .segments
            .iter()
            .all(|pattern| match (pattern, segments.next()) {
                (_, None) => false,
                (SegmentPattern::Variable, Some(_)) => true,
                (SegmentPattern::Word(word), Some((text, _))) => **word == *text,
            });
        are_equal && (self.has_rest || segments.next().is_none())
    }

    fn push(&mut self, segment: &str, rule: &str, path: &mut String) -> Result<(), EndpointRuleError> {
        let (segment_text, rule_text) = (|| segment.to_owned(), || rule.to_owned());
        if self.has_rest || (segment.contains('*') && segment != Placeholder::Rest.text()) {
            return Err(EndpointRuleError::BadWildcard {
                segment: if self.has_rest {
                    "**".to_owned()
                } else {
                    segment_text()
                },
                rule: rule_text(),
            });
        }
        path.push('/');
        let start = path.len();
        if segment == Placeholder::Rest.text() {
            self.has_rest = true;
            path.push_str(segment);
        } else if segment.contains(['{', '}']) {
            if !is_variable(segment) {
                return Err(EndpointRuleError::BadVariable {
                    segment: segment_text(),
                    rule: rule_text(),
                });
            }
            self.segments.push(SegmentPattern::Variable);
            path.push_str(segment);
        } else {
            escape::write_segment(segment.as_bytes(), path);
            let word = path.get(start..).unwrap_or_default();
            if word.len() > MAX_SEGMENT_BYTES {
                return Err(EndpointRuleError::TooLong { rule: rule_text() });
            }
            self.segments.push(SegmentPattern::Word(word.into()));
        }
        Ok(())
    }
}

fn parse_method(word: &str, rule: &str) -> Result<Option<Method>, EndpointRuleError> {
    if word.is_empty() {
        return Ok(None);
    }
    let method = Method::ALL.into_iter().find(|method| method.as_str() == word);
    method.map(Some).ok_or_else(|| EndpointRuleError::UnknownMethod {
        method: word.to_owned(),
        rule: rule.to_owned(),
    })
}

fn is_variable(segment: &str) -> bool {
    let name = segment
        .strip_prefix('{')
        .and_then(|segment| segment.strip_suffix('}'));
    name.is_some_and(|name| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    })
}

fn known_methods() -> String {
    Method::ALL.map(Method::as_str).join(", ")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::names::target::Request;

    fn matches(rule: &str, method: Method, path: &str) -> bool {
        let mut target = Target::default();
        target.read(&Request {
            method,
            path: path.as_bytes(),
            is_grpc: false,
        });
        let rule = EndpointRule::parse(rule, None).expect("the rule is good");
        rule.matches(&target)
    }

    #[rstest]
    #[case::variable("/products/{id}", "/products/mug", true)]
    #[case::variable_takes_values("/products/{id}", "/products/42", true)]
    #[case::variable_takes_long_values(
        "/products/{id}",
        "/products/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        true
    )]
    #[case::variable_takes_one_segment("/products/{id}", "/products/mug/reviews", false)]
    #[case::variable_takes_a_segment("/products/{id}", "/products", false)]
    #[case::as_str("/products/mug", "/products/mug", true)]
    #[case::other_word("/products/mug", "/products/cup", false)]
    #[case::case("/products", "/Products", false)]
    #[case::words_that_look_like_values("/blog/2024", "/blog/2024", true)]
    #[case::another_year("/blog/2024", "/blog/2025", false)]
    #[case::rest("/static/**", "/static/css/main.css", true)]
    #[case::no_rest("/static/**", "/static", true)]
    #[case::rest_elsewhere("/static/**", "/other/main.css", false)]
    #[case::everything("/**", "/", true)]
    #[case::root("/", "/", true)]
    #[case::only_root("/", "/a", false)]
    #[case::slashes("//a/", "/a", true)]
    #[case::escapes("/caf%c3%a9", "/caf%C3%A9", true)]
    #[case::plain_text("/café", "/caf%C3%A9", true)]
    #[case::query("/a/{b}", "/a/b?c=d", true)]
    fn a_rule_matches_paths(#[case] rule: &str, #[case] path: &str, #[case] expected: bool) {
        assert_eq!(matches(rule, Method::Get, path), expected);
    }

    #[test]
    fn a_rule_with_a_method_is_for_that_method() {
        assert!(matches("GET /a", Method::Get, "/a"));
        assert!(!matches("GET /a", Method::Post, "/a"));
        assert!(matches("_OTHER /a", Method::Other, "/a"));
    }

    #[test]
    fn only_a_rest_matches_paths_beyond_the_bound_of_segments() {
        let path = "/a".repeat(MAX_SEGMENTS + 1);
        assert!(matches("/a/**", Method::Get, &path));
        assert!(!matches(&"/a".repeat(MAX_SEGMENTS), Method::Get, &path));
        assert!(matches(
            &"/{x}".repeat(MAX_SEGMENTS),
            Method::Get,
            &"/a".repeat(MAX_SEGMENTS)
        ));
    }

    #[test]
    fn a_target_without_a_path_matches_nothing() {
        assert!(!matches("/**", Method::Options, "*"));
        assert!(!matches("/**", Method::Connect, "host:443"));
    }

    #[rstest]
    #[case("GET /products/{id}", "/products/{id}")]
    #[case("  PUT  //products/ ", "/products")]
    #[case("/caf%c3%a9/**", "/caf%C3%A9/**")]
    #[case("/", "/")]
    fn a_rule_names_by_its_path(#[case] rule: &str, #[case] path: &str) {
        assert_eq!(
            EndpointRule::parse(rule, None).map(|rule| rule.path().to_owned()),
            Ok(path.to_owned())
        );
    }

    #[rstest]
    #[case::no_path(
        "products",
        "the endpoint rule `products` has no path; write `GET /products/{id}` or `/products/{id}`"
    )]
    #[case::method(
        "get /a",
        "`get` in the endpoint rule `get /a` is no method; use _OTHER, GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE, PATCH or none"
    )]
    #[case::query(
        "/a?b=c",
        "the endpoint rule `/a?b=c` has a `?`, which no name has; leave it out with what follows it"
    )]
    #[case::matrix(
        "/a;b",
        "the endpoint rule `/a;b` has a `;`, which no name has; leave it out with what follows it"
    )]
    #[case::half_variable(
        "/a/{id}.json",
        "the segment `{id}.json` in the endpoint rule `/a/{id}.json` is no variable; write a whole segment as `{name}` with letters, digits, `_` and `-`"
    )]
    #[case::no_name(
        "/a/{}",
        "the segment `{}` in the endpoint rule `/a/{}` is no variable; write a whole segment as `{name}` with letters, digits, `_` and `-`"
    )]
    #[case::one_star(
        "/a/*",
        "the segment `*` in the endpoint rule `/a/*` has a wildcard; write `{name}` for one segment and `**` at the end for all further ones"
    )]
    #[case::rest_first(
        "/**/a",
        "the segment `**` in the endpoint rule `/**/a` has a wildcard; write `{name}` for one segment and `**` at the end for all further ones"
    )]
    #[case::long(
        "/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a",
        "the endpoint rule `/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a` has more than 16 segments or one of more than 64 bytes; end it earlier with `**`"
    )]
    fn a_bad_rule_says_what_to_write(#[case] rule: &str, #[case] message: &str) {
        let error = EndpointRule::parse(rule, None).expect_err("the rule is bad");
        assert_eq!(error.to_string(), message);
    }

    #[test]
    fn a_word_beyond_the_bound_is_refused() {
        let longest = format!("/{}", "x".repeat(MAX_SEGMENT_BYTES));
        assert!(EndpointRule::parse(&longest, None).is_ok());
        let rule = format!("/{}", "x".repeat(MAX_SEGMENT_BYTES + 1));
        assert_eq!(
            EndpointRule::parse(&rule, None),
            Err(EndpointRuleError::TooLong { rule })
        );
    }

    #[test]
    fn a_rule_is_for_its_service_or_for_all() {
        let own = EndpointRule::parse("/a", Some("web.demo")).expect("the rule is good");
        assert!(own.is_for("web.demo") && !own.is_for("web.other"));
        let all = EndpointRule::parse("/a", None).expect("the rule is good");
        assert!(all.is_for("web.demo"));
    }
}
