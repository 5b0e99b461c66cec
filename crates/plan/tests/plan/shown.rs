//! What a plan looks like to people.

use alscope_plan::plan::preview::preview;
use alscope_plan::plan::proxies::ListLengths;
use alscope_plan::plan::settings::OperatorSettings;
use alscope_plan::show::show;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::mesh::{self, CHART, FOREIGN, config_map};

impl Cluster {
    /// The plan for the resource `alscope`.
    pub(crate) fn shown(&self) -> String {
        let resource = self.resource();
        let preview = preview(&self.world(), &self.settings, resource, ListLengths::STATUS);
        show(resource, &preview)
    }
}

/// The plan for a resource with this spec in a cluster of these objects: istiods, ConfigMaps and pods.
fn shown(spec: &Value, objects: &[Value], settings: &OperatorSettings) -> String {
    let mut cluster = Cluster {
        settings: settings.clone(),
        ..Cluster::bare()
    };
    for object in objects.iter().cloned() {
        match object["kind"].as_str() {
            Some("ConfigMap") => cluster.put(object),
            Some("Pod") => cluster.pods.push(object),
            _ => cluster.istiods.push(object),
        }
    }
    cluster.add(mesh::resource("alscope", "2027-01-15T08:00:00Z", spec));
    cluster.shown()
}

/// The lines on mesh config.
fn mesh_part(text: &str) -> &str {
    let (_, rest) = text.split_once("\n\n").unwrap();
    rest.split_once("\n\nobjects").unwrap().0
}

