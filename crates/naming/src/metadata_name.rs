//! The mapping of `mx-mesh`: names from the metadata that proxies exchange.
//!
//! A path is keys between dots, a key with dots in double quotes: `LABELS."service.istio.io/canonical-name"`. Which keys there
//! are is up to the mesh (a proxy's metadata may hold any `ISTIO_META_*`), so no key is unknown; whatever reads them compares
//! without regard to case, because Istio up to 1.23 writes `NAMESPACE` and later ones `namespace`.
//!
//! Where a rule asks for the canonical name and neither it nor another alternative is there, Istio's own fall-back stands, as
//! in [`crate::kubernetes_name`].

use crate::template::{Template, TemplateError, TemplatePart};

/// The mapping for a blank rule: the canonical name by either of Istio's spellings, and the namespace.
pub const SERVICE_NAME_RULE: &str = r#"${LABELS."service.istio.io/canonical-name",SERVICE}.${NAMESPACE}"#;

const KNOWN_PATHS: &str =
    "keys between dots, a key with dots in double quotes, such as `LABELS.\"app.kubernetes.io/name\"`";

const CANONICAL_NAME: &[&str] = &["LABELS", "service.istio.io/canonical-name"];

/// The paths in which Istio looks for a canonical name without its label, best first. `SERVICE` and `WORKLOAD` are the later
/// spelling.
const CANONICAL_NAME_FALLBACKS: [&[&str]; 5] = [
    &["SERVICE"],
    &["LABELS", "app.kubernetes.io/name"],
    &["LABELS", "app"],
    &["WORKLOAD_NAME"],
    &["WORKLOAD"],
];

/// One alternative of a variable: the keys from the metadata's root to a string.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MetadataPath {
    keys: Vec<Box<str>>,
}

impl MetadataPath {
    fn of(keys: &[&str]) -> Self {
        MetadataPath {
            keys: keys.iter().map(|key| (*key).into()).collect(),
        }
    }

    /// The keys of the path, outermost first.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| &**key)
    }

    /// Whether these are the keys, without regard to the case of ASCII letters.
    pub fn is(&self, keys: &[&str]) -> bool {
        self.keys.len() == keys.len()
            && self
                .keys()
                .zip(keys)
                .all(|(own, key)| own.eq_ignore_ascii_case(key))
    }
}

/// Parses a rule of the mapping, such as that of `serviceName`.
pub fn metadata_name(rule: &str) -> Result<Template<MetadataPath>, TemplateError> {
    let rule = if rule.trim().is_empty() {
        SERVICE_NAME_RULE
    } else {
        rule
    };
    Template::parse(rule, |alternatives| {
        let paths = alternatives
            .iter()
            .map(|(position, path)| parse_path(*position, path));
        let mut paths: Vec<MetadataPath> = paths.collect::<Result<_, _>>()?;
        if paths.iter().any(|path| path.is(CANONICAL_NAME)) {
            paths.extend(CANONICAL_NAME_FALLBACKS.map(MetadataPath::of));
        }
        Ok(paths)
    })
}

/// The mapping when nothing is configured, [`SERVICE_NAME_RULE`].
pub fn default_metadata_name() -> Template<MetadataPath> {
    let mut names = vec![MetadataPath::of(CANONICAL_NAME), MetadataPath::of(&["SERVICE"])];
    names.extend(CANONICAL_NAME_FALLBACKS.map(MetadataPath::of));
    let parts = vec![
        TemplatePart::Variable(names),
        TemplatePart::Text(".".into()),
        TemplatePart::Variable(vec![MetadataPath::of(&["NAMESPACE"])]),
    ];
    Template::known(SERVICE_NAME_RULE, parts)
}

