//! Every reason against writing: its condition, and a mesh that stays as it is.

use rstest::rstest;
use serde_json::{Value, json};

use crate::cluster::{Cluster, named};
use crate::invariants::assert_nothing_is_left;
use crate::mesh::{self, ADDRESS, CHART, FOREIGN, WIRED};
use crate::steps::names;

const SNIPPET: &str = "{enableEnvoyAccessLogService: true, defaultConfig: {envoyAccessLogService: {address: \
                       \"alscope-collector.alscope-system.svc.cluster.local:11800\"}}}";

/// Nothing of the mesh is written, neither with a collector nor by an uninstall, and the condition says why.
fn assert_refused(mut cluster: Cluster, reason: &str, message: &str) {
    cluster.settle();
    let found = cluster.condition("MeshConfigured");
    assert_eq!(found, ("False".to_owned(), reason.to_owned(), message.to_owned()));
    assert_eq!(cluster.condition("CollectorAvailable").0, "True");
    let (ready, why, _) = cluster.condition("Ready");
    assert_eq!((ready.as_str(), why.as_str()), ("False", reason));
    assert_eq!(cluster.backups(), []);
    let is_of_mesh = |step: &String| {
        step.contains("Mesh") || step.contains("Backup") || step.contains("ReleaseFieldOwnership")
    };
    assert!(!cluster.log.iter().any(is_of_mesh), "{:?}", cluster.log);
    assert_eq!(cluster.plan().steps, []);
    cluster.delete();
    cluster.settle();
    assert!(!cluster.log.iter().any(is_of_mesh), "{:?}", cluster.log);
    assert_eq!(cluster.resources, []);
}

/// A stock mesh with this text.
pub(crate) fn with_text(text: &str, spec: &Value) -> Cluster {
    let mut cluster = Cluster::stock(spec);
    cluster.put(mesh::config_map("istio", Some(text)));
    cluster
}

/// Marks the ConfigMap `istio`.
fn marked(pointer: &str, mark: Value) -> Cluster {
    let mut cluster = Cluster::stock(&json!({}));
    let mut object = mesh::config_map("istio", Some(CHART));
    object["metadata"][pointer] = mark;
    cluster.put(object);
    cluster
}

fn managed_by(manager: &str) -> Value {
    json!([{"manager": manager, "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:mesh": {}}}}])
}

#[test]
fn an_address_of_somebody_elses_is_not_replaced() {
    assert_refused(
        with_text(FOREIGN, &json!({})),
        "ForeignAddress",
        "istio-system/istio already sends access logs to audit.logs:9000; remove defaultConfig.envoyAccessLogService there, \
         or set spec.mesh.conflictPolicy: Overwrite to replace it until this resource is deleted",
    );
}

#[test]
fn an_address_is_replaced_when_that_is_wished_and_comes_back_byte_for_byte() {
    let mut cluster = with_text(FOREIGN, &json!({"mesh": {"conflictPolicy": "Overwrite"}}));
    cluster.settle();
    assert_eq!(
        cluster.text("istio").unwrap(),
        FOREIGN.replace("\"audit.logs:9000\"", ADDRESS)
    );
    assert_eq!(cluster.condition("Ready").0, "True");
    cluster.delete();
    cluster.settle();
    assert_eq!(cluster.text("istio").as_deref(), Some(FOREIGN));
    assert_nothing_is_left(&cluster);
}

#[rstest]
#[case::argo_by_annotation("annotations", json!({"argocd.argoproj.io/tracking-id": "istio:/ConfigMap:istio-system/istio"}), "Argo CD")]
#[case::argo_by_manager("managedFields", managed_by("argocd-controller"), "Argo CD")]
#[case::flux_by_label("labels", json!({"kustomize.toolkit.fluxcd.io/name": "mesh"}), "Flux")]
#[case::flux_by_manager("managedFields", managed_by("kustomize-controller"), "Flux")]
#[case::fleet("annotations", json!({"objectset.rio.cattle.io/id": "default-mesh"}), "Rancher Fleet")]
#[case::config_sync("annotations", json!({"configmanagement.gke.io/managed": "enabled"}), "Config Sync")]
#[case::kapp("labels", json!({"kapp.k14s.io/app": "1"}), "kapp")]
fn a_tracked_config_map_is_for_its_source(#[case] place: &str, #[case] mark: Value, #[case] tool: &str) {
    assert_refused(
        marked(place, mark),
        "ManagedByGitOps",
        &format!(
            "istio-system/istio is managed by {tool}, which would revert a change; commit this to its source: {SNIPPET} \
             (or name a shared mesh config in istiod's SHARED_MESH_CONFIG and in the chart's mesh.sharedConfigMap)"
        ),
    );
}

