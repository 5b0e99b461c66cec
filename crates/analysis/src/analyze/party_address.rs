//! Reads Envoy's addresses: the text of an IP address, and a port.

use std::net::IpAddr;

use als_proto::Address;

use super::NotObserved;
use crate::accounting::Rejected;

/// An address that can belong to a party, as the text that Envoy sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartyAddress<'a> {
    /// The IP address as text. It is parsed when it is looked up.
    pub ip: &'a [u8],
    /// The port; 0 when there is none.
    pub port: u16,
    /// Whether the address is an `endpoint_id`, which Envoy reaches through a tunnel.
    pub is_endpoint_id: bool,
}

/// The address of a party in `address`. A socket address is taken as it is. An Envoy-internal address names the pod behind it in
/// `endpoint_id` as `ip:port` (waypoints and HBONE). Pipes, blank and unset addresses belong to no party.
#[inline]
pub fn endpoint(address: Option<Address<'_>>) -> Option<PartyAddress<'_>> {
    match address? {
        Address::Socket { address, port } if !address.is_empty() => Some(PartyAddress {
            ip: address,
            port: u16::try_from(port).unwrap_or(0),
            is_endpoint_id: false,
        }),
        Address::Internal { endpoint_id, .. } => internal_endpoint(endpoint_id),
        Address::Socket { .. } | Address::Pipe { .. } | Address::Unset => None,
    }
}

/// Whether `address` is a pipe, which is local to a machine.
#[inline]
pub fn is_pipe(address: Option<Address<'_>>) -> bool {
    matches!(address, Some(Address::Pipe { .. }))
}

fn internal_endpoint(endpoint_id: &[u8]) -> Option<PartyAddress<'_>> {
    let colon = endpoint_id.iter().rposition(|byte| *byte == b':')?;
    let (ip, port) = endpoint_id.split_at_checked(colon)?;
    let ip = ip
        .strip_prefix(b"[")
        .and_then(|ip| ip.strip_suffix(b"]"))
        .unwrap_or(ip);
    let port = std::str::from_utf8(port.get(1..)?).ok()?.parse().ok()?;
    (!ip.is_empty()).then_some(PartyAddress {
        ip,
        port,
        is_endpoint_id: true,
    })
}

/// The IP address in `text`; an IPv4 address in IPv6 form is the IPv4 address.
pub fn ip(text: &[u8]) -> Result<IpAddr, NotObserved> {
    let text = std::str::from_utf8(text).ok();
    let address: Option<IpAddr> = text.and_then(|text| text.parse().ok());
    address
        .map(|address| address.to_canonical())
        .ok_or(NotObserved::Rejected(Rejected::BadAddress))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn socket(address: &str, port: u32) -> Address<'_> {
        Address::Socket {
            address: address.as_bytes(),
            port,
        }
    }

    fn internal(endpoint_id: &str) -> Address<'_> {
        Address::Internal {
            server_listener_name: b"connect_originate",
            endpoint_id: endpoint_id.as_bytes(),
        }
    }

    #[rstest]
    // proves: address/socket
    #[case::socket(Some(socket("10.0.0.1", 9080)), Some(("10.0.0.1", 9080)))]
    #[case::port_beyond_range(Some(socket("10.0.0.1", 70_000)), Some(("10.0.0.1", 0)))]
    // proves: address/none
    #[case::blank(Some(socket("", 9080)), None)]
    // proves: address/internal
    #[case::internal(Some(internal("10.0.0.1:8080")), Some(("10.0.0.1", 8080)))]
    // proves: address/internal
    #[case::internal_ipv6(Some(internal("[fd00::1]:8080")), Some(("fd00::1", 8080)))]
    #[case::internal_without_port(Some(internal("10.0.0.1")), None)]
    #[case::internal_with_a_sign(Some(internal("10.0.0.1:+080")), Some(("10.0.0.1", 80)))]
    #[case::internal_highest_port(Some(internal("10.0.0.1:65535")), Some(("10.0.0.1", 65_535)))]
    #[case::internal_port_beyond_range(Some(internal("10.0.0.1:65536")), None)]
    #[case::internal_blank_port(Some(internal("10.0.0.1:")), None)]
    #[case::internal_sign_alone(Some(internal("10.0.0.1:+")), None)]
    #[case::internal_port_in_words(Some(internal("10.0.0.1:8http")), None)]
    // proves: address/none
    #[case::internal_blank(Some(internal("")), None)]
    // proves: address/none
    #[case::pipe(Some(Address::Pipe { path: b"/run/x.sock" }), None)]
    // proves: address/none
    #[case::unset(Some(Address::Unset), None)]
    #[case::absent(None, None)]
    fn an_endpoint_is_an_address_that_a_party_can_have(
        #[case] address: Option<Address<'_>>,
        #[case] expected: Option<(&str, u16)>,
    ) {
        let expected = expected.map(|(ip, port)| PartyAddress {
            ip: ip.as_bytes(),
            port,
            is_endpoint_id: matches!(address, Some(Address::Internal { .. })),
        });
        assert_eq!(endpoint(address), expected);
    }
}
