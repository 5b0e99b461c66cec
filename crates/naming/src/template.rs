//! Naming templates: `SkyWalking`'s rules for service names as programs, parsed once.
//!
//! A template is text with variables `${…}`. A variable holds alternatives between commas, each a path; the first that has a
//! value gives it, and `-` stands where none has. A value that is empty or `-` itself is none. Text around variables is kept,
//! also after the last one, and a template without variables is its text: `SkyWalking` loses both.
//!
//! What a path may be is up to the rule: [`crate::kubernetes_name`] and [`crate::metadata_name`].

/// The text in place of a variable without a value.
pub const MISSING_VALUE: &str = "-";

/// A parsed template whose paths are of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template<P> {
    text: Box<str>,
    parts: Vec<TemplatePart<P>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TemplatePart<P> {
    Text(Box<str>),
    Variable(Vec<P>),
}

/// Why a template was refused. Positions are bytes of the template, the first is 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A `${` has no `}`.
    #[error("the variable at byte {position} of the naming rule has no end; write `}}` after it")]
    NoEnd {
        /// The position at which the variable starts.
        position: usize,
    },
    /// An alternative is empty, or a path has a gap.
    #[error("the naming rule has an empty path at byte {position}; write {known}")]
    EmptyPath {
        /// The position at which the path starts.
        position: usize,
        /// The paths that may stand there, for the message.
        known: &'static str,
    },
    /// The rule has no such path.
    #[error("the naming rule knows no path `{path}`, at byte {position}; write {known}")]
    UnknownPath {
        /// The path as the user wrote it.
        path: String,
        /// The position at which the path starts.
        position: usize,
        /// The paths that may stand there, for the message.
        known: &'static str,
    },
    /// The parenthesis or quote of a key is not closed, or something else than a dot follows it.
    #[error(
        "the key in the path `{path}`, at byte {position} of the naming rule, is not closed; write {known}"
    )]
    OpenKey {
        /// The path as the user wrote it.
        path: String,
        /// The position at which the path starts.
        position: usize,
        /// The paths that may stand there, for the message.
        known: &'static str,
    },
}

impl<P> Template<P> {
    /// A template whose parts are known, so that `text` need not be parsed.
    pub(crate) fn known(text: &str, parts: Vec<TemplatePart<P>>) -> Self {
        let text = text.into();
        Template { text, parts }
    }

    /// Parses a template; `variable` makes the alternatives of one variable, each given with its position.
    pub(crate) fn parse(
        text: &str,
        variable: impl Fn(&[(usize, &str)]) -> Result<Vec<P>, TemplateError>,
    ) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            if !before.is_empty() {
                parts.push(TemplatePart::Text(before.into()));
            }
            let start = text.len() - after.len();
            let Some((inside, after)) = after.split_once('}') else {
                return Err(TemplateError::NoEnd {
                    position: start - "${".len(),
                });
            };
            parts.push(TemplatePart::Variable(variable(&alternatives(inside, start))?));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(TemplatePart::Text(rest.into()));
        }
        let text = text.into();
        Ok(Template { text, parts })
    }

    /// The text of the template.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Every path that a name may depend on.
    pub fn paths(&self) -> impl Iterator<Item = &P> {
        self.parts.iter().flat_map(|part| match part {
            TemplatePart::Text(_) => [].as_slice(),
            TemplatePart::Variable(paths) => paths,
        })
    }

    /// Writes the name into `output`, in the place of what is there; `value` answers for one path.
    pub fn render<'a>(&self, output: &mut String, value: impl Fn(&P) -> Option<&'a str>) {
        output.clear();
        for part in &self.parts {
            match part {
                TemplatePart::Text(text) => output.push_str(text),
                TemplatePart::Variable(paths) => {
                    let values = paths.iter().filter_map(&value);
                    let mut values = values.filter(|value| !value.is_empty() && *value != MISSING_VALUE);
                    output.push_str(values.next().unwrap_or(MISSING_VALUE));
                }
            }
        }
    }
}

/// The alternatives between the commas, each with its position and without blanks around it.
fn alternatives(inside: &str, start: usize) -> Vec<(usize, &str)> {
    let mut position = start;
    let mut alternatives = Vec::new();
    for alternative in inside.split(',') {
        let blanks = alternative.len() - alternative.trim_start().len();
        alternatives.push((position + blanks, alternative.trim()));
        position += alternative.len() + 1;
    }
    alternatives
}

