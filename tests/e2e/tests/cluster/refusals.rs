//! Where the operator can't be sure, it writes nothing and says why: each refusal on the real API server, in a mesh of its own
//! whose istiod is scaled to 0. By the API server's own record, not one byte of any of these meshes is written.

use std::time::Duration;

use alscope_e2e::cluster::until;
use alscope_e2e::meshes::{self, STOCK, istiod, rights, waypoint};
use alscope_e2e::operator::{self, apply, apply_object, condition, resource, writes_since};
use anyhow::ensure;
use serde_json::{Value, json};

/// A mesh that the operator refuses to write, and how it says so.
#[derive(Clone)]
struct Refused {
    name: &'static str,
    /// The text of the ConfigMap `istio`; `None` for no ConfigMap.
    mesh: Option<&'static str>,
    /// More of the ConfigMap's metadata.
    metadata: Value,
    /// More of the resource's `spec.mesh`.
    spec: Value,
    /// Other objects of the namespace.
    objects: Vec<Value>,
    /// Whether the operator has its rights there.
    has_rights: bool,
    reason: &'static str,
    /// What the message must name.
    says: &'static str,
}

impl Refused {
    fn new(name: &'static str, mesh: &'static str, reason: &'static str, says: &'static str) -> Self {
        Self {
            name,
            mesh: Some(mesh),
            metadata: json!({}),
            spec: json!({}),
            objects: Vec::new(),
            has_rights: true,
            reason,
            says,
        }
    }
}

fn all() -> Vec<Refused> {
    [whom_it_would_cross(), what_it_can_not_edit()].concat()
}

/// Meshes that somebody else decides about.
fn whom_it_would_cross() -> Vec<Refused> {
    let telemetry = json!({
        "apiVersion": "telemetry.istio.io/v1", "kind": "Telemetry",
        "metadata": {"name": "mesh-default"},
        "spec": {"accessLogging": [{"providers": [{"name": "envoy"}]}]},
    });
    vec![
        Refused::new(
            "foreign",
            "defaultConfig:\n  envoyAccessLogService: {address: \"oap.skywalking:11800\"}\n",
            "ForeignAddress",
            "oap.skywalking:11800",
        ),
        Refused {
            metadata: json!({"annotations": {"argocd.argoproj.io/tracking-id": "istio:/ConfigMap:istio-system/istio"}}),
            ..Refused::new("argo", STOCK, "ManagedByGitOps", "Argo CD")
        },
        Refused {
            metadata: json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "mesh"}}),
            ..Refused::new("flux", STOCK, "ManagedByGitOps", "Flux")
        },
        Refused {
            metadata: json!({"labels": {"managed-by": "sail-operator"}}),
            ..Refused::new("sail", STOCK, "ManagedBySail", "spec.values")
        },
        Refused {
            objects: vec![telemetry],
            ..Refused::new(
                "telemetry",
                "rootNamespace: refused-telemetry\ntrustDomain: cluster.local\n",
                "ShadowedByTelemetry",
                "refused-telemetry/mesh-default",
            )
        },
        Refused::new(
            "providers",
            "defaultProviders:\n  accessLogging: [envoy]\n",
            "ShadowedByTelemetry",
            "defaultProviders.accessLogging",
        ),
        Refused {
            objects: vec![istiod("istiod-canary", "canary")],
            ..Refused::new("revisions", STOCK, "RevisionsNotListed", "canary, default")
        },
    ]
}

