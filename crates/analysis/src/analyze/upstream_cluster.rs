//! What Istio's cluster names say: the direction of a call and the service that it went to.

/// `common_properties.upstream_cluster`, taken apart (istio `pkg/model` `BuildSubsetKey`, `pilot/pkg/networking/util`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamCluster<'a> {
    /// `outbound|port|subset|host`.
    Outbound {
        /// The called host.
        host: &'a str,
    },
    /// `inbound|port||`.
    Inbound {
        /// The port that the application listens on.
        port: u16,
    },
    /// `inbound-vip|port|protocol|host`, at waypoints.
    InboundVip {
        /// The called host.
        host: &'a str,
    },
    /// `PassthroughCluster`, `BlackHoleCluster`: outbound traffic to no service of the mesh.
    Outside {
        /// The cluster's name.
        name: &'a str,
    },
    /// `InboundPassthroughCluster…`: inbound traffic to a port that no service declares.
    InboundPassthrough,
    /// No cluster was chosen.
    Unset,
    /// A cluster that is not one of Istio's for workloads.
    Other,
}

impl<'a> UpstreamCluster<'a> {
    /// Takes the name apart. A name that is not UTF-8 is [`UpstreamCluster::Other`].
    pub fn parse(name: &'a [u8]) -> Self {
        let Ok(name) = std::str::from_utf8(name) else {
            return UpstreamCluster::Other;
        };
        let mut parts = name.split('|');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(""), None, ..) => UpstreamCluster::Unset,
            (Some("outbound"), Some(_), Some(_), Some(host)) => UpstreamCluster::Outbound { host },
            (Some("inbound"), Some(port), ..) => UpstreamCluster::Inbound {
                port: port.parse().unwrap_or(0),
            },
            (Some("inbound-vip"), Some(_), Some(_), Some(host)) => UpstreamCluster::InboundVip { host },
            (Some("PassthroughCluster" | "BlackHoleCluster"), None, ..) => UpstreamCluster::Outside { name },
            (Some(first), None, ..) if first.starts_with("InboundPassthroughCluster") => {
                UpstreamCluster::InboundPassthrough
            }
            _ => UpstreamCluster::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::UpstreamCluster::*;
    use super::*;

    #[rstest]
    #[case("outbound|9080||reviews.demo.svc.cluster.local", Outbound { host: "reviews.demo.svc.cluster.local" })]
    #[case("outbound|9080|v1|reviews.demo.svc.cluster.local", Outbound { host: "reviews.demo.svc.cluster.local" })]
    #[case("inbound|8080||", Inbound { port: 8080 })]
    #[case("inbound-vip|80|http|web.demo.svc.cluster.local", InboundVip { host: "web.demo.svc.cluster.local" })]
    #[case("PassthroughCluster", Outside { name: "PassthroughCluster" })]
    #[case("BlackHoleCluster", Outside { name: "BlackHoleCluster" })]
    #[case("InboundPassthroughCluster", InboundPassthrough)]
    #[case("InboundPassthroughClusterIpv4", InboundPassthrough)]
    #[case("", Unset)]
    #[case("agent", Other)]
    #[case("xds-grpc", Other)]
    #[case("outbound|80", Other)]
    fn names_are_taken_apart(#[case] name: &str, #[case] expected: UpstreamCluster<'_>) {
        assert_eq!(UpstreamCluster::parse(name.as_bytes()), expected);
    }

    #[test]
    fn a_name_that_is_not_text_is_none_of_istios() {
        assert_eq!(UpstreamCluster::parse(b"outbound|\xff"), Other);
    }
}
