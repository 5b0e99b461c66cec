//! Checks the host names by which the page and its API are asked for.
//!
//! A foreign site may let its own name lead to this port (DNS rebinding), and a browser would let the site
//! read the answers. The header `Host` still holds the name that the browser asked for, so a request with
//! a foreign name is refused.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::serve::Local;

/// The configured hosts, in lower case.
pub type Hosts = Arc<[String]>;

/// Passes a request for a known host on, and refuses any other.
pub async fn known_only(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    let local = request.extensions().get::<Local>().map(|Local(address)| *address);
    if is_known(asked_for(&request).as_deref(), &hosts, local) {
        return next.run(request).await;
    }
    let refusal = "this host name is not allowed; add it to web.hosts, or use kubectl port-forward and ask for localhost\n";
    (StatusCode::FORBIDDEN, refusal).into_response()
}

/// Returns the host that a request names, without its port: the one of its target, else the one of its only
/// header `Host` (RFC 9112, 3.2).
fn asked_for(request: &Request) -> Option<String> {
    let of_header = || {
        let mut named = request.headers().get_all(HOST).iter();
        let only = named.next().filter(|_| named.next().is_none())?;
        host(only)
    };
    let of_target = request.uri().authority().map(|authority| bare(authority.host()));
    of_target.or_else(of_header)
}

fn host(header: &HeaderValue) -> Option<String> {
    let authority: Authority = header.to_str().ok()?.parse().ok()?;
    Some(bare(authority.host()))
}

/// Puts a host in lower case, without brackets and without the dot of the root.
fn bare(host: &str) -> String {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.trim_end_matches('.').to_ascii_lowercase()
}

fn is_known(host: Option<&str>, hosts: &[String], local: Option<SocketAddr>) -> bool {
    let Some(host) = host else {
        return false;
    };
    let is_of_loopback = |address: IpAddr| address.to_canonical().is_loopback();
    let is_local =
        |address: IpAddr| local.is_some_and(|local| local.ip().to_canonical() == address.to_canonical());
    // These names always lead to this machine (RFC 6761, 6.3), so no foreign site can own one.
    host == "localhost"
        || host.ends_with(".localhost")
        || hosts.iter().any(|known| known == host)
        || host
            .parse()
            .is_ok_and(|address| is_of_loopback(address) || is_local(address))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use rstest::rstest;

    use super::*;

    fn allows(target: &str, headers: &[&str]) -> bool {
        let mut request = Request::get(target);
        for value in headers {
            request = request.header(HOST, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        let hosts = [
            "alscope.example.com".to_owned(),
            "10.9.9.9".to_owned(),
            "fd00::9".to_owned(),
        ];
        let local = Some(SocketAddr::from(([10, 0, 0, 7], 8080)));
        is_known(asked_for(&request).as_deref(), &hosts, local)
    }

    #[rstest]
    #[case::port_forward("localhost:8080")]
    #[case::another_port("localhost:31415")]
    #[case::no_port("localhost")]
    #[case::capitals("LocalHost:8080")]
    #[case::root("localhost.:8080")]
    #[case::below_localhost("alscope.localhost:8080")]
    #[case::loopback("127.0.0.1:8080")]
    #[case::another_of_loopback("127.64.3.9:8080")]
    #[case::loopback_of_v6("[::1]:8080")]
    #[case::loopback_of_v4_in_v6("[::ffff:127.0.0.1]:8080")]
    #[case::address_of_this_side("10.0.0.7:8080")]
    #[case::configured("alscope.example.com")]
    #[case::configured_with_port_and_capitals("Alscope.Example.COM.:443")]
    #[case::configured_address("10.9.9.9:30080")]
    #[case::configured_address_of_v6("[fd00::9]:30080")]
    fn a_known_host_is_answered(#[case] host: &str) {
        assert!(allows("/", &[host]));
        let target = format!("http://{host}/");
        assert!(allows(&target, &["evil.example"]), "the target is what counts");
    }

    #[rstest]
    #[case::name("evil.example")]
    #[case::with_the_port("evil.example:8080")]
    #[case::localhost_before("localhost.evil.example")]
    #[case::localhost_within("evillocalhost")]
    #[case::configured_before("alscope.example.com.evil.example")]
    #[case::below_configured("evil.alscope.example.com")]
    #[case::address_as_name("127.0.0.1.evil.example")]
    #[case::other_address("10.0.0.8:8080")]
    #[case::any_address("0.0.0.0:8080")]
    #[case::any_address_of_v6("[::]:8080")]
    #[case::decimal("2130706433")]
    #[case::user("localhost@evil.example")]
    #[case::empty("")]
    #[case::no_name("!")]
    fn any_other_host_is_refused(#[case] host: &str) {
        assert!(!allows("/", &[host]));
    }

    #[test]
    fn no_host_and_two_hosts_are_refused() {
        assert!(!allows("/", &[]));
        assert!(!allows("/", &["localhost", "evil.example"]));
        assert!(!allows("http://evil.example/", &["localhost"]));
    }
}
