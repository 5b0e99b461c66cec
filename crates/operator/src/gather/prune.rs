//! Removes what the plan does not read of a pod. With ten thousand pods, that would be most of the operator's memory.

use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, PodStatus};

/// Removes what no rule reads of a pod.
pub fn prune(pod: &mut Pod) {
    pod.metadata.managed_fields = None;
    if let Some(annotations) = &mut pod.metadata.annotations {
        annotations.retain(|name, _| {
            matches!(
                name.as_str(),
                "istio.io/rev" | "proxy.istio.io/config" | "inject.istio.io/templates"
            )
        });
    }
    pod.spec = pod.spec.take().map(|spec| PodSpec {
        containers: proxies(spec.containers),
        init_containers: spec.init_containers.map(proxies),
        ..PodSpec::default()
    });
    pod.status = pod.status.take().map(|status| PodStatus {
        phase: status.phase,
        ..PodStatus::default()
    });
}

fn proxies(containers: Vec<Container>) -> Vec<Container> {
    exact(containers.into_iter().filter_map(proxy))
}

/// The items in a list without spare room. Collected alone, a list may keep the room of what was left out, and each item has some
/// kilobytes.
fn exact<T>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.collect();
    items.shrink_to_fit();
    items
}

fn proxy(container: Container) -> Option<Container> {
    if container.name != "istio-proxy" {
        return None;
    }
    let environment = container.env.into_iter().flatten();
    Some(Container {
        name: container.name,
        restart_policy: container.restart_policy,
        // `proxy`, and what it is started as.
        args: container
            .args
            .map(|arguments| exact(arguments.into_iter().take(2))),
        env: Some(exact(
            environment.filter(|variable| variable.name == "PROXY_CONFIG"),
        )),
        ..Container::default()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use alscope_plan::world::Proxy;

    use super::*;

    #[test]
    fn a_pruned_pod_says_the_same_about_its_proxy() {
        let whole: Pod = serde_json::from_value(json!({
            "metadata": {
                "namespace": "shop", "name": "web-1",
                "labels": {"pod-template-hash": "5d8"},
                "annotations": {"istio.io/rev": "canary", "huge": "x".repeat(1000), "proxy.istio.io/config": "{}"},
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d8", "uid": "1", "controller": true}],
                "managedFields": [{"manager": "kubelet"}],
            },
            "spec": {
                "containers": [{"name": "web", "env": [{"name": "A", "value": "b"}]}],
                "initContainers": [{"name": "istio-init"}, {"name": "istio-proxy", "restartPolicy": "Always", "args": ["proxy", "router", "--domain", "much more"], "env": [
                    {"name": "A", "value": "b"},
                    {"name": "PROXY_CONFIG", "value": "{\"envoyAccessLogService\":{\"address\":\"c:1\"}}"},
                ]}],
            },
            "status": {"phase": "Running", "podIP": "10.0.0.1"},
        }))
        .unwrap();
        let mut pruned = whole.clone();
        prune(&mut pruned);
        assert!(Proxy::of(&whole).is_some());
        assert_eq!(Proxy::of(&pruned), Proxy::of(&whole));
        assert_eq!(
            Proxy::of(&pruned).unwrap().role,
            alscope_plan::world::ProxyRole::Gateway
        );
        let text = serde_json::to_string(&pruned).unwrap();
        assert!(
            !text.contains("huge")
                && !text.contains("much more")
                && !text.contains("istio-init")
                && !text.contains("podIP"),
            "{text}"
        );
    }

    /// A proxy beside the application, as a gateway or an older Istio has it.
    #[test]
    fn a_proxy_among_the_containers_is_kept_and_an_end_is_seen() {
        let pod = |phase: &str| -> Pod {
            serde_json::from_value(json!({
                "metadata": {"namespace": "shop", "name": "web-1"},
                "spec": {"containers": [{"name": "web"}, {"name": "istio-proxy", "args": ["proxy", "sidecar"]}]},
                "status": {"phase": phase},
            }))
            .unwrap()
        };
        let mut running = pod("Running");
        prune(&mut running);
        assert!(Proxy::of(&running).is_some());
        assert_eq!(Proxy::of(&running), Proxy::of(&pod("Running")));
        let mut ended = pod("Succeeded");
        prune(&mut ended);
        assert_eq!(Proxy::of(&ended), None);
    }
}
