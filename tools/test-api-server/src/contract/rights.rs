//! Rights: what a user may not do is refused in Kubernetes' own words.

use anyhow::ensure;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::bench::{Refused, TestBench, ensure_eq, refused, until};
use super::{Case, listed};

pub(super) const CASES: [Case; 10] = listed![
    nobody_may_get_by_default,
    nobody_may_list_everywhere_by_default,
    a_role_is_for_its_namespace,
    a_role_is_for_its_verbs,
    a_right_to_a_name_is_for_that_object,
    a_right_to_a_name_lists_by_that_name,
    a_status_is_a_right_of_its_own,
    a_cluster_role_can_be_bound_in_a_namespace,
    an_apply_that_creates_needs_both_rights,
    groups_and_service_accounts_have_rights,
];

/// Whoever the request is made for.
#[derive(Clone, Copy)]
struct As<'a>(&'a str);

impl As<'_> {
    async fn request(
        self,
        bench: &TestBench,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Result<Value, kube::Error> {
        let content_type = if method == "PATCH" {
            "application/apply-patch+yaml"
        } else {
            "application/json"
        };
        let body = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        let mut request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", content_type)
            .header("impersonate-user", self.0);
        if self.0 == "grouped" {
            request = request.header("impersonate-group", "contract-group");
        }
        let request = request.body(body).map_err(kube::Error::HttpError)?;
        bench.client.request(request).await
    }

    async fn get(self, bench: &TestBench, path: &str) -> Result<Value, kube::Error> {
        self.request(bench, "GET", path, &Value::Null).await
    }
}

/// Gives a user the right in the namespace of the case, and waits until a request of `who` to `path` is allowed.
async fn allow(
    bench: &TestBench,
    subject: &Value,
    rule: &Value,
    who: As<'_>,
    path: &str,
) -> anyhow::Result<()> {
    grant(bench, subject, rule).await?;
    until("the right is in force", async || {
        let answer = who.get(bench, path).await;
        Ok(!matches!(answer, Err(kube::Error::Api(status)) if status.code == 403))
    })
    .await
}

async fn grant(bench: &TestBench, subject: &Value, rule: &Value) -> anyhow::Result<DynamicObject> {
    bench.create("Role", "right", &json!({"rules": [rule]})).await?;
    bind(bench, "Role", "right", subject).await
}

async fn bind(bench: &TestBench, kind: &str, role: &str, subject: &Value) -> anyhow::Result<DynamicObject> {
    let rest = json!({
        "subjects": [subject],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
    });
    bench.create("RoleBinding", "right", &rest).await
}

fn user(name: &str) -> Value {
    json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name})
}

fn rule(group: &str, resource: &str, verbs: &[&str]) -> Value {
    json!({"apiGroups": [group], "resources": [resource], "verbs": verbs})
}

fn ensure_forbidden(result: Result<Value, kube::Error>, message: &str) -> anyhow::Result<()> {
    let Refused {
        code,
        reason,
        message: found,
    } = refused(result)?;
    ensure_eq((code, reason.as_str()), (403, "Forbidden"), "the answer")?;
    ensure_eq(found.as_str(), message, "the message")
}

async fn nobody_may_get_by_default(bench: TestBench) -> anyhow::Result<()> {
    let path = format!("{}/a", bench.path("ConfigMap"));
    ensure_forbidden(
        As("nobody").get(&bench, &path).await,
        &format!(
            "configmaps \"a\" is forbidden: User \"nobody\" cannot get resource \"configmaps\" in API group \"\" in the namespace \"{}\"",
            bench.namespace
        ),
    )
}

async fn nobody_may_list_everywhere_by_default(bench: TestBench) -> anyhow::Result<()> {
    ensure_forbidden(
        As("nobody").get(&bench, &bench.path("Gadget")).await,
        "gadgets.contract.alscope.dev is forbidden: User \"nobody\" cannot list resource \"gadgets\" in API group \"contract.alscope.dev\" at the cluster scope",
    )?;
    let watch = format!("{}?watch=true", bench.path("Gadget"));
    ensure_forbidden(
        As("nobody").get(&bench, &watch).await,
        "gadgets.contract.alscope.dev is forbidden: User \"nobody\" cannot watch resource \"gadgets\" in API group \"contract.alscope.dev\" at the cluster scope",
    )
}

/// Somebody who may get and list the ConfigMaps of the namespace, and their path.
async fn reader(bench: &TestBench) -> anyhow::Result<(As<'static>, String)> {
    let (who, path) = (As("reader"), bench.path("ConfigMap"));
    let right = rule("", "configmaps", &["get", "list"]);
    allow(bench, &user("reader"), &right, who, &path).await?;
    Ok((who, path))
}

async fn a_role_is_for_its_namespace(bench: TestBench) -> anyhow::Result<()> {
    let (who, path) = reader(&bench).await?;
    who.get(&bench, &path).await?;
    let elsewhere = who.get(&bench, "/api/v1/namespaces/default/configmaps").await;
    ensure_eq(refused(elsewhere)?.code, 403, "the code elsewhere")?;
    let everywhere = who.get(&bench, "/api/v1/configmaps").await;
    ensure_eq(refused(everywhere)?.code, 403, "the code everywhere")
}

