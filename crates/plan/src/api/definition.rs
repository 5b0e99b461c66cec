//! The custom resource definition of `MeshObservability`.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, JSON};
use kube::CustomResourceExt as _;
use serde_json::json;

use super::resource::MeshObservability;

/// The definition as it is installed: the derived one, but `spec` is optional and empty by default.
pub fn definition() -> CustomResourceDefinition {
    let mut definition = MeshObservability::crd();
    for version in &mut definition.spec.versions {
        let Some(schema) = version
            .schema
            .as_mut()
            .and_then(|schema| schema.open_api_v3_schema.as_mut())
        else {
            continue;
        };
        if let Some(required) = &mut schema.required {
            required.retain(|field| field != "spec");
        }
        if let Some(spec) = schema
            .properties
            .as_mut()
            .and_then(|properties| properties.get_mut("spec"))
        {
            spec.default = Some(JSON(json!({})));
        }
    }
    definition
}
