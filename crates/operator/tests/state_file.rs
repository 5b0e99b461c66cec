//! Files with a resource and with a world: what is wrong with one is said in a sentence.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking; what is built here has the fields that are read"
)]

use std::path::{Path, PathBuf};

use alscope_operator::state_file::{resource, world};
use alscope_plan::plan::preview::preview;
use alscope_plan::plan::proxies::ListLengths;
use alscope_plan::plan::settings::OperatorSettings;
use alscope_plan::show::show;
use rstest::rstest;
use tempfile::TempDir;

/// A directory of this repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// A file with this text. It is gone with its directory.
fn file(text: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file.yaml");
    std::fs::write(&file, text).unwrap();
    (directory, file)
}

#[rstest]
#[case::one_object("kind: ConfigMap\nmetadata: {name: istio}\n")]
#[case::one_list_and_one_object("kind: List\nitems: []\n---\nkind: ConfigMap\n")]
#[case::items_that_are_no_list("kind: List\nitems: {}\n")]
#[case::nothing("")]
#[case::a_comment("# nothing\n")]
fn a_file_that_is_no_list_is_refused(#[case] text: &str) {
    let (_directory, file) = file(text);
    assert_eq!(
        world(&file).unwrap_err().to_string(),
        format!(
            "{} is no List; make it with `kubectl get deployments,configmaps,pods -A -o yaml`",
            file.display()
        )
    );
}

#[test]
fn a_file_that_is_missing_is_named() {
    let missing = Path::new("/nowhere/state.yaml");
    let expected = "/nowhere/state.yaml can't be read: No such file or directory (os error 2); check its path and its permissions";
    assert_eq!(world(missing).unwrap_err().to_string(), expected);
    assert_eq!(resource(missing).unwrap_err().to_string(), expected);
}

#[test]
fn a_file_without_a_resource_is_told_what_one_is() {
    let (_directory, file) = file("kind: ConfigMap\n---\nkind: Secret\n");
    assert_eq!(
        resource(&file).unwrap_err().to_string(),
        format!(
            "{} has no MeshObservability; write one, `apiVersion: alscope.dev/v1alpha1`, `kind: MeshObservability`",
            file.display()
        )
    );
}

#[test]
fn a_file_that_is_no_yaml_is_named() {
    let (_directory, file) = file("a: [\n");
    let message = resource(&file).unwrap_err().to_string();
    assert!(
        message.starts_with(&format!("{} is not YAML: ", file.display())),
        "{message}"
    );
}

#[test]
fn a_field_of_another_type_is_named_with_its_object() {
    let (_directory, file) =
        file("kind: MeshObservability\nmetadata: {name: mine}\nspec: {collector: {replicas: many}}\n");
    let message = resource(&file).unwrap_err().to_string();
    let expected = format!("{}: MeshObservability mine can't be read: ", file.display());
    assert!(
        message.starts_with(&expected) && message.contains("many"),
        "{message}"
    );
}

#[rstest]
#[case::without_a_spec("apiVersion: alscope.dev/v1alpha1\nkind: MeshObservability\nmetadata: {name: mine}\n")]
#[case::with_null(
    "apiVersion: alscope.dev/v1alpha1\nkind: MeshObservability\nmetadata: {name: mine}\nspec:\n"
)]
#[case::behind_another(
    "kind: Namespace\n---\napiVersion: alscope.dev/v1alpha1\nkind: MeshObservability\nmetadata: {name: mine}\nspec: {}\n"
)]
fn a_resource_has_the_api_servers_defaults(#[case] text: &str) {
    let (_directory, file) = file(text);
    let resource = resource(&file).unwrap();
    assert_eq!(resource.metadata.name.as_deref(), Some("mine"));
    assert_eq!(resource.spec, alscope_plan::api::MeshObservabilitySpec::default());
    assert_eq!(resource.spec.mesh.namespace, "istio-system");
    assert_eq!(resource.spec.collector.replicas, 1);
}