/// Meshes that can't be written. The gateway of the last one is in the way of every mesh, but is asked for last.
fn what_it_can_not_edit() -> Vec<Refused> {
    vec![
        Refused::new("no-yaml", "a: [b\n", "MeshConfigInvalid", "refused-no-yaml/istio"),
        Refused::new(
            "no-mapping",
            "- a\n- b\n",
            "MeshConfigInvalid",
            "refused-no-mapping/istio",
        ),
        Refused::new(
            "twice",
            "trustDomain: a\ntrustDomain: b\n",
            "MeshConfigInvalid",
            "trustDomain",
        ),
        Refused {
            mesh: None,
            ..Refused::new("missing", "", "MeshConfigMapNotFound", "refused-missing/istio")
        },
        Refused {
            has_rights: false,
            ..Refused::new("no-right", STOCK, "Forbidden", "list configmaps")
        },
        Refused {
            spec: json!({"configSource": "Manual"}),
            ..Refused::new(
                "manual",
                STOCK,
                "ManualActionRequired",
                "refused-manual-collector.alscope-system",
            )
        },
        Refused {
            objects: vec![waypoint()],
            ..Refused::new(
                "gateways",
                STOCK,
                "WouldRestartGateways",
                "refused-gateways/waypoint",
            )
        },
    ]
}

impl Refused {
    fn namespace(&self) -> String {
        format!("refused-{}", self.name)
    }

    fn objects(&self) -> Vec<Value> {
        let mut objects = vec![istiod("istiod", "default")];
        if let Some(text) = self.mesh {
            let mut config_map = meshes::config_map("istio", text);
            for key in ["annotations", "labels"] {
                config_map["metadata"][key] = self.metadata[key].clone();
            }
            objects.push(config_map);
        }
        objects.extend(self.objects.clone());
        if self.has_rights {
            objects.extend(rights());
        }
        objects
    }

    fn resource(&self) -> Value {
        let mut mesh = self.spec.clone();
        mesh["namespace"] = json!(self.namespace());
        // Without a replica, nothing but the refusal decides.
        json!({"mesh": mesh, "collector": {"replicas": 0}})
    }

    fn check(&self) -> anyhow::Result<()> {
        let name = self.namespace();
        until(
            &format!("{name} to be {}", self.reason),
            Duration::from_secs(30),
            || {
                let found = condition(&resource(&name)?, "MeshConfigured");
                ensure!(
                    found.status == "False" && found.reason == self.reason,
                    "it is {found:?}"
                );
                ensure!(
                    found.message.contains(self.says),
                    "{} is not in {found:?}",
                    self.says
                );
                Ok(Some(()))
            },
        )?;
        let text = self.mesh.map(str::to_owned);
        ensure!(
            text.is_none() || operator::mesh(&name).ok() == text,
            "{name}: mesh config was written"
        );
        Ok(())
    }
}

#[test]
fn where_it_can_not_be_sure_it_writes_nothing_and_says_why() -> anyhow::Result<()> {
    operator::installed()?;
    let all = all();
    let namespaces: Vec<(String, Vec<Value>)> =
        all.iter().map(|one| (one.namespace(), one.objects())).collect();
    meshes::make(&namespaces)?;
    let place = operator::place()?;
    for refused in &all {
        apply(&refused.namespace(), &refused.resource())?;
    }
    for refused in &all {
        refused.check()?;
    }
    operator::delete_all()?;
    let written: Vec<_> = writes_since(place)?
        .into_iter()
        .filter(|write| write.namespace.starts_with("refused-"))
        .collect();
    ensure!(written.is_empty(), "the operator wrote {written:?}");
    let namespaces: Vec<&str> = namespaces.iter().map(|(name, _)| name.as_str()).collect();
    meshes::delete(&namespaces)
}

#[test]
fn bad_resources_are_refused_with_what_to_write_instead() -> anyhow::Result<()> {
    operator::installed()?;
    for (name, spec, says) in bad_resources() {
        check_refused(name, &spec, says)?;
    }
    apply(
        "immutable",
        &json!({"managementState": "Plan", "mesh": {"namespace": "nowhere"}}),
    )?;
    check_refused(
        "immutable",
        &json!({"managementState": "Plan", "mesh": {"namespace": "elsewhere"}}),
        "apply a new one",
    )?;
    operator::delete_all()
}

