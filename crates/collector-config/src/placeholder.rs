//! Placeholders in a value, in the form of `SkyWalking`'s files: `${NAME}` is an environment variable,
//! and `${NAME:default}` has a default for a variable that is not set. A default may hold placeholders
//! itself. `${…}` around anything but the name of a variable is left as it is, because naming rules are
//! written so, as in `${pod.metadata.namespace}`.

use crate::Environment;

/// The deepest nesting of defaults within defaults. A deeper placeholder is left as it is written.
const MAX_DEPTH: usize = 16;

/// The error of a placeholder that has no default and whose variable is not set.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unset {
    pub(crate) variable: String,
}

/// Replaces the placeholders of `text` by the values of their variables. Quotes around the result of a
/// placeholder are removed: in `${NAME:""}` they say that the default is an empty text.
pub(crate) fn fill(text: &str, environment: &Environment) -> Result<String, Unset> {
    let filled = filled(text, environment, 0)?;
    if filled == text {
        return Ok(filled);
    }
    Ok(unquoted(&filled).to_owned())
}

/// Returns `text` without the pair of quotes around all of it, if it has one.
pub(crate) fn unquoted(text: &str) -> &str {
    let inner = |quote| text.trim().strip_prefix(quote)?.strip_suffix(quote);
    inner('"').or_else(|| inner('\'')).unwrap_or(text)
}

fn filled(text: &str, environment: &Environment, depth: usize) -> Result<String, Unset> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, start)) = rest.split_once("${") {
        filled.push_str(before);
        let Some((inner, after)) = up_to_its_brace(start) else {
            filled.push_str("${");
            filled.push_str(start);
            return Ok(filled);
        };
        match variable(inner).filter(|_| depth < MAX_DEPTH) {
            Some((variable, default)) => match (environment.value(variable), default) {
                (Some(value), _) => filled.push_str(value),
                (None, Some(default)) => filled.push_str(&self::filled(default, environment, depth + 1)?),
                (None, None) => {
                    return Err(Unset {
                        variable: variable.to_owned(),
                    });
                }
            },
            None => filled.extend(["${", inner, "}"]),
        }
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Splits `text`, which follows an opening brace, at the brace that closes it.
fn up_to_its_brace(text: &str) -> Option<(&str, &str)> {
    let mut open = 1_usize;
    for (at, character) in text.char_indices() {
        match character {
            '{' => open += 1,
            '}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some((text.get(..at)?, text.get(at + 1..)?));
        }
    }
    None
}

/// Splits the inside of a placeholder into the variable's name and the default after the colon. Returns
/// `None` if there is no valid name.
fn variable(inner: &str) -> Option<(&str, Option<&str>)> {
    let (name, default) = match inner.split_once(':') {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || character == '_');
    is_name.then_some((name, default))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn environment() -> Environment {
        Environment::from_iter([
            ("CHAIN", "mx-mesh"),
            ("EMPTY", ""),
            ("QUOTED", "\"k8s-mesh\""),
            ("RULE", "${CHAIN}"),
        ])
    }

    #[rstest]
    #[case::none("k8s-mesh", "k8s-mesh")]
    #[case::variable("${CHAIN}", "mx-mesh")]
    #[case::variable_before_default("${CHAIN:k8s-mesh}", "mx-mesh")]
    #[case::default("${OTHER:k8s-mesh}", "k8s-mesh")]
    #[case::empty_default("${OTHER:}", "")]
    #[case::empty_text_as_default("${OTHER:\"\"}", "")]
    #[case::single_quotes("${OTHER:'k8s-mesh'}", "k8s-mesh")]
    #[case::quotes_in_the_variable("${QUOTED:}", "k8s-mesh")]
    #[case::quotes_without_placeholder("\"k8s-mesh\"", "\"k8s-mesh\"")]
    #[case::empty_variable_is_set("${EMPTY:k8s-mesh}", "")]
    #[case::colon_in_the_default("${OTHER:127.0.0.1:80}", "127.0.0.1:80")]
    #[case::within_a_text("${CHAIN},${OTHER:k8s-mesh},end", "mx-mesh,k8s-mesh,end")]
    #[case::default_of_a_default("${OTHER:${ANOTHER:x}y}", "xy")]
    #[case::variable_of_a_default("${OTHER:${CHAIN:x}}", "mx-mesh")]
    #[case::naming_rule(
        "${OTHER:\"${pod.metadata.labels.(service.istio.io/canonical-name)}.${pod.metadata.namespace}\"}",
        "${pod.metadata.labels.(service.istio.io/canonical-name)}.${pod.metadata.namespace}"
    )]
    #[case::naming_rule_alone("${pod.metadata.name}", "${pod.metadata.name}")]
    #[case::variables_are_not_read_again("${RULE:}", "${CHAIN}")]
    #[case::braces_of_a_default("${OTHER:{\"a\":{}}}", "{\"a\":{}}")]
    #[case::open("${CHAIN", "${CHAIN")]
    #[case::open_after_one("${CHAIN}${CHAIN", "mx-mesh${CHAIN")]
    #[case::no_name("${}${1A:b}${A-B:c}", "${}${1A:b}${A-B:c}")]
    fn placeholders_are_filled(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(fill(text, &environment()), Ok(expected.to_owned()));
    }

    #[rstest]
    #[case::alone("${OTHER}")]
    #[case::as_a_default("${ANOTHER:${OTHER}}")]
    fn variable_that_is_not_set_is_named(#[case] text: &str) {
        let variable = "OTHER".to_owned();
        assert_eq!(fill(text, &environment()), Err(Unset { variable }));
    }

    #[test]
    fn defaults_are_read_to_a_bounded_depth() {
        let nested = |depth: usize| format!("{}end{}", "${A:".repeat(depth), "}".repeat(depth));
        assert_eq!(fill(&nested(MAX_DEPTH), &environment()), Ok("end".to_owned()));
        assert_eq!(fill(&nested(MAX_DEPTH + 2), &environment()), Ok(nested(2)));
    }
}
