//! `SkyWalking`'s rules `k8sServiceNameRule` and `istioServiceNameRule`: names from Kubernetes objects.
//!
//! | rule | variables | by default, and when it is blank |
//! |---|---|---|
//! | `k8sServiceNameRule` | `pod`, `service` | canonical name and namespace; blank: the canonical name |
//! | `istioServiceNameRule` | `serviceEntry` | the entry's name and namespace |
//!
//! Below each variable: `metadata.name`, `metadata.namespace`, and `metadata.labels` or `metadata.annotations` with a key,
//! which is written in parentheses when it has dots: `pod.metadata.labels.(app.kubernetes.io/name)`.
//!
//! A pod without the label `service.istio.io/canonical-name` has a canonical name all the same, by Istio's own fall-back:
//! `app.kubernetes.io/name`, else `app`, else its workload. Where `SkyWalking` writes `-` for the missing label, that name
//! stands, unless another alternative has a value.

use crate::template::{Template, TemplateError, TemplatePart};

/// `SkyWalking`'s default of `k8sServiceNameRule`.
pub const K8S_SERVICE_NAME_RULE: &str =
    "${pod.metadata.labels.(service.istio.io/canonical-name)}.${pod.metadata.namespace}";
/// `SkyWalking`'s default of `istioServiceNameRule`.
pub const ISTIO_SERVICE_NAME_RULE: &str = "${serviceEntry.metadata.name}.${serviceEntry.metadata.namespace}";

/// What `SkyWalking` builds in for a blank `k8sServiceNameRule`.
pub const BLANK_K8S_SERVICE_NAME_RULE: &str = "${pod.metadata.labels.(service.istio.io/canonical-name),\
     pod.metadata.labels.(app.kubernetes.io/name),pod.metadata.labels.app}";

const CANONICAL_NAME: &str = "service.istio.io/canonical-name";

const KNOWN_K8S_PATHS: &str = "`pod` or `service` with `.metadata.name`, `.metadata.namespace`, `.metadata.labels.KEY` or \
     `.metadata.annotations.KEY`, a KEY with dots in parentheses";
const KNOWN_ISTIO_PATHS: &str = "`serviceEntry` with `.metadata.name`, `.metadata.namespace`, `.metadata.labels.KEY` or \
     `.metadata.annotations.KEY`, a KEY with dots in parentheses";

/// The objects whose metadata the rules read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MetadataObject {
    /// The pod that an address belongs to.
    Pod,
    /// The Service that sends to the pod.
    Service,
    /// The `ServiceEntry` that names the host.
    ServiceEntry,
}

/// One alternative of a variable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KubernetesPath {
    /// `metadata.name`.
    Name(MetadataObject),
    /// `metadata.namespace`.
    Namespace(MetadataObject),
    /// The value of the label with this key.
    Label(MetadataObject, Box<str>),
    /// The value of the annotation with this key.
    Annotation(MetadataObject, Box<str>),
    /// The pod's canonical service by Istio's fall-back. It follows the other alternatives of a variable that reads the label.
    CanonicalService,
}

/// Parses `k8sServiceNameRule`, whose variables are `pod` and `service`.
pub fn k8s_service_name(rule: &str) -> Result<Template<KubernetesPath>, TemplateError> {
    let objects = [("pod", MetadataObject::Pod), ("service", MetadataObject::Service)];
    let rule = if rule.trim().is_empty() {
        BLANK_K8S_SERVICE_NAME_RULE
    } else {
        rule
    };
    parse(rule, &objects, KNOWN_K8S_PATHS)
}

/// Parses `istioServiceNameRule`, whose variable is `serviceEntry`.
pub fn istio_service_name(rule: &str) -> Result<Template<KubernetesPath>, TemplateError> {
    let is_blank = rule.trim().is_empty();
    let rule = if is_blank { ISTIO_SERVICE_NAME_RULE } else { rule };
    parse(
        rule,
        &[("serviceEntry", MetadataObject::ServiceEntry)],
        KNOWN_ISTIO_PATHS,
    )
}

