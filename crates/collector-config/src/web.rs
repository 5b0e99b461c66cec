//! `web`: who may ask for the page.

use std::net::Ipv6Addr;

use crate::field::Field;
use crate::setting::{Setting, setting};

/// The keys of the block `web`.
pub(crate) const SETTINGS: &[Setting] = &[setting(
    "web.hosts",
    Field::List(
        |config| &mut config.web_hosts,
        host,
        "write a host without scheme, port and path, as in alscope.example.com or 10.0.0.7",
    ),
    "Further hosts by which the page and its API may be asked for, names or addresses without a port. Loopback and the address that is listened on always may; any other is refused, because a foreign site could read the page under its own name.",
)];

/// A host in lower case, without the brackets of an IPv6 address and without the dot at the end of a full name.
fn host(text: &str) -> Option<String> {
    let host = text
        .trim_start_matches('[')
        .trim_end_matches(']')
        .trim_end_matches('.');
    let is_name = !host.is_empty()
        && host
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "-._".contains(letter));
    (is_name || host.parse::<Ipv6Addr>().is_ok()).then(|| host.to_ascii_lowercase())
}