/// Names and specs that are wrong, with what the refusal says.
fn bad_resources() -> [(&'static str, Value, &'static str); 7] {
    [
        ("Alscope", json!({}), "a lowercase RFC 1123 subdomain"),
        ("1st", json!({}), "the first a letter"),
        (
            "alscope",
            json!({"analysis": {"http": ["persistence"]}}),
            "list it after k8s-mesh or mx-mesh",
        ),
        (
            "alscope",
            json!({"mesh": {"revisions": ["a", "a"]}}),
            "list each once",
        ),
        (
            "alscope",
            json!({"collector": {"replicas": -1}}),
            "greater than or equal to 0",
        ),
        (
            "alscope",
            json!({"mesh": {"wiring": "EnvoyFilter"}}),
            "supported values: \"MeshConfig\", \"TelemetryProvider\"",
        ),
        (
            "alscope",
            json!({"analysys": {}}),
            "unknown field \"spec.analysys\"",
        ),
    ]
}

#[test]
fn bad_settings_of_the_collector_are_refused_with_what_to_write_instead() -> anyhow::Result<()> {
    operator::installed()?;
    for (spec, says) in [
        (
            json!({"analysis": {"tcp": ["k8s"]}}),
            "supported values: \"k8s-mesh\", \"mx-mesh\", \"persistence\"",
        ),
        (
            json!({"collector": {"limits": {"idleSeries": "1s"}}}),
            "write a time from 10s to 8760h",
        ),
        (
            json!({"collector": {"pods": {"env": [{"name": "SW_ALS_GRPC_PORT", "value": "1"}]}}}),
            "would change a setting of the collector",
        ),
        (
            json!({"collector": {"autoscaling": {"minReplicas": 3, "maxReplicas": 2}}}),
            "raise maxReplicas",
        ),
        (
            json!({"collector": {"web": {"expose": true}}}),
            "list in networkPolicy.page who may open it",
        ),
    ] {
        check_refused("alscope", &spec, says)?;
    }
    Ok(())
}

/// Fails unless the API server refuses a resource of this spec, and says so.
fn check_refused(name: &str, spec: &Value, says: &str) -> anyhow::Result<()> {
    let refused = apply(name, spec);
    let message = refused.err().map(|error| error.to_string()).unwrap_or_default();
    ensure!(
        message.contains(says),
        "{name} {spec}: {message:?} does not say {says:?}"
    );
    Ok(())
}

#[test]
fn a_bad_network_policy_is_refused_when_the_resource_is_applied() -> anyhow::Result<()> {
    operator::installed()?;
    let block = json!({"ipBlock": {"cidr": "10.0.0.0/8"}});
    let both = json!({"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}});
    let selector = json!({"namespaceSelector": {}, "podSelector": {}});
    let sources =
        "each source has either an ipBlock or selectors; write namespaceSelector: {} for every namespace";
    for (policy, says) in [
        (json!({"enabled": "yes"}), "must be of type boolean"),
        (json!({"proxies": [block, {}]}), sources),
        (json!({"prometheus": [both]}), sources),
        (
            json!({"prometeus": []}),
            "unknown field \"spec.collector.networkPolicy.prometeus\"",
        ),
    ] {
        check_refused("policy", &json!({"collector": {"networkPolicy": policy}}), says)?;
    }
    let good = json!({"proxies": [block, selector], "prometheus": [selector]});
    apply(
        "policy",
        &json!({
            "managementState": "Plan", "mesh": {"namespace": "nowhere"},
            "collector": {"networkPolicy": good},
        }),
    )?;
    operator::delete_all()
}

/// Of these tests' namespace, whose label is the chart's own. Operator and collectors run in it.
#[test]
fn a_pod_that_could_do_something_to_its_node_is_not_let_in() -> anyhow::Result<()> {
    operator::installed()?;
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "intruder", "namespace": operator::NAMESPACE},
        "spec": {"containers": [{
            "name": "intruder", "image": "docker.io/alscope/collector:e2e", "securityContext": {"privileged": true},
        }]},
    });
    let refused = apply_object(&pod);
    let message = refused.err().map(|error| error.to_string()).unwrap_or_default();
    ensure!(
        message.contains("violates PodSecurity \"restricted:latest\": privileged"),
        "the API server says {message:?}"
    );
    Ok(())
}
