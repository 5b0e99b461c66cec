//! Which of the other entries are kept.

use als_proto::messages::envoy::data::accesslog::v3::{AccessLogCommon, HttpAccessLogEntry};
use alscope_analysis::persistence::reason::SamplingRules;
use alscope_analysis::persistence::sample::Share;

use super::{RULES, keeping, kept, persistence};
use crate::entry::*;
use crate::mesh::*;

/// A request with this id and start.
fn with_id(id: &str, start: i64) -> HttpAccessLogEntry {
    let common = AccessLogCommon {
        start_time: timestamp(start),
        ..outbound()
    };
    let mut entry = request(common, Some(200));
    entry.request.as_mut().unwrap().request_id = id.into();
    entry
}

/// Which of the entries are kept when half of them are sampled.
fn sampled(node: &str, entries: impl IntoIterator<Item = HttpAccessLogEntry>) -> Vec<usize> {
    let rules = SamplingRules {
        sampled: Share::new(0.5),
        ..RULES
    };
    let mut mesh = keeping(&persistence(rules, usize::MAX));
    let kept_of = |entry| {
        mesh.take(node, http([entry]));
        kept(&mut mesh).len()
    };
    entries.into_iter().map(kept_of).collect()
}

fn id(number: i64, trace: char) -> String {
    format!("{number:08x}-52d4-{trace}c8b-9d07-0e6a7f1c2b3d")
}

// proves: persistence/sampled-request
#[test]
fn both_sides_of_a_request_keep_it_or_none_does() {
    let client = sampled(
        PRODUCTPAGE_NODE,
        (0..1000).map(|number| with_id(&id(number, '4'), NOW)),
    );
    let server = sampled(
        REVIEWS_NODE,
        (0..1000).map(|number| with_id(&id(number, '9'), NOW + number)),
    );
    assert_eq!(client, server);
    let share: usize = client.iter().sum();
    assert!((450..550).contains(&share), "{share}");
}

// proves: persistence/sampled-start
#[test]
fn entries_without_a_request_id_are_sampled_by_their_start() {
    let starts = || (0..1000).map(|number| with_id("", NOW + number));
    let share: usize = sampled(PRODUCTPAGE_NODE, starts()).iter().sum();
    assert!((450..550).contains(&share), "{share}");
    assert_eq!(
        sampled(PRODUCTPAGE_NODE, starts()),
        sampled(PRODUCTPAGE_NODE, starts())
    );
    assert_ne!(
        sampled(PRODUCTPAGE_NODE, starts()),
        sampled(REVIEWS_NODE, starts())
    );
}
