//! What the server says of what it was asked.

use alscope_test_api_server::{ApiServer, Effect, Fault, Verb};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn a_request_counts_whatever_becomes_of_it() {
    let (server, _deaths) = ApiServer::new();
    server.put(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "default", "name": "one"}, "data": {"a": "b"}}));
    let api: Api<ConfigMap> = Api::default_namespaced(server.client());
    let same = Patch::Merge(json!({"data": {"a": "b"}}));
    api.patch("one", &PatchParams::default(), &same).await.unwrap();
    server.inject(Fault {
        user: "admin".to_owned(),
        verb: Some(Verb::Patch),
        resource: "configmaps".to_owned(),
        skip: 0,
        times: 1,
        effect: Effect::Refuse(500),
    });
    api.patch("one", &PatchParams::default(), &same)
        .await
        .unwrap_err();
    api.patch("two", &PatchParams::default(), &same)
        .await
        .unwrap_err();
    api.get("one").await.unwrap();

    let asked = server.requests().into_iter().map(|(asked, count)| {
        assert_eq!(
            (asked.user.as_str(), asked.resource.as_str()),
            ("admin", "configmaps")
        );
        (asked.verb, count)
    });
    assert_eq!(asked.collect::<Vec<_>>(), [(Verb::Get, 1), (Verb::Patch, 3)]);
    assert_eq!(server.writes().len(), 0);
}
