//! The checked-in definition, roles and chart files are what the operator's types and table of rights say.
//!
//! `make gen` runs this test with `ALSCOPE_REGENERATE=1`, which writes the files instead of comparing them.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use alscope_operator::lease;
use alscope_operator::rbac::{Installation, RbacObject, Scope};
use alscope_plan::api::definition;
use k8s_openapi::api::rbac::v1::PolicyRule;
use rstest::rstest;
use serde::Serialize;
use serde_json::{Value, json};

/// Directories in which every file is generated.
const DIRECTORIES: [&str; 4] = [
    "deploy/crds",
    "deploy/rbac",
    "charts/alscope/crds",
    "charts/alscope/files",
];
const DEFINITION: &str = "meshobservabilities.alscope.dev.yaml";
const FROM_API: &str = "# Generated from crates/plan/src/api by `make gen`: change it there.\n";
const FROM_RIGHTS: &str = "# Generated from crates/operator/src/rbac by `make gen`: change it there.\n";

#[test]
fn checked_in_files_are_what_the_types_generate() {
    let generated = generate();
    if env::var_os("ALSCOPE_REGENERATE").is_some() {
        write(&generated);
    }
    let present = read();
    assert_eq!(
        present.keys().collect::<Vec<_>>(),
        generated.keys().collect::<Vec<_>>(),
        "there are other files: run `make gen`"
    );
    for (name, text) in &generated {
        assert!(
            present.get(name) == Some(text),
            "{name} is not up to date: run `make gen`"
        );
    }
}

#[test]
fn the_chart_grants_what_the_table_says() {
    if env::var_os("ALSCOPE_REGENERATE").is_some() {
        // The manifest is rendered from the files that this run writes.
        return;
    }
    let installation = Installation::default();
    let table = [
        installation.operator(),
        installation.mesh(),
        installation.collector(),
    ]
    .concat();
    let wanted: BTreeMap<String, Value> = table.iter().map(grant).collect();
    let manifest =
        fs::read_to_string(root().join("deploy/operator.yaml")).expect("deploy/operator.yaml is readable");
    let objects: Vec<Value> = serde_saphyr::from_multiple(&manifest).expect("deploy/operator.yaml is YAML");
    let granted: BTreeMap<String, Value> = objects
        .iter()
        .filter(|object| {
            object["kind"] == "ServiceAccount" || object["apiVersion"] == "rbac.authorization.k8s.io/v1"
        })
        .map(grant)
        .collect();
    assert_eq!(
        granted, wanted,
        "deploy/operator.yaml is not up to date: run `make gen`"
    );
}

#[test]
fn no_right_is_unlimited() {
    let installation = with_shared("shared-mesh");
    for scope in Scope::ALL {
        let rules = installation.rules(scope);
        assert!(!rules.is_empty(), "{scope:?} has rights");
        for (why, rule) in rules {
            let words = [
                Some(&rule.verbs),
                rule.resources.as_ref(),
                rule.api_groups.as_ref(),
            ];
            let is_wild = |word: &String| word.contains('*');
            assert!(!words.into_iter().flatten().flatten().any(is_wild), "{rule:?}");
            assert!(why.ends_with('.'), "{rule:?} has a reason");
        }
    }
}

