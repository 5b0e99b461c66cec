//! Who may connect to the ports of the collector: proxies to 11800, Prometheus and the operator to 9090, and
//! readers of an exposed page to 8080.
//!
//! A rule without sources admits everybody. That is the default for both ports, because no selector matches all clients: those with
//! the address of a node, or an address outside the cluster, would be cut off. The page needs a rule only if it is exposed: otherwise it
//! listens on loopback, which `kubectl port-forward` reaches.

use serde_json::{Value, json};

use crate::api::CollectorSpec;
use crate::world::OPERATOR_NAME;

use super::settings::{ADMIN_PORT, GRPC_PORT, WEB_PORT};

/// The policy for the pods that `selector` matches; `None` if the resource wants none.
pub fn network_policy(collector: &CollectorSpec, selector: &Value) -> Option<Value> {
    let spec = &collector.network_policy;
    let rule = |port: u16, sources: Vec<Value>| {
        let mut rule = json!({"ports": [{"port": port, "protocol": "TCP"}]});
        if !sources.is_empty() {
            rule["from"] = json!(sources);
        }
        rule
    };
    let proxies = spec.proxies.iter().map(|peer| json!(peer)).collect();
    let mut readers: Vec<Value> = spec.prometheus.iter().map(|peer| json!(peer)).collect();
    if !readers.is_empty() {
        readers.push(operator());
    }
    let mut ingress = vec![rule(GRPC_PORT, proxies), rule(ADMIN_PORT, readers)];
    if collector.web.expose {
        let page = spec.page.iter().map(|peer| json!(peer)).collect();
        ingress.push(rule(WEB_PORT, page));
    }
    spec.enabled.then(|| {
        json!({"spec": {
            "podSelector": {"matchLabels": selector},
            "policyTypes": ["Ingress"],
            "ingress": ingress,
        }})
    })
}

/// The pods of the operator, in the namespace of the policy: they ask each replica what it received.
fn operator() -> Value {
    json!({"podSelector": {"matchLabels": {"app.kubernetes.io/name": OPERATOR_NAME}}})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ingress(spec: &Value) -> Value {
        let collector: CollectorSpec = serde_json::from_value(json!({"networkPolicy": spec})).unwrap();
        let policy = network_policy(&collector, &json!({"app": "collector"})).unwrap();
        assert_eq!(
            policy["spec"]["podSelector"],
            json!({"matchLabels": {"app": "collector"}})
        );
        assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress"]));
        policy["spec"]["ingress"].clone()
    }

    fn port(number: u16) -> Value {
        json!([{"port": number, "protocol": "TCP"}])
    }

    #[test]
    fn by_default_everybody_reaches_both_ports_and_no_other() {
        assert_eq!(
            ingress(&json!({})),
            json!([{"ports": port(11_800)}, {"ports": port(9_090)}])
        );
    }

    #[test]
    fn listed_proxies_are_the_only_senders_and_metrics_stay_open() {
        let proxies = json!([
            {"namespaceSelector": {"matchLabels": {"istio-injection": "enabled"}}},
            {"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.1/32"]}},
        ]);
        assert_eq!(
            ingress(&json!({"proxies": proxies})),
            json!([{"ports": port(11_800), "from": proxies}, {"ports": port(9_090)}])
        );
    }

    #[test]
    fn beside_a_listed_prometheus_the_operator_reads_replicas_and_proxies_stay_free() {
        let prometheus = json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}},
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}}});
        let operator =
            json!({"podSelector": {"matchLabels": {"app.kubernetes.io/name": "alscope-operator"}}});
        assert_eq!(
            ingress(&json!({"prometheus": [prometheus]})),
            json!([{"ports": port(11_800)}, {"ports": port(9_090), "from": [prometheus, operator]}])
        );
    }

    #[test]
    fn an_empty_selector_is_kept_because_it_means_all() {
        let all = json!([{"namespaceSelector": {}}]);
        assert_eq!(ingress(&json!({"proxies": all}))[0]["from"], all);
    }

    #[test]
    fn only_an_exposed_page_is_open_and_only_to_its_readers() {
        let page =
            json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}]);
        let collector = |expose: bool| -> CollectorSpec {
            let spec = json!({"web": {"expose": expose}, "networkPolicy": {"page": page}});
            serde_json::from_value(spec).unwrap()
        };
        let closed = network_policy(&collector(false), &json!({})).unwrap();
        assert_eq!(
            closed["spec"]["ingress"],
            json!([{"ports": port(11_800)}, {"ports": port(9_090)}])
        );
        let open = network_policy(&collector(true), &json!({})).unwrap();
        assert_eq!(
            open["spec"]["ingress"][2],
            json!({"ports": port(8_080), "from": page})
        );
    }

    #[test]
    fn none_is_made_where_none_is_wanted() {
        let collector: CollectorSpec =
            serde_json::from_value(json!({"networkPolicy": {"enabled": false}})).unwrap();
        assert_eq!(network_policy(&collector, &json!({})), None);
    }
}
