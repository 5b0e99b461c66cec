//! A configuration from values that stand elsewhere than in a file, as in a Kubernetes resource.

use std::path::Path;

use crate::error::Place;
use crate::raw_config::{Form, RawConfig, Text};
use crate::{Config, ConfigError, Directory, Environment, Setting, parse, placeholder};

/// The value of one key, from elsewhere than a file.
#[derive(Clone, Debug)]
pub struct GivenValue {
    /// The key that the value is for.
    pub setting: &'static Setting,
    /// How errors name the value, as in `spec.analysis.http`.
    pub name: String,
    /// The items of a list. Another value is one text, and of several names each is a text.
    pub texts: Vec<String>,
}

impl Config {
    /// Reads values as [`Config::parse`] does. A key without a value has its default. A value with a placeholder is
    /// refused, because [`Config::render`] would write a text that is read as the variable's value. Error messages name the place
    /// `origin`.
    pub fn of_values(
        directory: Directory,
        values: &[GivenValue],
        origin: &Path,
    ) -> Result<Self, ConfigError> {
        let mut raw = RawConfig::default();
        for value in values {
            let key = value.setting.key.to_owned();
            let texts = value.texts.iter().map(|text| value.text(text, origin));
            match value.setting.kind().form() {
                Form::List => {
                    raw.lists.insert(key, texts.collect::<Result<_, _>>()?);
                }
                Form::Text => {
                    raw.texts.insert(key, value.text(&value.texts.join(","), origin)?);
                }
                // It has no value of its own.
                Form::Keys => {}
            }
        }
        parse::interpret(directory, &raw, origin)
    }
}

impl GivenValue {
    fn text(&self, value: &str, origin: &Path) -> Result<Text, ConfigError> {
        let place = Place::File(origin.to_owned());
        if placeholder::fill(value, &Environment::default()).is_ok_and(|filled| filled == value) {
            return Ok(Text {
                name: self.name.clone(),
                place,
                value: value.to_owned(),
            });
        }
        Err(ConfigError::Placeholder {
            place,
            key: self.name.clone(),
            value: value.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::{Analyzer, settings};

    fn read(values: &[(&str, &[&str])]) -> Result<Config, String> {
        let values: Vec<GivenValue> = values
            .iter()
            .map(|(key, texts)| GivenValue {
                setting: settings().find(|setting| setting.key == *key).unwrap(),
                name: format!("spec.{key}"),
                texts: texts.iter().map(|&text| text.to_owned()).collect(),
            })
            .collect();
        Config::of_values(Directory::None, &values, Path::new("the resource"))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn values_are_read_and_the_rest_is_at_its_default() {
        let config = read(&[
            ("analysis.http", &["mx-mesh", "persistence"]),
            ("analysis.endpoints.rules", &["/users/{id}", "/a,b"]),
            ("analysis.naming.istioServiceEntryIgnoredNamespaces", &["a", "b"]),
            ("limits.idleSeries", &["90m"]),
        ])
        .unwrap();
        let mut expected = Config {
            directory: Directory::None,
            ..Config::default()
        };
        expected.analysis.http = vec![Analyzer::MxMesh, Analyzer::Persistence];
        expected.analysis.endpoints.rules = vec!["/users/{id}".to_owned(), "/a,b".to_owned()];
        expected.analysis.naming.istio_service_entry_ignored_namespaces =
            vec!["a".to_owned(), "b".to_owned()];
        expected.limits.idle_series = std::time::Duration::from_mins(90);
        assert_eq!(config, expected);
    }

    #[rstest]
    #[case::empty_lists_are_values(&[("analysis.http", &[][..]), ("web.hosts", &[])])]
    #[case::a_block_has_no_value(&[("directory.kubernetes", &["x"][..])])]
    fn nothing_is_the_default(#[case] values: &[(&str, &[&str])]) {
        let expected = Config {
            directory: Directory::None,
            ..Config::default()
        };
        assert_eq!(read(values), Ok(expected));
    }

    #[rstest]
    #[case::of_a_variable("${HOME}")]
    #[case::with_a_default("x-${HOME:y}")]
    fn a_placeholder_is_refused(#[case] rule: &str) {
        let error = read(&[("analysis.naming.k8sServiceNameRule", &[rule])]).unwrap_err();
        assert_eq!(
            error,
            format!(
                "`spec.analysis.naming.k8sServiceNameRule` in the resource is `{rule}`, which takes an environment variable; write \
                 the value itself"
            )
        );
    }

    #[test]
    fn what_a_file_refuses_is_refused_by_the_name_of_the_value() {
        assert_eq!(
            read(&[("analysis.endpoints.rules", &["/users/{id}", "GET /a, b"])]).unwrap_err(),
            "`spec.analysis.endpoints.rules` in the resource is `GET /a, b`; write the template of a path without its query, as in \
             /users/{id} or GET /users/{id}"
        );
        assert_eq!(
            read(&[("analysis.tcp", &["persistence"])]).unwrap_err(),
            "`spec.analysis.tcp` in the resource: the analyzer `persistence` needs an analyzer before it; write it after k8s-mesh or \
             mx-mesh, as in k8s-mesh,persistence"
        );
        assert_eq!(
            read(&[("limits.messageBytes", &["9"]), ("limits.bufferedBytes", &["8"])]).unwrap_err(),
            "`limits.messageBytes` in the resource is 9, more than `limits.bufferedBytes` 8; raise the second"
        );
    }
}