/// What the operator, the collector and the drain send: watches list and then follow, a server-side apply is a patch, and a
/// creation where the object is absent. Only the Lease is asked for alone, and replaced; so is the backup of mesh config.
#[rstest]
#[case::operator(Scope::Cluster, &[
    ("pods", "list watch"), ("deployments", "list watch"), ("telemetries", "list watch"),
    ("sidecars", "list watch"),
    ("meshobservabilities", "list watch patch"), ("meshobservabilities/status", "patch"),
    ("meshobservabilities/finalizers", "update"), ("events", "create patch"), ("events", "create patch"),
])]
#[case::restarts(Scope::Restarts, &[
    ("deployments", "list watch patch"), ("statefulsets", "list watch patch"), ("daemonsets", "list watch patch"),
    ("poddisruptionbudgets", "list watch"),
])]
#[case::its_namespace(Scope::OwnNamespace, &[
    ("configmaps", "list watch create update patch delete"), ("services", "list watch create patch delete"),
    ("deployments", "list watch create patch delete"), ("poddisruptionbudgets", "list watch create patch delete"),
    ("networkpolicies", "list watch create patch delete"),
    ("horizontalpodautoscalers", "list watch create patch delete"), ("pods", "list watch"), ("endpointslices", "list watch"),
    ("leases", "get update"), ("leases", "create"),
])]
#[case::mesh(Scope::Mesh, &[("configmaps", "list watch patch")])]
#[case::shared_mesh(Scope::SharedMesh, &[("configmaps", "list watch patch delete"), ("configmaps", "create")])]
#[case::drain(Scope::Drain, &[("meshobservabilities", "list delete")])]
fn verbs_are_those_that_are_sent(#[case] scope: Scope, #[case] expected: &[(&str, &str)]) {
    let rules = with_shared("shared-mesh").rules(scope);
    let verbs = rules.iter().flat_map(|(_, rule)| {
        let resources = rule.resources.iter().flatten();
        resources.map(|resource| (resource.clone(), rule.verbs.join(" ")))
    });
    let expected: Vec<(String, String)> = expected
        .iter()
        .map(|&(resource, verbs)| (resource.to_owned(), verbs.to_owned()))
        .collect();
    assert_eq!(verbs.collect::<Vec<_>>(), expected);
}

#[test]
fn the_collector_only_lists_and_watches() {
    for (_, rule) in Installation::default().rules(Scope::Collector) {
        assert_eq!(rule.verbs, ["list", "watch"], "{rule:?}");
    }
}

#[test]
fn other_namespaces_config_maps_are_written_by_name_alone() {
    let installation = with_shared("shared-mesh");
    let mut unnamed = Vec::new();
    for scope in [
        Scope::Cluster,
        Scope::Restarts,
        Scope::Mesh,
        Scope::SharedMesh,
        Scope::Collector,
        Scope::Drain,
    ] {
        for (_, rule) in installation.rules(scope) {
            if is_about(&rule, "configmaps") && rule.resource_names.is_none() {
                unnamed.push((scope, rule.verbs));
            }
        }
    }
    assert_eq!(unnamed, [(Scope::SharedMesh, vec!["create".to_owned()])]);
}

#[test]
fn cluster_wide_the_operator_writes_its_own_resource_and_events_alone() {
    let reads = ["get", "list", "watch"];
    let mut written: Vec<String> = Installation::default()
        .rules(Scope::Cluster)
        .into_iter()
        .filter(|(_, rule)| rule.verbs.iter().any(|verb| !reads.contains(&verb.as_str())))
        .flat_map(|(_, rule)| rule.resources.unwrap_or_default())
        .collect();
    written.dedup();
    let own = "meshobservabilities";
    assert_eq!(
        written,
        [
            own.to_owned(),
            format!("{own}/status"),
            format!("{own}/finalizers"),
            "events".to_owned()
        ]
    );
    let deletes = |scope| {
        let rules = Installation::default().rules(scope);
        rules
            .into_iter()
            .any(|(_, rule)| is_about(&rule, own) && rule.verbs.contains(&"delete".to_owned()))
    };
    assert_eq!(
        Scope::ALL.map(deletes),
        [false, false, false, false, false, false, true]
    );
}

#[test]
fn only_an_installation_that_says_so_may_restart_workloads() {
    let rules = |restart_workloads| {
        let installation = Installation {
            restart_workloads,
            ..Installation::default()
        };
        let objects = installation.operator().into_iter();
        let roles = objects.filter_map(|object| match object {
            RbacObject::ClusterRole(role) => role.rules,
            _ => None,
        });
        roles.flatten().collect::<Vec<_>>()
    };
    let writes = |rules: &[PolicyRule]| {
        rules
            .iter()
            .any(|rule| is_about(rule, "statefulsets") && rule.verbs.contains(&"patch".to_owned()))
    };
    let (without, with) = (rules(false), rules(true));
    assert!(!writes(&without) && writes(&with));
    assert_eq!(with[..without.len()], without);
}

