//! The custom resource definition of `MeshObservability`.

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
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
            undescribe_volumes(spec);
        }
    }
    definition
}

/// Removes what Kubernetes says of each field of a volume: it is half of the definition, which would be too large for the annotation of
/// `kubectl apply`. `kubectl explain pod.spec.volumes` says the same.
fn undescribe_volumes(spec: &mut JSONSchemaProps) {
    let path = ["collector", "pods", "volumes"];
    let volumes = path
        .into_iter()
        .try_fold(spec, |schema, name| schema.properties.as_mut()?.get_mut(name));
    if let Some(JSONSchemaPropsOrArray::Schema(item)) = volumes.and_then(|volumes| volumes.items.as_mut()) {
        undescribe(item);
    }
}

fn undescribe(schema: &mut JSONSchemaProps) {
    schema.description = None;
    for field in schema.properties.iter_mut().flat_map(BTreeMap::values_mut) {
        undescribe(field);
    }
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(item)) => undescribe(item),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(undescribe),
        None => {}
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        undescribe(values);
    }
}
