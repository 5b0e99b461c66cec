//! Reads the host in a request's authority or in the server name of a TLS connection. A client may write anything there.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::node::MAX_DOMAIN_BYTES;

/// The host and port that a client wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    /// The name or the address of the host.
    pub host: AuthorityHost<'a>,
    /// The port; `None` if there is none or it is out of range.
    pub port: Option<u16>,
}

/// A host, by its name or its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthorityHost<'a> {
    /// A name in lower case, without a trailing dot.
    Name(Cow<'a, str>),
    /// An IP address; IPv6 is read with or without brackets.
    Address(IpAddr),
}

impl<'a> Authority<'a> {
    /// Reads an authority (RFC 3986, 3.2) without its userinfo, which may be a secret. `None` when nothing is left that can be a
    /// host.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let text = bytes.rsplit(|byte| *byte == b'@').next()?;
        let text = std::str::from_utf8(text).ok()?;
        if let Ok(address) = text.parse() {
            return Some(Authority {
                host: AuthorityHost::address(address),
                port: None,
            });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, port.parse().ok()),
            _ => (text, None),
        };
        Some(Authority {
            host: AuthorityHost::read(host)?,
            port,
        })
    }
}

impl<'a> AuthorityHost<'a> {
    fn read(text: &'a str) -> Option<Self> {
        if let Some(inner) = text.strip_prefix('[') {
            let address: IpAddr = inner.strip_suffix(']')?.parse().ok()?;
            return Some(AuthorityHost::address(address));
        }
        if let Ok(address) = text.parse() {
            return Some(AuthorityHost::address(address));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        let is_of_a_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let is_name = !name.is_empty() && name.len() <= MAX_DOMAIN_BYTES && name.bytes().all(is_of_a_name);
        is_name.then(|| {
            AuthorityHost::Name(if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
                Cow::Owned(name.to_ascii_lowercase())
            } else {
                Cow::Borrowed(name)
            })
        })
    }

    fn address(address: IpAddr) -> Self {
        AuthorityHost::Address(address.to_canonical())
    }

    /// The host as text, an address in its canonical form.
    pub fn into_text(self) -> Cow<'a, str> {
        match self {
            AuthorityHost::Name(name) => name,
            AuthorityHost::Address(address) => Cow::Owned(address.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::name("web", Some(("web", None)))]
    #[case::port("web.demo:9080", Some(("web.demo", Some(9080))))]
    #[case::no_port_behind_the_colon("web:", Some(("web", None)))]
    #[case::no_such_port("web:99999", Some(("web", None)))]
    // proves: labels/host-any-case
    #[case::upper_case("Web.DEMO:80", Some(("web.demo", Some(80))))]
    // proves: labels/host-any-case
    #[case::dot_at_the_end("web.demo.svc.cluster.local.:80", Some(("web.demo.svc.cluster.local", Some(80))))]
    #[case::ipv4("10.96.0.1:80", Some(("10.96.0.1", Some(80))))]
    #[case::ipv6("[fd00::1]:80", Some(("fd00::1", Some(80))))]
    #[case::ipv6_without_port("[fd00::1]", Some(("fd00::1", None)))]
    #[case::ipv6_without_brackets("fd00::1", Some(("fd00::1", None)))]
    #[case::ipv4_in_ipv6("[::ffff:10.96.0.1]:80", Some(("10.96.0.1", Some(80))))]
    // proves: labels/service-without-userinfo
    #[case::userinfo("bob:hunter2@web:9080", Some(("web", Some(9080))))]
    // proves: labels/service-without-userinfo
    #[case::encoded_userinfo("bob%3Ahunter2%40web", None)]
    // proves: labels/service-without-userinfo
    #[case::path("web/path?token=hunter2", None)]
    #[case::brackets("[web]", None)]
    #[case::half_brackets("[fd00::1", None)]
    #[case::colons("a:b:c", None)]
    #[case::blank("", None)]
    #[case::dot(".", None)]
    #[case::port_alone(":80", None)]
    fn an_authority_is_a_host_and_a_port(#[case] text: &str, #[case] expected: Option<(&str, Option<u16>)>) {
        let read = Authority::read(text.as_bytes());
        let read = read.map(|authority| (authority.host.into_text().into_owned(), authority.port));
        assert_eq!(read, expected.map(|(host, port)| (host.to_owned(), port)));
    }

    #[test]
    fn what_is_longer_than_a_domain_or_no_text_is_no_host() {
        assert!(Authority::read(&[b'a'; MAX_DOMAIN_BYTES]).is_some());
        assert!(Authority::read(&[b'a'; MAX_DOMAIN_BYTES + 1]).is_none());
        assert!(Authority::read(b"web\xff").is_none());
    }
}
