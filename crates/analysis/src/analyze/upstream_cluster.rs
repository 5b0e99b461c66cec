//! Parses the names of Istio's clusters, which tell the direction of a call and the called service.

/// The parts of `common_properties.upstream_cluster` (istio `pkg/model` `BuildSubsetKey`, `pilot/pkg/networking/util`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamCluster<'a> {
    /// `outbound|port|subset|host`; at east-west gateways `outbound_.port_.subset_.host`.
    Outbound {
        /// The called port of the Service.
        port: u16,
        /// The host of the called Service.
        host: &'a str,
    },
    /// `inbound|port||`.
    Inbound {
        /// The port that the application listens on.
        port: u16,
    },
    /// `inbound-vip|port|protocol|host`, at waypoints.
    InboundVip {
        /// The called port of the Service.
        port: u16,
        /// The host of the called Service.
        host: &'a str,
    },
    /// `PassthroughCluster`, `BlackHoleCluster`, `AllowAnyDynamicDNSCluster`: outbound traffic to no service of the mesh.
    Outside {
        /// The whole name of the cluster.
        name: &'a str,
    },
    /// `InboundPassthroughCluster…`: inbound traffic to a port that no service declares.
    InboundPassthrough {
        /// The whole name of the cluster.
        name: &'a str,
    },
    /// `encap`: a waypoint's traffic to a pod's own address.
    Direct,
    /// The inner ends of HBONE tunnels: what goes through them has an entry of its own.
    Tunnel,
    /// No cluster was chosen, so there was no route.
    Unset,
    /// A cluster that is not one of Istio's for workloads.
    Other,
}

/// Clusters between the listeners of one Envoy (istio `pilot/pkg/networking/core` `waypoint.go`, `hbone.go`).
const TUNNEL_CLUSTERS: [&str; 5] = [
    "main_internal",
    "connect_originate",
    "connect_terminate",
    "inner_connect_originate",
    "outer_connect_originate",
];

impl<'a> UpstreamCluster<'a> {
    /// Parses a name. One that is not UTF-8 is [`UpstreamCluster::Other`].
    pub fn parse(name: &'a [u8]) -> Self {
        let Ok(name) = std::str::from_utf8(name) else {
            return UpstreamCluster::Other;
        };
        let parts: [Option<&str>; 4] = if name.starts_with("outbound_.") {
            let mut parts = name.split("_.");
            std::array::from_fn(|_| parts.next())
        } else {
            let mut rest = Some(name);
            std::array::from_fn(|_| next_part(&mut rest))
        };
        let number = |port: &str| port.parse().unwrap_or(0);
        match parts {
            [Some(""), None, ..] => UpstreamCluster::Unset,
            [Some("outbound"), Some(port), Some(_), Some(host)] => UpstreamCluster::Outbound {
                port: number(port),
                host,
            },
            [Some("inbound"), Some(port), ..] => UpstreamCluster::Inbound { port: number(port) },
            [Some("inbound-vip"), Some(port), Some(_), Some(host)] => UpstreamCluster::InboundVip {
                port: number(port),
                host,
            },
            [
                Some("PassthroughCluster" | "BlackHoleCluster" | "AllowAnyDynamicDNSCluster"),
                None,
                ..,
            ] => UpstreamCluster::Outside { name },
            [Some(first), None, ..] if first.starts_with("InboundPassthroughCluster") => {
                UpstreamCluster::InboundPassthrough { name }
            }
            [Some("encap"), None, ..] => UpstreamCluster::Direct,
            [Some(first), None, ..] if TUNNEL_CLUSTERS.contains(&first) => UpstreamCluster::Tunnel,
            _ => UpstreamCluster::Other,
        }
    }
}

/// Splits off the part before the next bar and leaves the rest. The searches of `split` do not pay for parts that are so short.
fn next_part<'a>(rest: &mut Option<&'a str>) -> Option<&'a str> {
    let name = rest.take()?;
    let Some(bar) = name.bytes().position(|byte| byte == b'|') else {
        return Some(name);
    };
    *rest = name.get(bar + 1..);
    name.get(..bar)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::UpstreamCluster::*;
    use super::*;

    #[rstest]
    // proves: cluster/outbound
    #[case("outbound|9080||reviews.demo.svc.cluster.local", Outbound { port: 9080, host: "reviews.demo.svc.cluster.local" })]
    // proves: cluster/outbound
    #[case("outbound|9080|v1|reviews.demo.svc.cluster.local", Outbound { port: 9080, host: "reviews.demo.svc.cluster.local" })]
    // proves: cluster/east-west
    #[case("outbound_.9080_.v1_.reviews.demo.svc.cluster.local", Outbound { port: 9080, host: "reviews.demo.svc.cluster.local" })]
    // proves: cluster/inbound
    #[case("inbound|8080||", Inbound { port: 8080 })]
    // proves: cluster/inbound-vip
    #[case("inbound-vip|80|http|web.demo.svc.cluster.local", InboundVip { port: 80, host: "web.demo.svc.cluster.local" })]
    // proves: cluster/inbound-vip
    #[case("inbound-vip|80|tcp/v1|web.demo.svc.cluster.local", InboundVip { port: 80, host: "web.demo.svc.cluster.local" })]
    // proves: cluster/outside
    #[case("PassthroughCluster", Outside { name: "PassthroughCluster" })]
    // proves: cluster/outside
    #[case("BlackHoleCluster", Outside { name: "BlackHoleCluster" })]
    // proves: cluster/outside
    #[case("AllowAnyDynamicDNSCluster", Outside { name: "AllowAnyDynamicDNSCluster" })]
    // proves: cluster/inbound-passthrough
    #[case("InboundPassthroughCluster", InboundPassthrough { name: "InboundPassthroughCluster" })]
    // proves: cluster/inbound-passthrough
    #[case("InboundPassthroughClusterIpv4", InboundPassthrough { name: "InboundPassthroughClusterIpv4" })]
    // proves: cluster/direct
    #[case("encap", Direct)]
    // proves: cluster/tunnel
    #[case("main_internal", Tunnel)]
    // proves: cluster/tunnel
    #[case("connect_originate", Tunnel)]
    #[case("", Unset)]
    // proves: cluster/infrastructure
    #[case("agent", Other)]
    // proves: cluster/infrastructure
    #[case("xds-grpc", Other)]
    #[case("outbound|80", Other)]
    // proves: cluster/dynamic-forward-proxy
    #[case("DFPCluster:junk.example:443", Other)]
    fn names_are_taken_apart(#[case] name: &str, #[case] expected: UpstreamCluster<'_>) {
        assert_eq!(UpstreamCluster::parse(name.as_bytes()), expected);
    }

    #[test]
    fn a_name_that_is_not_text_is_none_of_istios() {
        assert_eq!(UpstreamCluster::parse(b"outbound|\xff"), Other);
    }
}