#[test]
fn a_wired_mesh_shows_that_nothing_is_left_to_do() {
    let cluster = Cluster::wired(&json!({}));
    let text = cluster.shown();
    insta::assert_snapshot!(text, @r#"
plan for MeshObservability alscope: nothing is written

mesh config (namespace istio-system, address alscope-collector.alscope-system.svc.cluster.local:11800)
  istio-system/istio, revision default: already sends access logs there

objects: nothing to apply

proxies: 1 of 1 start with the address only when their pods restart
 workload               pods  restart it with
 shop/web (Deployment)  1     kubectl -n shop rollout restart deployment/web
"#);
}

#[test]
fn a_provider_shows_as_what_it_adds_and_restarts_nothing() {
    let mut cluster = Cluster::stock(&json!({"mesh": {"wiring": "TelemetryProvider"}}));
    cluster.telemetries.push(mesh::telemetry(
        "shop",
        &json!({"accessLogging": [{"providers": [{"name": "envoy"}]}]}),
    ));
    let resource = cluster.resource();
    let text = show(
        resource,
        &preview(&cluster.world(), &cluster.settings, resource, ListLengths::STATUS),
    );
    assert!(text.contains("\n+  accessLogging:\n+  - alscope\n"), "{text}");
    let (_, proxies) = text.split_once("\nproxies: ").unwrap();
    insta::assert_snapshot!(proxies, @r#"
none of 1 has to restart, because the provider alscope reaches them as they run
silent: 1 (shop/web-5d8f-x): add `- name: alscope` to the providers of accessLogging in shop/logs, which decides about their access logs
"#);
}

#[test]
fn restarts_by_the_operator_are_told() {
    let line = "\nrestart: Rollout: the operator restarts Deployments, StatefulSets and DaemonSets by itself; `alscope-operator restart` lists all\n";
    for (restart, is_told) in [("Rollout", true), ("Report", false)] {
        let cluster = Cluster::wired(&json!({"mesh": {"restart": restart}}));
        let resource = cluster.resource();
        let text = show(
            resource,
            &preview(&cluster.world(), &cluster.settings, resource, ListLengths::STATUS),
        );
        assert_eq!(text.contains(line), is_told, "{text}");
    }
}

#[test]
fn an_address_that_is_replaced_shows_as_a_diff_of_its_line() {
    let text = shown(
        &json!({"mesh": {"conflictPolicy": "Overwrite"}}),
        &[
            mesh::istiod("default", "1.30.3", None),
            config_map("istio", Some(FOREIGN)),
        ],
        &OperatorSettings::default(),
    );
    insta::assert_snapshot!(mesh_part(&text), @r#"
mesh config (namespace istio-system, address alscope-collector.alscope-system.svc.cluster.local:11800)
  istio-system/istio, revision default:
--- istio-system/istio (as it is)
+++ istio-system/istio (as planned)
@@ -1,6 +1,6 @@
 # logs go to the audit team
 enableEnvoyAccessLogService: true
 defaultConfig:
-  envoyAccessLogService: {address: "audit.logs:9000"} # theirs
+  envoyAccessLogService: {address: alscope-collector.alscope-system.svc.cluster.local:11800} # theirs
   discoveryAddress: istiod.istio-system.svc:15012
 trustDomain: cluster.local
"#);
}

#[test]
fn a_refusal_shows_its_reason_and_the_objects_all_the_same() {
    let text = shown(
        &json!({}),
        &[
            mesh::istiod("default", "1.30.3", None),
            config_map("istio", Some(FOREIGN)),
        ],
        &OperatorSettings::default(),
    );
    insta::assert_snapshot!(mesh_part(&text), @r#"
mesh config (namespace istio-system, address alscope-collector.alscope-system.svc.cluster.local:11800)
  refused, ForeignAddress: istio-system/istio already sends access logs to audit.logs:9000; remove defaultConfig.envoyAccessLogService there, or set spec.mesh.conflictPolicy: Overwrite to replace it until this resource is deleted
"#);
    assert!(text.contains("\nobjects to apply\n"), "{text}");
}

#[test]
fn a_mesh_that_is_not_there_shows_where_it_was_looked_for() {
    let text = shown(
        &json!({"mesh": {"namespace": "elsewhere"}}),
        &[mesh::istiod("default", "1.30.3", None)],
        &OperatorSettings::default(),
    );
    insta::assert_snapshot!(mesh_part(&text), @r#"
mesh config (namespace elsewhere, address alscope-collector.alscope-system.svc.cluster.local:11800)
  no istiod is there (a Deployment with the label app: istiod); set spec.mesh.namespace
"#);
}

#[test]
fn unlisted_revisions_show_as_a_refusal() {
    let text = shown(
        &json!({}),
        &[
            mesh::istiod("default", "1.30.3", None),
            mesh::istiod("canary", "1.31.0", None),
            config_map("istio", Some(CHART)),
        ],
        &OperatorSettings::default(),
    );
    insta::assert_snapshot!(mesh_part(&text), @r#"
mesh config (namespace istio-system, address alscope-collector.alscope-system.svc.cluster.local:11800)
  refused, RevisionsNotListed: the mesh has the revisions canary, default, of which spec.mesh.revisions lists none; list each: a proxy of an unlisted revision would send nothing
"#);
}

#[test]
fn a_shared_config_map_that_does_not_exist_shows_as_new() {
    let settings = OperatorSettings {
        shared_config_map: Some("istio-user".to_owned()),
        ..OperatorSettings::default()
    };
    let text = shown(
        &json!({}),
        &[
            mesh::istiod("default", "1.30.3", Some("istio-user")),
            config_map("istio", Some(CHART)),
        ],
        &settings,
    );
    insta::assert_snapshot!(mesh_part(&text), @r#"
mesh config (namespace istio-system, address alscope-collector.alscope-system.svc.cluster.local:11800)
  istio-system/istio-user, revision default:
--- istio-system/istio-user (as it is)
+++ istio-system/istio-user (as planned)
@@ -0,0 +1,4 @@
+defaultConfig:
+  envoyAccessLogService:
+    address: alscope-collector.alscope-system.svc.cluster.local:11800
+enableEnvoyAccessLogService: true
"#);
}

#[test]
fn pods_that_are_left_out_show_with_the_reason() {
    let mut pod = mesh::pod("web", &json!({}));
    pod["metadata"]["annotations"]["proxy.istio.io/config"] =
        json!("{\"envoyAccessLogService\": {\"address\": \"mine:1\"}}");
    let mut other = mesh::pod("db", &json!({}));
    other["metadata"]["annotations"]["istio.io/rev"] = json!("of-another-mesh");
    let text = shown(
        &json!({}),
        &[
            mesh::istiod("default", "1.30.3", None),
            config_map("istio", Some(CHART)),
            pod,
            other,
            mesh::pod("cart", &mesh::knows_the_address()),
        ],
        &OperatorSettings::default(),
    );
    let (_, proxies) = text.split_once("\nproxies: ").unwrap();
    insta::assert_snapshot!(proxies, @r#"
0 of 1 start with the address only when their pods restart
left out: 1 (shop/web-5d8f-x): the pod's annotation proxy.istio.io/config sets envoyAccessLogService itself; remove it there
"#);
}