#[test]
fn revisions_name_their_config_maps_and_no_revision_is_no_right() {
    let names = |revisions: &[&str]| {
        let installation = Installation {
            revisions: revisions.iter().map(|&revision| revision.to_owned()).collect(),
            ..Installation::default()
        };
        let rules = installation.rules(Scope::Mesh);
        rules
            .into_iter()
            .map(|(_, rule)| rule.resource_names)
            .collect::<Vec<_>>()
    };
    let only = |names: &[&str]| {
        vec![Some(
            names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>(),
        )]
    };
    assert_eq!(names(&["default"]), only(&["istio"]));
    assert_eq!(names(&["default", "1-31"]), only(&["istio", "istio-1-31"]));
    assert_eq!(names(&[]), []);
    let leases: Vec<_> = Installation::default().rules(Scope::OwnNamespace);
    let named_leases = leases
        .iter()
        .filter(|(_, rule)| is_about(rule, "leases"))
        .map(|(_, rule)| &rule.resource_names);
    assert_eq!(
        named_leases.collect::<Vec<_>>(),
        [&Some(vec![lease::LEASE_NAME.to_owned()]), &None]
    );
}

/// Every generated file, by its path from the project's root.
fn generate() -> BTreeMap<String, String> {
    let definition = format!("{FROM_API}{}", yaml(&definition()));
    let installation = Installation::default();
    let mut files = BTreeMap::from([
        (format!("deploy/crds/{DEFINITION}"), definition.clone()),
        (format!("charts/alscope/crds/{DEFINITION}"), definition),
        (
            "deploy/rbac/operator.yaml".to_owned(),
            documents(&installation.operator()),
        ),
        (
            "deploy/rbac/mesh.yaml".to_owned(),
            documents(&installation.mesh()),
        ),
        (
            "deploy/rbac/collector.yaml".to_owned(),
            documents(&installation.collector()),
        ),
    ]);
    for scope in Scope::ALL {
        let mut text = FROM_RIGHTS.to_owned();
        if matches!(scope, Scope::Mesh | Scope::SharedMesh) {
            text.push_str("# The template puts the names of values.yaml in place of these resourceNames.\n");
        }
        for (why, rule) in with_shared("shared-mesh-config").rules(scope) {
            text.extend(["# ", why, "\n", &yaml(&[rule])]);
        }
        files.insert(format!("charts/alscope/files/{}", scope.file()), text);
    }
    files
}

fn with_shared(name: &str) -> Installation {
    Installation {
        shared_config_map: Some(name.to_owned()),
        ..Installation::default()
    }
}

fn documents(objects: &[RbacObject]) -> String {
    let documents: Vec<String> = objects.iter().map(yaml).collect();
    format!("{FROM_RIGHTS}{}", documents.join("---\n"))
}

fn yaml(value: &impl Serialize) -> String {
    serde_saphyr::to_string(value).expect("Kubernetes' objects are YAML")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for directory in DIRECTORIES {
        let Ok(entries) = fs::read_dir(root().join(directory)) else {
            continue;
        };
        for entry in entries {
            let path = entry.expect("the directory is readable").path();
            let name = path
                .file_name()
                .expect("an entry has a name")
                .to_string_lossy()
                .into_owned();
            files.insert(
                format!("{directory}/{name}"),
                fs::read_to_string(path).expect("the file is text"),
            );
        }
    }
    files
}

fn write(files: &BTreeMap<String, String>) {
    for directory in DIRECTORIES.map(|directory| root().join(directory)) {
        if directory.exists() {
            fs::remove_dir_all(&directory).expect("the directory is writable");
        }
        fs::create_dir_all(&directory).expect("the project is writable");
    }
    for (name, text) in files {
        fs::write(root().join(name), text).expect("the file is writable");
    }
}

/// What an object grants, without its labels, by kind, namespace and name.
fn grant(object: &impl Serialize) -> (String, Value) {
    let object = serde_json::to_value(object).expect("an object is JSON");
    let metadata = &object["metadata"];
    let name = format!(
        "{} {}/{}",
        object["kind"], metadata["namespace"], metadata["name"]
    );
    let mut grant = json!({});
    for field in ["rules", "roleRef", "subjects"] {
        grant[field] = object[field].clone();
    }
    (name, grant)
}

fn is_about(rule: &PolicyRule, resource: &str) -> bool {
    rule.resources.iter().flatten().any(|one| one == resource)
}