fn parse_path(position: usize, path: &str) -> Result<MetadataPath, TemplateError> {
    let open_key = || TemplateError::OpenKey {
        path: path.to_owned(),
        position,
        known: KNOWN_PATHS,
    };
    let mut keys = Vec::new();
    let mut rest = Some(path);
    while let Some(text) = rest {
        let (key, after) = match text.strip_prefix('"') {
            Some(quoted) => {
                let (key, after) = quoted.split_once('"').ok_or_else(open_key)?;
                let after = match after.strip_prefix('.') {
                    Some(after) => Some(after),
                    None if after.is_empty() => None,
                    None => return Err(open_key()),
                };
                (key, after)
            }
            None => match text.split_once('.') {
                Some((key, after)) => (key, Some(after)),
                None => (text, None),
            },
        };
        if key.is_empty() {
            return Err(TemplateError::EmptyPath {
                position,
                known: KNOWN_PATHS,
            });
        }
        keys.push(key.into());
        rest = after;
    }
    Ok(MetadataPath { keys })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Keys with `|` between them, and values.
    type Metadata<'a> = &'a [(&'a str, &'a str)];

    fn named(rule: &str, metadata: Metadata<'_>) -> String {
        let template = metadata_name(rule).expect("the rule is good");
        let mut name = String::new();
        template.render(&mut name, |path| {
            let found = metadata
                .iter()
                .find(|(keys, _)| path.is(&keys.split('|').collect::<Vec<_>>()));
            found.map(|(_, value)| *value)
        });
        name
    }

    const CANONICAL: &str = "LABELS|service.istio.io/canonical-name";
    const PRODUCT_PAGE: Metadata<'_> = &[
        ("CLUSTER_ID", "Kubernetes"),
        (CANONICAL, "productpage"),
        ("LABELS|version", "v1"),
        ("LABELS|app", "another-name"),
        ("LABELS|service.istio.io/canonical-revision", "v1"),
    ];

    // SkyWalking's unit tests of its mapping, case by case.
    #[rstest]
    #[case::first_of_three(
        r#"${LABELS."service.istio.io/canonical-name",LABELS."app.kubernetes.io/name",LABELS.app}"#,
        "productpage"
    )]
    #[case::canonical_name(r#"${LABELS."service.istio.io/canonical-name"}"#, "productpage")]
    #[case::with_version(
        r#"${LABELS."service.istio.io/canonical-name"}-${LABELS.version}"#,
        "productpage-v1"
    )]
    #[case::with_cluster(
        r#"${LABELS."service.istio.io/canonical-name"}-${CLUSTER_ID}"#,
        "productpage-Kubernetes"
    )]
    #[case::text_before(r#"fixed-${LABELS."service.istio.io/canonical-name"}"#, "fixed-productpage")]
    #[case::first_missing(
        r#"fixed-${LABELS.nothing,LABELS."service.istio.io/canonical-name"}"#,
        "fixed-productpage"
    )]
    #[case::both_missing("fixed-${LABELS.nothing,LABELS.neither}", "fixed--")]
    fn skywalkings_own_cases_hold(#[case] rule: &str, #[case] expected: &str) {
        assert_eq!(named(rule, PRODUCT_PAGE), expected);
    }

    #[test]
    fn text_after_the_last_variable_is_kept_where_skywalking_loses_it() {
        assert_eq!(named("${CLUSTER_ID}/mesh", PRODUCT_PAGE), "Kubernetes/mesh");
    }

    #[rstest]
    #[case::node_metadata(&[(CANONICAL, "reviews"), ("NAMESPACE", "demo")], "reviews.demo")]
    #[case::exchanged_since_1_24(&[("service", "reviews"), ("namespace", "demo")], "reviews.demo")]
    #[case::mixed_case(&[("Labels|Service.istio.io/Canonical-Name", "reviews"), ("Namespace", "demo")], "reviews.demo")]
    #[case::dash_is_missing(&[(CANONICAL, "-"), ("service", "reviews"), ("namespace", "")], "reviews.-")]
    #[case::app(&[("LABELS|app", "reviews"), ("WORKLOAD_NAME", "reviews-v1"), ("NAMESPACE", "demo")], "reviews.demo")]
    #[case::app_name(&[("LABELS|app.kubernetes.io/name", "reviews"), ("LABELS|app", "x"), ("NAMESPACE", "demo")], "reviews.demo")]
    #[case::workload(&[("WORKLOAD_NAME", "reviews-v1"), ("NAMESPACE", "demo")], "reviews-v1.demo")]
    #[case::workload_since_1_24(&[("workload", "reviews-v1"), ("namespace", "demo")], "reviews-v1.demo")]
    #[case::nothing(&[], "-.-")]
    fn a_blank_rule_is_canonical_name_and_namespace(#[case] metadata: Metadata<'_>, #[case] expected: &str) {
        assert_eq!(named(" ", metadata), expected);
    }

    #[test]
    fn the_default_is_what_its_text_says() {
        assert_eq!(Ok(default_metadata_name()), metadata_name(SERVICE_NAME_RULE));
    }

    #[test]
    fn a_rule_without_the_canonical_name_has_no_fall_back() {
        assert_eq!(named("${LABELS.tier}", &[("WORKLOAD_NAME", "reviews-v1")]), "-");
    }

    #[test]
    fn a_path_is_all_of_its_keys() {
        let path = parse_path(0, "LABELS.app").expect("the path is good");
        assert!(path.is(&["labels", "APP"]));
        assert!(!path.is(&["LABELS"]) && !path.is(&["LABELS", "app", "x"]) && !path.is(&["app", "LABELS"]));
    }

    #[test]
    fn keys_are_cut_at_dots_outside_of_quotes() {
        let keys = |path| {
            let path = parse_path(0, path).expect("the path is good");
            path.keys().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(keys(r#"LABELS."a.b".c"#), ["LABELS", "a.b", "c"]);
        assert_eq!(
            keys("PLATFORM_METADATA.gcp_project"),
            ["PLATFORM_METADATA", "gcp_project"]
        );
        assert_eq!(keys(r#""ONE""#), ["ONE"]);
    }

    #[rstest]
    #[case::no_end(
        r#"${LABELS."app}"#,
        r#"the key in the path `LABELS."app`, at byte 2 of the naming rule, is not closed"#
    )]
    #[case::after_the_key(
        r#"${LABELS."app"x}"#,
        r#"the key in the path `LABELS."app"x`, at byte 2 of the naming rule, is not closed"#
    )]
    #[case::nothing("${NAME,}", "the naming rule has an empty path at byte 7")]
    #[case::gap("${LABELS..app}", "the naming rule has an empty path at byte 2")]
    #[case::last_dot("${LABELS.}", "the naming rule has an empty path at byte 2")]
    #[case::empty_key(r#"${LABELS.""}"#, "the naming rule has an empty path at byte 2")]
    fn bad_paths_are_refused(#[case] rule: &str, #[case] beginning: &str) {
        let error = metadata_name(rule).expect_err("the rule is bad");
        assert_eq!(error.to_string(), format!("{beginning}; write {KNOWN_PATHS}"));
    }
}