/// The group and the short name of a service: the parts before and after the first `::`, as `SkyWalking` groups services. A name
/// that starts with `::` has no group.
pub fn group_and_name(service: &str) -> (Option<&str>, &str) {
    match service.split_once("::") {
        Some((group, name)) if !group.is_empty() => (Some(group), name),
        _ => (None, service),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// A template whose paths are any words.
    fn parse(text: &str) -> Result<Template<String>, TemplateError> {
        Template::parse(text, |alternatives| {
            Ok(alternatives
                .iter()
                .map(|(position, path)| format!("{position}{path}"))
                .collect())
        })
    }

    #[rstest]
    #[case::text("reviews", "reviews")]
    #[case::nothing("", "")]
    #[case::variable("${a}", "<2a>")]
    #[case::text_before("x-${a}", "x-<4a>")]
    #[case::text_after("${a}-x", "<2a>-x")]
    #[case::text_around("x${a}y${b}z", "x<3a>y<8b>z")]
    #[case::group("e2e::${a}", "e2e::<7a>")]
    #[case::dollar("$a {b} }", "$a {b} }")]
    #[case::unicode("é${a}", "é<4a>")]
    fn text_and_variables_keep_their_order(#[case] text: &str, #[case] expected: &str) {
        let template = parse(text).expect("the template is good");
        let mut output = "what was there".to_owned();
        let known = ["2a", "3a", "4a", "7a", "8b"].map(|path| (path, format!("<{path}>")));
        template.render(&mut output, |path| {
            let found = known.iter().find(|(known, _)| known == path);
            found.map(|(_, value)| value.as_str())
        });
        assert_eq!(output, expected);
    }

    #[rstest]
    #[case::first("${a,b}", "A")]
    #[case::second("${x,b}", "B")]
    #[case::empty_is_none("${empty,b}", "B")]
    #[case::dash_is_none("${dash,b}", "B")]
    #[case::blanks("${ x , b }", "B")]
    #[case::none("${x,y}", "-")]
    #[case::none_within_text("${x}.${b}", "-.B")]
    fn the_first_alternative_with_a_value_counts(#[case] text: &str, #[case] expected: &str) {
        let template = Template::parse(text, |alternatives| {
            Ok(alternatives.iter().map(|(_, path)| (*path).to_owned()).collect())
        });
        let mut output = String::new();
        let template: Template<String> = template.expect("the template is good");
        template.render(&mut output, |path| match path.as_str() {
            "a" => Some("A"),
            "b" => Some("B"),
            "empty" => Some(""),
            "dash" => Some("-"),
            _ => None,
        });
        assert_eq!(output, expected);
    }

    #[rstest]
    #[case("${a", 0)]
    #[case("x${a}${b", 5)]
    fn a_variable_must_end(#[case] text: &str, #[case] position: usize) {
        let error = parse(text).expect_err("the template is bad");
        assert_eq!(error, TemplateError::NoEnd { position });
        let message =
            format!("the variable at byte {position} of the naming rule has no end; write `}}` after it");
        assert_eq!(error.to_string(), message);
    }

    #[test]
    fn positions_count_commas_and_blanks() {
        let template = parse("${a, b,c}").expect("the template is good");
        let variable = TemplatePart::Variable(vec!["2a".to_owned(), "5b".to_owned(), "7c".to_owned()]);
        assert_eq!(template.parts, [variable]);
        assert_eq!(template.text(), "${a, b,c}");
    }

    #[test]
    fn paths_are_those_of_all_variables() {
        let template = parse("x${a,b}.${c}y").expect("the template is good");
        assert_eq!(template.paths().collect::<Vec<_>>(), ["3a", "5b", "10c"]);
    }

    #[rstest]
    #[case("e2e::reviews", (Some("e2e"), "reviews"))]
    #[case("reviews", (None, "reviews"))]
    #[case("a::b::c", (Some("a"), "b::c"))]
    #[case("::reviews", (None, "::reviews"))]
    #[case("e2e::", (Some("e2e"), ""))]
    fn the_group_stands_before_two_colons(#[case] service: &str, #[case] expected: (Option<&str>, &str)) {
        assert_eq!(group_and_name(service), expected);
    }
}
