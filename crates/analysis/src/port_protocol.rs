//! The protocol that a Service declares for a port.

/// The protocol that a port declares, as far as it decides between HTTP and gRPC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PortProtocol {
    /// Nothing that decides between the two. The shape of the request decides.
    #[default]
    Undeclared,
    /// HTTP/1.1: Istio speaks no HTTP/2 to it, so it can't be gRPC.
    Http,
    /// gRPC, by `grpc` or a name such as `grpc-api`.
    Grpc,
}

impl PortProtocol {
    /// The declared protocol: `appProtocol`, else the port's name up to the first hyphen, in any case (istio `pkg/config/kube`
    /// `ConvertProtocol`). `grpc-web` does not count as gRPC, because a gateway may translate it.
    pub fn declared(app_protocol: Option<&str>, name: Option<&str>) -> Self {
        let word = app_protocol.or(name).unwrap_or_default().to_ascii_lowercase();
        if word.starts_with("grpc-web") {
            return PortProtocol::Undeclared;
        }
        match word.split('-').next() {
            Some("grpc") => PortProtocol::Grpc,
            Some("http" | "kubernetes.io/ws") => PortProtocol::Http,
            _ => PortProtocol::Undeclared,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::PortProtocol::*;
    use super::*;

    #[rstest]
    // proves: protocol/port-app-protocol
    #[case(Some("grpc"), Some("http-web"), Grpc)]
    #[case(Some("http"), Some("grpc"), Http)]
    #[case(Some("kubernetes.io/h2c"), Some("grpc"), Undeclared)]
    #[case(Some("kubernetes.io/ws"), None, Http)]
    // proves: protocol/port-name
    #[case(None, Some("grpc"), Grpc)]
    // proves: protocol/port-name
    #[case(None, Some("GRPC-api"), Grpc)]
    // proves: protocol/port-name
    #[case(None, Some("http-web"), Http)]
    #[case(None, Some("http2-web"), Undeclared)]
    #[case(None, Some("grpc-web"), Undeclared)]
    #[case(None, Some("grpcish"), Undeclared)]
    #[case(None, Some("tcp-db"), Undeclared)]
    #[case(None, None, Undeclared)]
    fn a_port_declares_its_protocol(
        #[case] app_protocol: Option<&str>,
        #[case] name: Option<&str>,
        #[case] expected: PortProtocol,
    ) {
        assert_eq!(PortProtocol::declared(app_protocol, name), expected);
    }
}