async fn a_role_is_for_its_verbs(bench: TestBench) -> anyhow::Result<()> {
    let (who, path) = reader(&bench).await?;
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
    ensure_forbidden(
        who.request(&bench, "POST", &path, &object).await,
        &format!(
            "configmaps is forbidden: User \"reader\" cannot create resource \"configmaps\" in API group \"\" in the namespace \"{}\"",
            bench.namespace
        ),
    )
}

async fn a_right_to_a_name_is_for_that_object(bench: TestBench) -> anyhow::Result<()> {
    bench.config_map("mine").await?;
    bench.config_map("other").await?;
    let path = bench.path("ConfigMap");
    let mut right = rule("", "configmaps", &["get"]);
    right["resourceNames"] = json!(["mine"]);
    let (who, mine) = (As("named"), format!("{path}/mine"));
    allow(&bench, &user("named"), &right, who, &mine).await?;
    who.get(&bench, &mine).await?;
    ensure_eq(
        refused(who.get(&bench, &format!("{path}/other")).await)?.code,
        403,
        "the code of another",
    )
}

async fn a_right_to_a_name_lists_by_that_name(bench: TestBench) -> anyhow::Result<()> {
    bench.config_map("mine").await?;
    bench.config_map("other").await?;
    let path = bench.path("ConfigMap");
    let mut right = rule("", "configmaps", &["list"]);
    right["resourceNames"] = json!(["mine"]);
    let (who, mine) = (As("named"), format!("{path}?fieldSelector=metadata.name%3Dmine"));
    allow(&bench, &user("named"), &right, who, &mine).await?;
    let list = who.get(&bench, &mine).await?;
    ensure_eq(
        list["items"].as_array().map(Vec::len),
        Some(1),
        "the objects listed",
    )?;
    ensure_eq(
        refused(who.get(&bench, &path).await)?.code,
        403,
        "the code of a list of all",
    )
}

async fn a_status_is_a_right_of_its_own(bench: TestBench) -> anyhow::Result<()> {
    let widget = bench.create("Widget", "a", &json!({})).await?;
    let path = format!("{}/a", bench.path("Widget"));
    let who = As("reporter");
    let right = rule(super::GROUP, "widgets/status", &["get", "update"]);
    let status = format!("{path}/status");
    allow(&bench, &user("reporter"), &right, who, &status).await?;
    let mut object = serde_json::to_value(&widget)?;
    object["status"] = json!({"state": "Ready"});
    who.request(&bench, "PUT", &status, &object).await?;
    ensure_eq(
        refused(who.request(&bench, "PUT", &path, &object).await)?.code,
        403,
        "the code of the object",
    )
}

async fn a_cluster_role_can_be_bound_in_a_namespace(bench: TestBench) -> anyhow::Result<()> {
    let name = bench.namespace.clone();
    let rules = json!({"rules": [rule("", "configmaps", &["list"])]});
    bench.create("ClusterRole", &name, &rules).await?;
    bind(&bench, "ClusterRole", &name, &user("bound")).await?;
    let path = bench.path("ConfigMap");
    until("the right is in force", async || {
        Ok(As("bound").get(&bench, &path).await.is_ok())
    })
    .await?;
    ensure_eq(
        refused(As("bound").get(&bench, "/api/v1/configmaps").await)?.code,
        403,
        "the code everywhere",
    )?;
    super::bench::remove(&bench.api("ClusterRole"), &name).await
}

async fn an_apply_that_creates_needs_both_rights(bench: TestBench) -> anyhow::Result<()> {
    let who = As("applier");
    let path = format!("{}/a", bench.path("ConfigMap"));
    let right = rule("", "configmaps", &["get", "patch"]);
    allow(&bench, &user("applier"), &right, who, &path).await?;
    let object =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": "1"}});
    let apply = format!("{path}?fieldManager=applier&force=true");
    let made = refused(who.request(&bench, "PATCH", &apply, &object).await)?;
    ensure_eq(made.code, 403, "the code")?;
    ensure!(
        made.message.contains("cannot create resource \"configmaps\""),
        "{}",
        made.message
    );
    bench.config_map("a").await?;
    who.request(&bench, "PATCH", &apply, &object).await?;
    Ok(())
}

async fn groups_and_service_accounts_have_rights(bench: TestBench) -> anyhow::Result<()> {
    let path = bench.path("ConfigMap");
    bench
        .create(
            "Role",
            "right",
            &json!({"rules": [rule("", "configmaps", &["list"])]}),
        )
        .await?;
    let group = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "contract-group"});
    let account = json!({"kind": "ServiceAccount", "name": "robot", "namespace": bench.namespace});
    let rest = json!({
        "subjects": [group, account],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "right"},
    });
    bench.create("RoleBinding", "right", &rest).await?;
    let robot = format!("system:serviceaccount:{}:robot", bench.namespace);
    for who in [As("grouped"), As(&robot)] {
        until("the right is in force", async || {
            Ok(who.get(&bench, &path).await.is_ok())
        })
        .await?;
    }
    ensure_eq(
        refused(As("ungrouped").get(&bench, &path).await)?.code,
        403,
        "the code of others",
    )
}
