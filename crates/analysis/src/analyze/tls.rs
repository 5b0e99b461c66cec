//! Reads the TLS of the downstream connection: principals and Istio's `connection_security_policy`.

use als_proto::TlsProperties;

/// Istio's label `connection_security_policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SecurityPolicy {
    /// The peer showed a certificate.
    MutualTls,
    /// The peer showed no certificate.
    None,
    /// The reporter can't know: client-side proxies log only their downstream connection.
    Unknown,
}

impl SecurityPolicy {
    /// The value of the label `connection_security_policy`.
    pub fn as_str(self) -> &'static str {
        match self {
            SecurityPolicy::MutualTls => "mutual_tls",
            SecurityPolicy::None => "none",
            SecurityPolicy::Unknown => "unknown",
        }
    }
}

/// What the two ends of the downstream connection proved about themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Security<'a> {
    /// The first URI SAN of the caller's certificate; empty when there is none.
    pub peer_principal: &'a [u8],
    /// The first URI SAN of the proxy's own certificate; empty when there is none.
    pub local_principal: &'a [u8],
    /// Whether the caller showed a certificate.
    pub policy: SecurityPolicy,
}

impl Security<'_> {
    /// Nothing is known, because the entry does not describe this connection.
    pub const UNKNOWN: Security<'static> = Security {
        peer_principal: b"",
        local_principal: b"",
        policy: SecurityPolicy::Unknown,
    };
}

/// The security of the downstream connection: mutual TLS when the peer's certificate has a subject or a URI SAN
/// (istio `istio_stats` `connection_security_policy`; SkyWalking `tlsMode`).
pub fn security(tls: Option<TlsProperties<'_>>) -> Security<'_> {
    let peer = tls.and_then(|tls| tls.peer_certificate).unwrap_or_default();
    let local = tls.and_then(|tls| tls.local_certificate).unwrap_or_default();
    let shown = !peer.subject.is_empty() || !peer.uri_san.is_empty();
    Security {
        peer_principal: peer.uri_san,
        local_principal: local.uri_san,
        policy: if shown {
            SecurityPolicy::MutualTls
        } else {
            SecurityPolicy::None
        },
    }
}

/// The namespace in `spiffe://trust.domain/ns/NAMESPACE/sa/ACCOUNT`.
pub fn namespace(principal: &[u8]) -> Option<&[u8]> {
    let mut parts = principal
        .strip_prefix(b"spiffe://")?
        .split(|byte| *byte == b'/')
        .skip(1);
    let (b"ns", namespace) = (parts.next()?, parts.next()?) else {
        return None;
    };
    (!namespace.is_empty()).then_some(namespace)
}

#[cfg(test)]
mod tests {
    use als_proto::Certificate;
    use rstest::rstest;

    use super::*;

    fn tls(peer: Option<Certificate<'_>>) -> TlsProperties<'_> {
        let local = Certificate {
            subject: b"",
            uri_san: b"spiffe://cluster.local/ns/demo/sa/reviews",
        };
        TlsProperties {
            local_certificate: Some(local),
            peer_certificate: peer,
            ..TlsProperties::default()
        }
    }

    // proves: tls/mutual
    #[test]
    fn a_peer_certificate_is_mutual_tls_with_both_principals() {
        let peer = Certificate {
            subject: b"",
            uri_san: b"spiffe://cluster.local/ns/demo/sa/productpage",
        };
        let security = security(Some(tls(Some(peer))));
        assert_eq!(security.policy, SecurityPolicy::MutualTls);
        assert_eq!(
            security.peer_principal,
            b"spiffe://cluster.local/ns/demo/sa/productpage"
        );
        assert_eq!(
            security.local_principal,
            b"spiffe://cluster.local/ns/demo/sa/reviews"
        );
    }

    // proves: tls/subject
    #[test]
    fn a_subject_alone_is_mutual_tls_too() {
        let peer = Certificate {
            subject: b"CN=client",
            uri_san: b"",
        };
        assert_eq!(security(Some(tls(Some(peer)))).policy, SecurityPolicy::MutualTls);
    }

    // proves: tls/none
    #[test]
    fn without_a_peer_certificate_there_is_none() {
        assert_eq!(security(Some(tls(None))).policy, SecurityPolicy::None);
        assert_eq!(
            security(Some(tls(Some(Certificate::default())))).policy,
            SecurityPolicy::None
        );
        assert_eq!(security(None).policy, SecurityPolicy::None);
    }

    #[rstest]
    // proves: tls/namespace
    #[case::istios("spiffe://cluster.local/ns/demo/sa/reviews", Some("demo"))]
    // proves: tls/namespace
    #[case::other_path("spiffe://cluster.local/host/demo", None)]
    #[case::no_namespace("spiffe://cluster.local/ns/", None)]
    // proves: tls/namespace
    #[case::other_scheme("https://cluster.local/ns/demo/sa/reviews", None)]
    #[case::none("", None)]
    fn a_principal_proves_the_namespace(#[case] principal: &str, #[case] expected: Option<&str>) {
        assert_eq!(namespace(principal.as_bytes()), expected.map(str::as_bytes));
    }
}
