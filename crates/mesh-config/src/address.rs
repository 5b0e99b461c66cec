//! The collector's address, by the rule that istiod checks it with.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::MeshConfigError;

/// Whether istiod takes `address`: `name:port` or `ip:port`, with IPv6 in brackets.
///
/// istiod's `ValidateProxyAddress`: a port from 1 to 65535, and either labels of DNS-1123 (at most 63 characters each, 255
/// together, the last not a number, a dot at the end allowed) or an IP address. One bad address makes istiod refuse the whole
/// mesh config. Two things that istiod lets pass are refused here: a name or IPv4 in brackets, and an IPv6 zone.
pub fn check_address(address: &str) -> Result<(), MeshConfigError> {
    match problem(address) {
        None => Ok(()),
        Some(problem) => Err(MeshConfigError::Address {
            address: address.to_owned(),
            problem,
        }),
    }
}

fn problem(address: &str) -> Option<&'static str> {
    let Some((host, port)) = address.rsplit_once(':') else {
        return Some("has no port");
    };
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || !port.parse::<u16>().is_ok_and(|port| port > 0) {
        return Some("has a port that is not a number from 1 to 65535");
    }
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']').unwrap_or_default();
        return inner
            .parse::<Ipv6Addr>()
            .is_err()
            .then_some("has brackets around what is not an IPv6 address");
    }
    if host.contains(':') {
        return Some("has more than one colon, and IPv6 needs brackets");
    }
    if is_name(host) || host.parse::<Ipv4Addr>().is_ok() {
        return None;
    }
    Some("has a host that is neither a DNS name nor an IP address")
}

fn is_name(host: &str) -> bool {
    let labels = host.strip_suffix('.').unwrap_or(host);
    let last = host.rsplit('.').next().unwrap_or_default();
    let last_is_number = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
    host.len() <= 255 && !last_is_number && labels.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !label.is_empty()
        && label.len() <= 63
        && label.bytes().all(is_inner)
        && !label.starts_with('-')
        && !label.ends_with('-')
}