#[test]
fn a_config_map_of_sail_is_for_its_istio_resource() {
    let owner =
        json!([{"apiVersion": "sailoperator.io/v1", "kind": "IstioRevision", "name": "default", "uid": "1"}]);
    assert_refused(
        marked("ownerReferences", owner),
        "ManagedBySail",
        &format!(
            "istio-system/istio is rendered by the Sail operator, which would revert a change; set this in its Istio \
             resource under spec.values: meshConfig: {SNIPPET}"
        ),
    );
}

/// It sets the text back when it upgrades, as Helm does, so it is wired all the same.
#[test]
fn a_helm_release_of_flux_is_a_warning() {
    let labels =
        json!({"helm.toolkit.fluxcd.io/name": "istiod", "helm.toolkit.fluxcd.io/namespace": "flux-system"});
    let warning = ". the Flux HelmRelease flux-system/istiod renders istio-system/istio: each of its upgrades reverts mesh config, \
                   and it is wired again after 5 s; if its spec.driftDetection is on, it reverts mesh config until the operator gives \
                   up: let it ignore the path /data/mesh";
    let mut cluster = marked("labels", labels);
    cluster.change_spec(&json!({"managementState": "Plan"}));
    cluster.settle();
    let (_, reason, message) = cluster.condition("MeshConfigured");
    assert_eq!(reason, "PlanOnly");
    assert!(message.ends_with(warning), "{message}");
    cluster.change_spec(&json!({}));
    cluster.settle();
    assert_eq!(
        cluster.condition("MeshConfigured"),
        (
            "True".to_owned(),
            "Wired".to_owned(),
            format!("istio-system/istio sends access logs to {ADDRESS}{warning}")
        )
    );
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
}

#[test]
fn what_a_pipeline_has_committed_is_wired_without_a_write() {
    let mut cluster = marked("labels", json!({"kustomize.toolkit.fluxcd.io/name": "mesh"}));
    cluster.reset("kustomize-controller", WIRED);
    // It is the pipeline's address, so no backup of ours belongs to it.
    cluster.judged = crate::cluster::Judged::Never;
    for _ in 0..5 {
        cluster.pass();
        cluster.advance(5);
    }
    assert_eq!(cluster.mesh_configured(), ("True".to_owned(), "Wired".to_owned()));
    assert_eq!(cluster.backups(), []);
    cluster.delete();
    for _ in 0..5 {
        cluster.pass();
        cluster.advance(5);
    }
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED), "it is not ours");
    assert_eq!(cluster.resources, []);
}

#[test]
fn a_telemetry_for_the_whole_mesh_shadows_the_switch() {
    let mut cluster = Cluster::stock(&json!({}));
    let telemetry = json!({"accessLogging": [{"providers": [{"name": "envoy"}]}]});
    cluster
        .telemetries
        .push(mesh::telemetry("istio-system", &telemetry));
    assert_refused(
        cluster,
        "ShadowedByTelemetry",
        "mesh config's access-log switch has no effect: the Telemetry istio-system/logs sets accessLogging for the whole mesh; \
         remove accessLogging from it, or set spec.mesh.wiring: TelemetryProvider and add `- name: alscope` to its providers",
    );
}

#[rstest]
#[case::of_some_workloads("istio-system", json!({"accessLogging": [{}], "selector": {"matchLabels": {"app": "web"}}}))]
#[case::of_another_namespace("shop", json!({"accessLogging": [{}]}))]
#[case::about_metrics("istio-system", json!({"metrics": [{}]}))]
fn a_telemetry_that_is_not_for_the_whole_mesh_shadows_nothing(#[case] namespace: &str, #[case] spec: Value) {
    let mut cluster = Cluster::stock(&json!({}));
    cluster.telemetries.push(mesh::telemetry(namespace, &spec));
    cluster.settle();
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
}

