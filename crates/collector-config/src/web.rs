//! `web`: the host names by which the page may be asked for.

use std::net::Ipv6Addr;

use crate::field::Field;
use crate::setting::{Setting, setting};

/// The keys of the block `web`, in the order of docs/configuration.md.
pub(crate) const SETTINGS: &[Setting] = &[setting(
    "web.hosts",
    Field::List(
        |config| &mut config.web_hosts,
        host,
        "write a host without scheme, port and path, as in alscope.example.com or 10.0.0.7",
    ),
    "Further hosts in whose name the page and its API answer: names or addresses, without a port. They always answer in the name of loopback and of the address that they listen on. They refuse any other name, because otherwise a foreign site could read the page (DNS rebinding).",
)];

/// Reads a host and puts it in lower case. The brackets of an IPv6 address and the dot at the end of
/// a full name are removed.
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