/// The default of `k8sServiceNameRule`, [`K8S_SERVICE_NAME_RULE`].
pub fn default_k8s_service_name() -> Template<KubernetesPath> {
    let canonical_name = KubernetesPath::Label(MetadataObject::Pod, CANONICAL_NAME.into());
    let parts = vec![
        TemplatePart::Variable(vec![canonical_name, KubernetesPath::CanonicalService]),
        TemplatePart::Text(".".into()),
        TemplatePart::Variable(vec![KubernetesPath::Namespace(MetadataObject::Pod)]),
    ];
    Template::known(K8S_SERVICE_NAME_RULE, parts)
}

/// The default of `istioServiceNameRule`, [`ISTIO_SERVICE_NAME_RULE`].
pub fn default_istio_service_name() -> Template<KubernetesPath> {
    let parts = vec![
        TemplatePart::Variable(vec![KubernetesPath::Name(MetadataObject::ServiceEntry)]),
        TemplatePart::Text(".".into()),
        TemplatePart::Variable(vec![KubernetesPath::Namespace(MetadataObject::ServiceEntry)]),
    ];
    Template::known(ISTIO_SERVICE_NAME_RULE, parts)
}

fn parse(
    rule: &str,
    objects: &[(&str, MetadataObject)],
    known: &'static str,
) -> Result<Template<KubernetesPath>, TemplateError> {
    Template::parse(rule, |alternatives| {
        let paths = alternatives
            .iter()
            .map(|(position, path)| parse_path(*position, path, objects, known));
        let mut paths: Vec<KubernetesPath> = paths.collect::<Result<_, _>>()?;
        let asks_for_canonical_name = paths
            .iter()
            .any(|path| matches!(path, KubernetesPath::Label(MetadataObject::Pod, key) if **key == *CANONICAL_NAME));
        if asks_for_canonical_name {
            paths.push(KubernetesPath::CanonicalService);
        }
        Ok(paths)
    })
}