#[test]
fn the_world_of_several_lists_has_everything_that_a_plan_reads() {
    let (_directory, file) = file(
        "\
kind: List
items:
- {apiVersion: apps/v1, kind: Deployment, metadata: {namespace: istio-system, name: istiod, labels: {app: istiod}},
   spec: {selector: {}, template: {spec: {containers: [{name: discovery, image: 'pilot:1.30',
     env: [{name: SHARED_MESH_CONFIG, value: istio-user}]}]}}}}
- {apiVersion: apps/v1, kind: Deployment, metadata: {namespace: shop, name: gateway, labels: {gateway.istio.io/managed: x}},
   spec: {selector: {}, template: {}}}
- {apiVersion: v1, kind: Secret, metadata: {name: other}}
---
kind: TelemetryList
items:
- {apiVersion: telemetry.istio.io/v1, kind: Telemetry, metadata: {namespace: istio-system, name: logs},
   spec: {accessLogging: [{}]}}
- {apiVersion: v1, kind: ConfigMap, metadata: {namespace: istio-system, name: istio}, data: {mesh: 'trustDomain: x'}}
- {apiVersion: v1, kind: Pod, metadata: {namespace: shop, name: web}, spec: {containers: [{name: istio-proxy}]}}
",
    );
    let world = world(&file).unwrap();
    let control_planes = world.control_planes.unwrap();
    assert_eq!(control_planes.len(), 1);
    assert_eq!(control_planes[0].shared_config_map.as_deref(), Some("istio-user"));
    assert_eq!(world.managed_gateways.unwrap()[0].to_string(), "shop/gateway");
    assert_eq!(
        world.telemetries.unwrap()[0].name.to_string(),
        "istio-system/logs"
    );
    assert_eq!(world.proxies.unwrap()[0].pod.to_string(), "shop/web");
    let texts: Vec<(String, Option<String>)> = world
        .config_maps
        .into_iter()
        .map(|(name, read)| (name.to_string(), read.unwrap().and_then(|one| one.text)))
        .collect();
    assert_eq!(
        texts,
        [
            ("istio-system/istio".to_owned(), Some("trustDomain: x".to_owned())),
            ("istio-system/istio-user".to_owned(), None)
        ],
        "what istiod names and the lists do not have does not exist"
    );
}

#[test]
fn the_plan_for_a_stock_istio_is_what_the_example_shows() {
    let resource = resource(&repository("docs/examples/minimal.yaml")).unwrap();
    let world = world(&repository("docs/examples/stock-istio.yaml")).unwrap();
    let text = show(
        &resource,
        &preview(
            &world,
            &OperatorSettings::default(),
            &resource,
            ListLengths::STATUS,
        ),
    );
    insta::assert_snapshot!(text, @r#"
plan for MeshObservability alscope: nothing is written

mesh config (namespace istio-system, address alscope-collector.alscope-system.svc.cluster.local:11800)
  istio-system/istio, revision default:
--- istio-system/istio (as it is)
+++ istio-system/istio (as planned)
@@ -1,8 +1,11 @@
 defaultConfig:
   discoveryAddress: istiod.istio-system.svc:15012
+  envoyAccessLogService:
+    address: alscope-collector.alscope-system.svc.cluster.local:11800
 defaultProviders:
   metrics:
   - prometheus
 enablePrometheusMerge: true
 rootNamespace: istio-system
 trustDomain: cluster.local
+enableEnvoyAccessLogService: true

objects to apply
 ConfigMap            alscope-system  alscope-collector-d52ce6ea90
 Service              alscope-system  alscope-collector
 Deployment           alscope-system  alscope-collector
 PodDisruptionBudget  alscope-system  alscope-collector
 NetworkPolicy        alscope-system  alscope-collector

proxies: 2 of 2 start with the address only when their pods restart
 workload                 pods  restart it with
 shop/web (Deployment)    1     kubectl -n shop rollout restart deployment/web
 shop/cart (StatefulSet)  1     kubectl -n shop rollout restart statefulset/cart
"#);
}