#[test]
fn a_telemetry_that_comes_later_is_told_and_the_mesh_stays_wired() {
    let mut cluster = Cluster::wired(&json!({}));
    let telemetry = json!({"accessLogging": [{"providers": [{"name": "envoy"}], "disabled": true}]});
    cluster
        .telemetries
        .push(mesh::telemetry("istio-system", &telemetry));
    cluster.settle();
    assert_eq!(
        cluster.mesh_configured(),
        ("False".to_owned(), "ShadowedByTelemetry".to_owned())
    );
    assert_eq!(cluster.log, Vec::<String>::new());
    cluster.telemetries.clear();
    cluster.settle();
    assert_eq!(cluster.mesh_configured(), ("True".to_owned(), "Wired".to_owned()));
}

#[test]
fn default_providers_of_access_logs_shadow_the_switch() {
    let text = "defaultProviders:\n  accessLogging:\n  - otel\n  - envoy\n";
    assert_refused(
        with_text(text, &json!({})),
        "ShadowedByTelemetry",
        "mesh config's access-log switch has no effect: defaultProviders.accessLogging in istio-system/istio names \
         envoy; remove it there, or set spec.mesh.wiring: TelemetryProvider, which adds the collector to them",
    );
}

#[test]
fn managed_gateways_are_not_rolled_without_leave() {
    let mut cluster = Cluster::stock(&json!({}));
    cluster.gateways = (1..=7)
        .map(|number| mesh::managed_gateway(&format!("gateway-{number}")))
        .collect();
    assert_refused(
        cluster,
        "WouldRestartGateways",
        "istiod would roll the pods of 7 managed gateways and waypoints (shop/gateway-1, shop/gateway-2, shop/gateway-3, \
         shop/gateway-4, shop/gateway-5 and 2 more); set spec.mesh.allowGatewayRollout: true to allow it, or spec.mesh.wiring: TelemetryProvider, \
         which restarts nothing",
    );
}

#[test]
fn managed_gateways_are_rolled_with_leave() {
    let mut cluster = Cluster::stock(&json!({"mesh": {"allowGatewayRollout": true}}));
    cluster.gateways.push(mesh::managed_gateway("gateway"));
    cluster.settle();
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
}

#[rstest]
#[case::not_yaml("a: [b\nc: d\n", "line 2 of the mesh config is not YAML")]
#[case::not_a_mapping(
    "- a\n- b\n",
    "line 1 of the mesh config holds no keys; write it as `key: value` lines"
)]
#[case::a_key_twice(
    "a: 1\nb: 2\na: 3\n",
    "`a` on line 3 of the mesh config stands there for the second time; keep one of them"
)]
#[case::tabs(
    "defaultConfig:\n\tconcurrency: 2\n",
    "line 2 of the mesh config is indented with a tab; indent it with spaces"
)]
fn a_text_that_can_not_be_edited_is_not_edited(#[case] text: &str, #[case] why: &str) {
    let mut cluster = with_text(text, &json!({}));
    cluster.settle();
    let (status, reason, message) = cluster.condition("MeshConfigured");
    assert_eq!((status.as_str(), reason.as_str()), ("False", "MeshConfigInvalid"));
    let expected = format!("mesh config in istio-system/istio can't be edited: {why}");
    assert!(message.starts_with(&expected), "{message}");
    assert_eq!(cluster.backups(), []);
    assert_eq!(cluster.text("istio").as_deref(), Some(text));
    assert_eq!(names(&cluster.plan().steps), Vec::<String>::new());
}

#[test]
fn a_mesh_without_its_config_map_is_not_given_one() {
    let mut cluster = Cluster::stock(&json!({}));
    cluster.config_maps.remove(&named("istio"));
    cluster.foreign.clear();
    assert_refused(
        cluster,
        "MeshConfigMapNotFound",
        "the ConfigMap istio-system/istio does not exist, so istiod runs on its defaults; create it with Istio's chart \
         (value configMap: true)",
    );
}

#[test]
fn an_istio_whose_proxies_would_refuse_it_is_not_wired() {
    let mut cluster = Cluster::stock(&json!({}));
    cluster.istiods = vec![mesh::istiod("default", "1.12.9", None)];
    assert_refused(
        cluster,
        "IstioTooOld",
        "istiod istio-system/istiod is version 1.12, whose proxies refuse listeners with an unknown access-log cluster; \
         upgrade Istio to 1.13 or newer",
    );
}

#[test]
fn manual_shows_what_to_set() {
    assert_refused(
        Cluster::stock(&json!({"mesh": {"configSource": "Manual"}})),
        "ManualActionRequired",
        &format!("set this in mesh config of istio-system/istio: {SNIPPET}"),
    );
}