fn parse_path(
    position: usize,
    path: &str,
    objects: &[(&str, MetadataObject)],
    known: &'static str,
) -> Result<KubernetesPath, TemplateError> {
    if path.is_empty() {
        return Err(TemplateError::EmptyPath { position, known });
    }
    let unknown = || TemplateError::UnknownPath {
        path: path.to_owned(),
        position,
        known,
    };
    let (name, metadata) = path.split_once(".metadata.").ok_or_else(unknown)?;
    let object = objects.iter().find(|(known, _)| *known == name);
    let (_, object) = *object.ok_or_else(unknown)?;
    let key = |key: &str| {
        let inside = match key.strip_prefix('(') {
            Some(inside) => inside.strip_suffix(')').ok_or_else(|| TemplateError::OpenKey {
                path: path.to_owned(),
                position,
                known,
            })?,
            None if key.contains('.') => return Err(unknown()),
            None => key,
        };
        if inside.is_empty() {
            return Err(unknown());
        }
        Ok(inside.into())
    };
    match metadata.split_once('.') {
        None if metadata == "name" => Ok(KubernetesPath::Name(object)),
        None if metadata == "namespace" => Ok(KubernetesPath::Namespace(object)),
        Some(("labels", label)) => Ok(KubernetesPath::Label(object, key(label)?)),
        Some(("annotations", annotation)) => Ok(KubernetesPath::Annotation(object, key(annotation)?)),
        _ => Err(unknown()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rstest::rstest;

    use super::*;

    /// What a rule makes of a pod with these labels, of workload `clash-workload`, behind a Service `clash`.
    fn named(rule: &str, labels: &[(&str, &str)]) -> String {
        let labels: BTreeMap<String, String> = labels
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let canonical = [CANONICAL_NAME, "app.kubernetes.io/name", "app"]
            .into_iter()
            .find_map(|key| labels.get(key))
            .map_or("clash-workload", String::as_str);
        let mut name = String::new();
        let template = k8s_service_name(rule).expect("the rule is good");
        template.render(&mut name, |path| match path {
            KubernetesPath::Name(MetadataObject::Pod) => Some("clash-pod"),
            KubernetesPath::Name(MetadataObject::Service) => Some("clash"),
            KubernetesPath::Namespace(MetadataObject::Pod | MetadataObject::Service) => Some("demo"),
            KubernetesPath::Label(MetadataObject::Pod, key) => labels.get(&**key).map(String::as_str),
            KubernetesPath::Annotation(MetadataObject::Pod, key) if **key == *"team" => Some("red"),
            KubernetesPath::CanonicalService => Some(canonical),
            _ => None,
        });
        name
    }

    const CANONICAL: &str = "${pod.metadata.labels.(service.istio.io/canonical-name)}";

    // SkyWalking's unit tests of its formatter, case by case.
    #[rstest]
    #[case::blank("", &[(CANONICAL_NAME, "clash-x")], "clash-x")]
    #[case::blank_ignores_the_revision("  ", &[(CANONICAL_NAME, "clash-x"), ("service.istio.io/canonical-revision", "v1")], "clash-x")]
    #[case::name_and_revision(
        "${pod.metadata.labels.(service.istio.io/canonical-name)}-${pod.metadata.labels.(service.istio.io/canonical-revision)}",
        &[(CANONICAL_NAME, "clash-x"), ("service.istio.io/canonical-revision", "v1beta")],
        "clash-x-v1beta"
    )]
    #[case::label_before_the_service(CANONICAL, &[(CANONICAL_NAME, "clash-x")], "clash-x")]
    #[case::no_such_label("${pod.metadata.labels.nothing}", &[], "-")]
    #[case::third_alternative(
        "${pod.metadata.labels.nothing,pod.metadata.labels.(service.istio.io/canonical-name),pod.metadata.labels.app}",
        &[("app", "clash-x")],
        "clash-x"
    )]
    #[case::recommended_labels(
        "${pod.metadata.labels.(service.istio.io/canonical-name),pod.metadata.labels.(app.kubernetes.io/name),pod.metadata.labels.app}",
        &[("app", "clash-x")],
        "clash-x"
    )]
    fn skywalkings_own_cases_hold(
        #[case] rule: &str,
        #[case] labels: &[(&str, &str)],
        #[case] expected: &str,
    ) {
        assert_eq!(named(rule, labels), expected);
    }

    #[rstest]
    #[case::default_rule(K8S_SERVICE_NAME_RULE, &[(CANONICAL_NAME, "clash-x")], "clash-x.demo")]
    #[case::service("e2e::${service.metadata.name}", &[], "e2e::clash")]
    #[case::service_namespace("${service.metadata.namespace}", &[], "demo")]
    #[case::pod("${pod.metadata.name}", &[], "clash-pod")]
    #[case::annotation("${pod.metadata.annotations.team}", &[], "red")]
    #[case::key_in_needless_parentheses("${pod.metadata.labels.(app)}", &[("app", "clash-x")], "clash-x")]
    fn rules_read_pods_and_services(
        #[case] rule: &str,
        #[case] labels: &[(&str, &str)],
        #[case] expected: &str,
    ) {
        assert_eq!(named(rule, labels), expected);
    }

    #[test]
    fn the_defaults_are_what_their_texts_say() {
        assert_eq!(
            Ok(default_k8s_service_name()),
            k8s_service_name(K8S_SERVICE_NAME_RULE)
        );
        assert_eq!(
            Ok(default_istio_service_name()),
            istio_service_name(ISTIO_SERVICE_NAME_RULE)
        );
    }

    #[test]
    fn text_after_the_last_variable_is_kept_where_skywalking_loses_it() {
        assert_eq!(named("${pod.metadata.name}.svc", &[]), "clash-pod.svc");
    }

    #[test]
    fn a_rule_without_variables_is_its_text_where_skywalking_gives_nothing() {
        assert_eq!(named("mesh", &[]), "mesh");
    }

    #[rstest]
    #[case::workload(K8S_SERVICE_NAME_RULE, &[], "clash-workload.demo")]
    #[case::app(K8S_SERVICE_NAME_RULE, &[("app", "clash-x")], "clash-x.demo")]
    #[case::blank("", &[], "clash-workload")]
    #[case::own_alternative_first(
        "${pod.metadata.labels.(service.istio.io/canonical-name),pod.metadata.labels.tier}",
        &[("tier", "front")],
        "front"
    )]
    fn a_missing_canonical_name_is_istios_fall_back(
        #[case] rule: &str,
        #[case] labels: &[(&str, &str)],
        #[case] expected: &str,
    ) {
        assert_eq!(named(rule, labels), expected);
    }

    #[rstest]
    #[case::default_rule("", "httpbin.demo")]
    #[case::own("external::${serviceEntry.metadata.labels.team}", "external::red")]
    #[case::no_canonical_name("${serviceEntry.metadata.labels.(service.istio.io/canonical-name)}", "-")]
    fn service_entries_have_a_rule_of_their_own(#[case] rule: &str, #[case] expected: &str) {
        let template = istio_service_name(rule).expect("the rule is good");
        let mut name = String::new();
        template.render(&mut name, |path| match path {
            KubernetesPath::Name(MetadataObject::ServiceEntry) => Some("httpbin"),
            KubernetesPath::Namespace(MetadataObject::ServiceEntry) => Some("demo"),
            KubernetesPath::Label(MetadataObject::ServiceEntry, key) if **key == *"team" => Some("red"),
            KubernetesPath::CanonicalService => Some("not a pod"),
            _ => None,
        });
        assert_eq!(name, expected);
    }

    #[rstest]
    #[case::variable("${pods.metadata.name}", "pods.metadata.name", 2)]
    #[case::other_rules_variable("${serviceEntry.metadata.name}", "serviceEntry.metadata.name", 2)]
    #[case::field("x.${pod.metadata.nam}", "pod.metadata.nam", 4)]
    #[case::deeper("${pod.metadata.name.first}", "pod.metadata.name.first", 2)]
    #[case::specification("${pod.spec.nodeName}", "pod.spec.nodeName", 2)]
    #[case::no_field("${pod}", "pod", 2)]
    #[case::all_labels("${pod.metadata.labels}", "pod.metadata.labels", 2)]
    #[case::empty_key("${pod.metadata.labels.}", "pod.metadata.labels.", 2)]
    #[case::empty_parentheses("${pod.metadata.labels.()}", "pod.metadata.labels.()", 2)]
    #[case::dots_without_parentheses(
        "${pod.metadata.labels.app.kubernetes.io/name}",
        "pod.metadata.labels.app.kubernetes.io/name",
        2
    )]
    #[case::second_alternative("${pod.metadata.name,pod.name}", "pod.name", 20)]
    fn unknown_paths_are_refused_with_the_known_ones(
        #[case] rule: &str,
        #[case] path: &str,
        #[case] position: usize,
    ) {
        let error = k8s_service_name(rule).expect_err("the rule is bad");
        let message = format!(
            "the naming rule knows no path `{path}`, at byte {position}; write `pod` or `service` with `.metadata.name`, \
             `.metadata.namespace`, `.metadata.labels.KEY` or `.metadata.annotations.KEY`, a KEY with dots in parentheses"
        );
        assert_eq!(error.to_string(), message);
    }

    #[test]
    fn a_pod_is_unknown_to_the_rule_of_service_entries() {
        let error = istio_service_name("${pod.metadata.name}").expect_err("the rule is bad");
        assert!(
            error.to_string().ends_with(&format!("write {KNOWN_ISTIO_PATHS}")),
            "{error}"
        );
    }

    #[rstest]
    #[case("${}", TemplateError::EmptyPath { position: 2, known: KNOWN_K8S_PATHS })]
    #[case("${pod.metadata.name,}", TemplateError::EmptyPath { position: 20, known: KNOWN_K8S_PATHS })]
    #[case(
        "${pod.metadata.labels.(app}",
        TemplateError::OpenKey { path: "pod.metadata.labels.(app".to_owned(), position: 2, known: KNOWN_K8S_PATHS }
    )]
    fn gaps_and_open_keys_are_refused(#[case] rule: &str, #[case] error: TemplateError) {
        assert_eq!(k8s_service_name(rule), Err(error));
    }
}
