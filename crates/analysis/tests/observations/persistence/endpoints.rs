//! What the endpoints of kept entries are called.

use als_proto::messages::envoy::data::accesslog::v3::ResponseFlags;
use rstest::rstest;

use super::{RULES, flagged, grpc, keeping, kept, persistence};
use crate::entry::*;
use crate::mesh::*;

/// A failed request for `path` with this code, and with a flag for no route if there is one.
pub(super) fn failed(path: &str, code: u32, no_route_found: bool) -> Logs {
    let mut common = outbound();
    common.response_flags = no_route_found.then_some(ResponseFlags {
        no_route_found,
        ..ResponseFlags::default()
    });
    let mut entry = request(common, Some(code));
    entry.request.as_mut().unwrap().path = path.into();
    http([entry])
}

fn unimplemented() -> Logs {
    http([grpc("12")])
}

#[rstest]
#[case::learnt(failed("/reviews/7?a=b", 500, false), "GET /reviews/{int}")]
// proves: persistence/endpoint-answered
#[case::not_found(failed("/.env", 404, false), "{other}")]
// proves: persistence/endpoint-answered
#[case::no_route(failed("/.env", 503, true), "{other}")]
// proves: persistence/endpoint-answered
#[case::unimplemented(unimplemented(), "{other}")]
// proves: persistence/endpoint-rule
#[case::rule_of_the_user(failed("/users/ann", 404, false), "GET /users/{name}")]
#[case::tcp(tcp(flagged(outbound()), 1, 2), "-")]
fn a_kept_entry_has_the_name_of_its_endpoint(#[case] logs: Logs, #[case] expected: &str) {
    let mut mesh = keeping(&persistence(RULES, 10));
    mesh.take(PRODUCTPAGE_NODE, logs);
    let lines = kept(&mut mesh);
    assert_eq!(lines.len(), 1);
    assert!(
        lines[0].ends_with(&format!("reviews.demo {expected}")),
        "{lines:?}"
    );
}

// proves: persistence/endpoint-shared
#[test]
fn a_name_that_one_worker_learnt_all_workers_know() {
    let persistence = persistence(RULES, 10);
    let (mut one, mut other) = (keeping(&persistence), keeping(&persistence));
    other.take(PRODUCTPAGE_NODE, failed("/reviews/all", 404, false));
    assert!(kept(&mut other)[0].ends_with(" {other}"));
    one.take(PRODUCTPAGE_NODE, failed("/reviews/all", 500, false));
    kept(&mut one);
    other.take(PRODUCTPAGE_NODE, failed("/reviews/all", 404, false));
    assert!(kept(&mut other)[0].ends_with(" GET /reviews/all"));
}

// proves: persistence/endpoint-idle
#[rstest]
#[case::forgotten(None, "{other}")]
#[case::asked_for_meanwhile(Some(NOW + 2 * 3600), "GET /reviews/all")]
fn the_names_of_a_service_are_forgotten_when_nobody_asks_for_it(
    #[case] asked: Option<i64>,
    #[case] expected: &str,
) {
    let mut mesh = keeping(&persistence(RULES, 10));
    let of_another = || {
        let mut common = flagged(outbound());
        common.upstream_cluster = "outbound|9080||ratings.demo.svc.cluster.local".to_owned();
        ok(common)
    };
    mesh.take_at(PRODUCTPAGE_NODE, failed("/reviews/all", 500, false), NOW);
    mesh.take_at(PRODUCTPAGE_NODE, of_another(), NOW + 3601);
    if let Some(asked) = asked {
        mesh.take_at(PRODUCTPAGE_NODE, failed("/reviews/all", 404, false), asked);
    }
    mesh.take_at(PRODUCTPAGE_NODE, of_another(), NOW + 3 * 3600);
    kept(&mut mesh);
    mesh.take_at(
        PRODUCTPAGE_NODE,
        failed("/reviews/all", 404, false),
        NOW + 3 * 3600,
    );
    let lines = kept(&mut mesh);
    assert!(lines[0].ends_with(&format!(" {expected}")), "{lines:?}");
}
