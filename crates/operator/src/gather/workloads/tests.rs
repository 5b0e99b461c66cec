//! What the watches keep is what the rules read.

use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::json;

use super::*;

#[test]
fn a_pruned_template_and_metadata_say_what_the_rules_read() {
    let mut template: PodTemplateSpec = serde_json::from_value(json!({
        "metadata": {"labels": {"app": "web"}, "annotations": {"huge": "x"}},
        "spec": {"containers": [{"name": "web", "image": "large:1"}]},
    }))
    .unwrap();
    let kept = serde_json::to_value(with_labels(&mut template)).unwrap();
    assert_eq!(kept, json!({"metadata": {"labels": {"app": "web"}}}));

    let mut metadata: ObjectMeta = serde_json::from_value(json!({
        "namespace": "shop", "name": "web", "uid": "1", "generation": 2, "resourceVersion": "3",
        "labels": {"team": "a"}, "managedFields": [{"manager": "helm"}],
        "annotations": {"huge": "x", RESTARTED_FOR: "c:1 w", RESTARTED_AT: "2027-01-15T08:00:00Z"},
    }))
    .unwrap();
    prune_metadata(&mut metadata);
    assert_eq!(
        serde_json::to_value(metadata).unwrap(),
        json!({
            "namespace": "shop", "name": "web", "generation": 2, "resourceVersion": "3",
            "annotations": {RESTARTED_FOR: "c:1 w", RESTARTED_AT: "2027-01-15T08:00:00Z"},
        })
    );
}
