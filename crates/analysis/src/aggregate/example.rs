//! Makes an entry fit to be shown: without secrets, bounded, in printable text.

use als_proto::{Address, CommonProperties, HttpEntry, HttpRequest, Malformed};

use crate::analyze::response_flags;
use crate::moment::Moment;
use crate::names::method::Method;
use crate::names::redact::{REDACTED, Redaction, bounded};
use crate::peer::{Peer, Peers};

/// How many bytes of a text are shown.
const MAX_TEXT_BYTES: usize = 128;
/// How many bytes a path or authority may have to be searched for secrets; a longer one is not shown.
const MAX_SCANNED_BYTES: usize = 4096;

/// An entry that may be shown. What the entry does not say is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// When the call started, by the entry's `start_time`, else when it was received.
    pub started: Moment,
    /// The node id of the proxy that logged it.
    pub proxy: Box<str>,
    /// The request; `None` for TCP.
    pub request: Option<ExampleRequest>,
    /// Envoy's short codes of `response_flags`, joined by commas; `-` if none.
    pub response_flags: Box<str>,
    /// `upstream_cluster`.
    pub upstream_cluster: Box<str>,
    /// `route_name`.
    pub route_name: Box<str>,
    /// `downstream_direct_remote_address` as `ip:port`, an address inside Envoy as `listener/endpoint_id`.
    pub downstream_direct_remote_address: Box<str>,
    /// `downstream_remote_address` in the same form.
    pub downstream_remote_address: Box<str>,
    /// `downstream_local_address` in the same form.
    pub downstream_local_address: Box<str>,
    /// `upstream_remote_address` in the same form.
    pub upstream_remote_address: Box<str>,
    /// The downstream peer as `namespace/workload`, if an analyzer reads peers.
    pub downstream_peer: Box<str>,
    /// The upstream peer in the same form.
    pub upstream_peer: Box<str>,
}

/// The request of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExampleRequest {
    /// The method of the request.
    pub method: Method,
    /// The authority without userinfo.
    pub authority: Box<str>,
    /// The path and the keys of its query, without their values.
    pub path: Box<str>,
    /// The status code; 0 without a response.
    pub response_code: u32,
}

/// The parts of an entry from which an example is made.
#[derive(Clone, Copy, Debug)]
pub struct ExampleSource<'a> {
    /// The node id of the proxy that logged it.
    pub proxy: &'a [u8],
    /// When the entry was received.
    pub received: Moment,
    /// The common properties of the entry.
    pub common: &'a CommonProperties<'a>,
    /// The peers in the entry's filter state.
    pub peers: &'a Peers<'a>,
    /// The entry and its request; `None` for TCP.
    pub http: Option<(&'a HttpEntry<'a>, &'a HttpRequest<'a>)>,
}

impl Example {
    /// The example of an entry.
    pub fn of(shown: &ExampleSource<'_>) -> Result<Self, Malformed> {
        let ExampleSource { common, peers, .. } = shown;
        Ok(Example {
            started: common.start_time()?.map_or(shown.received, Moment::from),
            proxy: text(shown.proxy),
            request: shown
                .http
                .map(|(entry, request)| ExampleRequest::of(entry, request)),
            response_flags: cut(response_flags::text(common.response_flags)),
            upstream_cluster: text(common.upstream_cluster),
            route_name: text(common.route_name),
            downstream_direct_remote_address: address(common.downstream_direct_remote_address()?),
            downstream_remote_address: address(common.downstream_remote_address()?),
            downstream_local_address: address(common.downstream_local_address()?),
            upstream_remote_address: address(common.upstream_remote_address()?),
            downstream_peer: peer(peers.downstream),
            upstream_peer: peer(peers.upstream),
        })
    }
}

impl ExampleRequest {
    fn of(entry: &HttpEntry<'_>, request: &HttpRequest<'_>) -> Self {
        let redacted = |text: &[u8], redact: fn(&Redaction, &[u8], &mut String)| {
            if text.len() > MAX_SCANNED_BYTES {
                return REDACTED.into();
            }
            let mut shown = String::new();
            redact(&Redaction::default(), text, &mut shown);
            cut(shown)
        };
        ExampleRequest {
            method: Method::from_number(request.method),
            authority: redacted(request.authority, Redaction::authority),
            path: redacted(request.path, Redaction::target),
            response_code: entry.response.and_then(|response| response.code).unwrap_or(0),
        }
    }
}

fn address(address: Option<Address<'_>>) -> Box<str> {
    match address.unwrap_or_default() {
        Address::Socket { address: b"", .. } | Address::Unset => Box::default(),
        Address::Socket { address, port } if address.contains(&b':') => {
            cut(format!("[{}]:{port}", text(address)))
        }
        Address::Socket { address, port } => cut(format!("{}:{port}", text(address))),
        Address::Pipe { path } => text(path),
        Address::Internal {
            server_listener_name,
            endpoint_id,
        } => cut(format!("{}/{}", text(server_listener_name), text(endpoint_id))),
    }
}

fn peer(peer: Option<Peer<&[u8]>>) -> Box<str> {
    peer.map_or_else(Box::default, |peer| {
        cut(format!("{}/{}", text(peer.namespace), text(peer.workload)))
    })
}

/// Bytes from the network as printable text, cut to what is shown.
fn text(bytes: &[u8]) -> Box<str> {
    let begin = bytes.get(..MAX_TEXT_BYTES + 1).unwrap_or(bytes);
    let printable = String::from_utf8_lossy(begin).into_owned();
    cut(printable.replace(char::is_control, "\u{fffd}"))
}

fn cut(text: String) -> Box<str> {
    bounded(text, MAX_TEXT_BYTES).into()
}
