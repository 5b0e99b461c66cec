//! Single steps on an API server in this process.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use alscope_operator::apply::{StepError, StepWriter};
use alscope_plan::api::{MeshObservability, MeshObservabilitySpec};
use alscope_plan::plan::step::{DesiredObject, Step};
use alscope_plan::world::{ObjectName, OwnedKind};
use alscope_test_api_server::ApiServer;
use serde_json::{Value, json};

/// Mesh config whose only entry of `managedFields` is the operator's.
fn mesh_config(server: &ApiServer) -> String {
    server.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "istio-system"}}));
    server.put(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"namespace": "istio-system", "name": "istio", "managedFields": [
            {"manager": "alscope-operator", "operation": "Update", "apiVersion": "v1", "time": "2027-01-01T00:00:00Z",
             "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:mesh": {}}}},
            {"manager": "helm", "operation": "Apply", "apiVersion": "v1", "time": "2027-01-01T00:00:00Z",
             "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:meshNetworks": {}}}},
        ]},
        "data": {"mesh": "a: 1\n", "meshNetworks": ""},
    }));
    let stored = server.get("configmaps", "istio-system", "istio").unwrap();
    stored["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
}

async fn release_field_ownership(
    server: &ApiServer,
    index: usize,
    resource_version: &str,
) -> Result<(), StepError> {
    let step = Step::ReleaseFieldOwnership {
        config_map: ObjectName::new("istio-system", "istio"),
        index,
        manager: "alscope-operator".to_owned(),
        resource_version: resource_version.to_owned(),
    };
    let nobody = MeshObservability::new("alscope", MeshObservabilitySpec::default());
    StepWriter::new(server.client(), "alscope-system")
        .step(&step, nobody)
        .await
        .map(drop)
}

#[tokio::test(start_paused = true)]
async fn the_operators_entry_is_taken_out_alone() {
    let (server, _deaths) = ApiServer::new();
    let version = mesh_config(&server);
    release_field_ownership(&server, 0, &version).await.unwrap();
    let stored = server.get("configmaps", "istio-system", "istio").unwrap();
    let managers: Vec<&str> = stored["metadata"]["managedFields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["manager"].as_str().unwrap())
        .collect();
    assert_eq!(managers, ["helm"]);
    assert_eq!(stored["data"]["mesh"], "a: 1\n");
}

/// The API server answers with 422 and does not say that a test failed.
#[tokio::test(start_paused = true)]
async fn an_entry_that_was_overtaken_is_planned_anew() {
    let (server, _deaths) = ApiServer::new();
    let version = mesh_config(&server);
    for (index, version) in [(0, "1"), (1, version.as_str()), (7, version.as_str())] {
        let result = release_field_ownership(&server, index, version).await;
        assert!(
            matches!(result, Err(StepError::Conflict)),
            "{index} {version}: {result:?}"
        );
    }
}

/// Without the step before it, the apply gives the number up, and it is the API server's default again.
#[tokio::test(start_paused = true)]
async fn the_number_of_replicas_outlives_an_apply_without_it() {
    let (server, _deaths) = ApiServer::new();
    server.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "alscope-system"}}));
    let writer = StepWriter::new(server.client(), "alscope-system");
    let apply = |spec: Value| {
        Step::Apply(DesiredObject {
            kind: OwnedKind::Deployment,
            name: "collector".to_owned(),
            object: json!({
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"namespace": "alscope-system", "name": "collector"}, "spec": spec,
            }),
        })
    };
    let stored = || {
        server
            .get("deployments.apps", "alscope-system", "collector")
            .unwrap()
    };
    let nobody = || MeshObservability::new("alscope", MeshObservabilitySpec::default());
    writer
        .step(&apply(json!({"replicas": 4, "paused": true})), nobody())
        .await
        .unwrap();
    let keep = Step::KeepReplicas {
        deployment: "collector".to_owned(),
        uid: stored()["metadata"]["uid"].as_str().unwrap().to_owned(),
        replicas: 4,
    };
    writer.step(&keep, nobody()).await.unwrap();
    writer
        .step(&apply(json!({"paused": true})), nobody())
        .await
        .unwrap();
    assert_eq!(stored()["spec"]["replicas"], 4);
    writer
        .step(&apply(json!({"replicas": 2, "paused": true})), nobody())
        .await
        .unwrap();
    writer
        .step(&apply(json!({"paused": true})), nobody())
        .await
        .unwrap();
    assert_eq!(stored()["spec"].get("replicas"), None, "nobody owns it any more");
}
