use super::*;

/// Naming rules, tested from the configuration to the names that calls have, and to what is kept of the
/// objects for them.
#[rstest]
#[case::default_rules("", ["reviews.demo", "reviews.demo", "legacy.outside"])]
#[case::own_keys(
    "analysis: { naming: { k8sServiceNameRule: '${pod.metadata.labels.unused}/${service.metadata.labels.team}/${pod.metadata.annotations.owner}',
                           istioServiceNameRule: '${serviceEntry.metadata.annotations.(example.com/alias)}' } }",
    ["yes/red/blue", "-/red/-", "old"]
)]
#[case::skywalkings_section(
    "envoy-metric: { default: { k8sServiceNameRule: 'mesh::${service.metadata.annotations.alias}',
                                istioServiceNameRule: '${serviceEntry.metadata.labels.team}' } }",
    ["mesh::r", "mesh::r", "green"]
)]
fn parties_are_named_by_the_configured_rules(#[case] rules: &str, #[case] expected: [&str; 3]) {
    let text = format!("directory: {{ file: a }}\n{rules}");
    let config = alscope_collector_config::Config::parse(&text, Path::new("collector.yaml")).unwrap();
    let list = LIST
        .replace("uid: 0d3c7a\n    creation", "uid: 0d3c7a\n    annotations: {owner: blue}\n    creation")
        .replace(
            "{name: reviews, namespace: demo,",
            "{name: reviews, namespace: demo, labels: {team: red}, annotations: {alias: r},",
        )
        .replace(
            "{name: legacy, namespace: outside,",
            "{name: legacy, namespace: outside, labels: {team: green}, annotations: {example.com/alias: old},",
        );
    let directory = parse(&list, crate::directory::empty(&config)).unwrap();
    let start = at("2026-01-02T00:00:00Z");
    let name = |address: &str| match directory
        .query()
        .owner(address.parse().unwrap(), None, start)
        .owner
    {
        Owner::Pod(pod) => pod.names.at(start).0.to_string(),
        Owner::Service(service) => service.names.at(start).0.to_string(),
        Owner::External(external) => external.names.at(start).0.to_string(),
        Owner::Unknown(reason) => reason.as_str().to_owned(),
    };
    assert_eq!(["10.0.0.2", "10.96.0.2", "192.0.2.9"].map(name), expected);
}

/// Only annotations that a rule reads are kept, because there may be ten thousand pods. All labels are
/// kept, because selectors may ask for any.
#[test]
fn annotations_that_no_rule_reads_are_not_kept() {
    let pod: Pod = serde_json::from_value(serde_json::json!({"metadata": {
        "name": "a",
        "namespace": "demo",
        "labels": {"app": "a", "tier": "back", "unused": "x"},
        "annotations": {"owner": "blue", "unused": "x"},
    }}))
    .unwrap();
    let kept = |rules: &NamingRules| match pod.record(rules) {
        Record::Pod(record) => {
            [record.labels, record.annotations].map(|kept| kept.into_keys().collect::<Vec<_>>())
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(
        kept(&NamingRules::default()),
        [vec!["app", "tier", "unused"], vec![]]
    );
    let rules = NamingRules {
        k8s: k8s_service_name(
            "${pod.metadata.labels.tier,pod.metadata.annotations.owner,service.metadata.labels.unused}",
        )
        .unwrap(),
        ..NamingRules::default()
    };
    assert_eq!(kept(&rules), [vec!["app", "tier", "unused"], vec!["owner"]]);
}
