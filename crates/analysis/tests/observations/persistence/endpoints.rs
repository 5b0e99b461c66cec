//! What the endpoints of kept entries are called.

use std::sync::Arc;

use als_proto::messages::envoy::data::accesslog::v3::ResponseFlags;
use alscope_analysis::names::endpoint::{EndpointBounds, Endpoints};
use alscope_analysis::names::trie::ServiceLimits;
use alscope_analysis::persistence::Persistence;
use alscope_analysis::persistence::sink::EntrySink;
use rstest::rstest;

use super::{RULES, flagged, grpc, keeping, kept, line, persistence};
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

/// The name of a failed request to `path` at this time.
fn name_at(mesh: &mut Mesh, path: &str, code: u32, now: i64) -> String {
    mesh.take_at(PRODUCTPAGE_NODE, failed(path, code, false), now);
    let lines = kept(mesh);
    let (_, name) = lines[0].split_once("reviews.demo ").unwrap();
    name.to_owned()
}

/// Each day a release has other paths, and a scanner's stray ones are answered: the service is asked all the time.
// proves: persistence/endpoint-name-idle
#[test]
fn a_month_of_releases_of_a_busy_service_finds_room_for_the_names_of_each() {
    const PATHS: i64 = 30;
    // Two hours of names, with two releases, and the steady one.
    let service = ServiceLimits {
        names: 1 + 4 * PATHS.unsigned_abs() as usize,
        ..EndpointBounds::default().service
    };
    let settings = EndpointBounds {
        service,
        ..EndpointBounds::default()
    };
    let mut mesh = keeping(&Arc::new(Persistence::new(
        vec![EntrySink {
            rules: RULES,
            encode: line,
        }],
        10_000,
        Endpoints::new(settings, Vec::new()),
    )));
    let mut overflowed = 0;
    for hour in 0..30 * 24 {
        let now = NOW + hour * 3600;
        let day = hour / 24;
        for path in 0..PATHS {
            let path = format!("release-{day}/path-{path}");
            let name = name_at(&mut mesh, &format!("/{path}"), 500, now);
            assert_eq!(name, format!("GET /{path}"), "hour {hour}");
        }
        for stray in 0..PATHS {
            let name = name_at(&mut mesh, &format!("/7/{hour}x/{stray}y"), 500, now);
            overflowed += usize::from(name == "{other}");
        }
        assert_eq!(name_at(&mut mesh, "/steady", 500, now), "GET /steady");
    }
    assert_eq!(overflowed, 0);
    let now = NOW + 30 * 24 * 3600;
    assert_eq!(name_at(&mut mesh, "/steady", 404, now), "GET /steady");
    assert_eq!(name_at(&mut mesh, "/release-0/path-0", 404, now), "{other}");
}

// proves: persistence/endpoint-name-idle
#[test]
fn a_flood_of_names_leaves_its_room_while_the_service_stays_busy() {
    let mut mesh = keeping(&persistence(RULES, 10_000));
    // Numbers before the words, so that no position has too many.
    for junk in 0..500 {
        name_at(
            &mut mesh,
            &format!("/{}/junk-{junk}", "1/".repeat(junk / 40)),
            500,
            NOW,
        );
    }
    assert_eq!(name_at(&mut mesh, "/reviews/all", 500, NOW), "{other}");
    let names: Vec<String> = (1..=30)
        .map(|tenth| name_at(&mut mesh, "/reviews/all", 500, NOW + tenth * 360))
        .collect();
    assert_eq!(names[0], "{other}");
    assert_eq!(names[29], "GET /reviews/all");
}
