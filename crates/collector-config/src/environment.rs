//! The environment variables that a configuration may take values from.

use std::collections::BTreeMap;
use std::fmt;

/// Environment variables by name. They are passed as an argument, so that parsing depends on nothing else.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The environment variables of this process. A variable that is not UTF-8 is left out.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl<Name: Into<String>, Value: Into<String>> FromIterator<(Name, Value)> for Environment {
    fn from_iter<Variables: IntoIterator<Item = (Name, Value)>>(variables: Variables) -> Self {
        Self(
            variables
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }
}

/// Prints only the names, because a value may be a secret.
impl fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_not_in_the_debug_text() {
        let environment = Environment::from_iter([("PASSWORD", "secret")]);
        assert_eq!(format!("{environment:?}"), "{\"PASSWORD\"}");
        assert_eq!(environment.value("PASSWORD"), Some("secret"));
        assert_eq!(environment.value("PASS"), None);
    }

    #[test]
    fn variables_of_the_process_are_read() {
        let path = std::env::var("PATH").ok();
        assert!(path.is_some());
        assert_eq!(Environment::of_process().value("PATH"), path.as_deref());
    }
}
