//! Answers which rules the calls of an edge rest on, from the evidence of the snapshot.

use std::collections::BTreeMap;

use alscope_analysis::accounting::{Accounting, Rejected, Skipped};
use alscope_analysis::aggregate::evidence::CountedEvidence;
use alscope_analysis::aggregate::example::Example as Entry;
use alscope_analysis::aggregate::graph_node::GraphNode;
use alscope_analysis::aggregate::topology::shown_at;
use alscope_analysis::aggregate::totals::Snapshot;
use alscope_analysis::aggregate::window::MAX_EDGES;
use alscope_analysis::moment::Moment;
use alscope_analysis::reporter::Reporter;
use alscope_analysis::rule::Rule;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde::Deserialize;

use super::Published;
use super::topology::MAX_WINDOW;
use crate::evidence::{Entries, Evidence, Example, Why};

/// The topology's one edge for all edges that it does not tell apart.
const OTHER: &str = "other/other,other/other";

#[derive(Debug, Deserialize)]
pub(super) struct WhyQuery {
    edge: Option<String>,
}

pub(super) async fn why(State(published): State<Published>, Query(query): Query<WhyQuery>) -> Response {
    match answer(&published.borrow().clone(), query.edge.as_deref()) {
        Ok(why) => Json(why).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

/// Returns the evidence of all edges, or of one, which is written `source,destination` with the node ids of
/// the topology. If a reporter knows only the service that it called, the topology may show its calls at a
/// workload; the evidence of that edge then includes theirs.
pub(super) fn answer(snapshot: &Snapshot, edge: Option<&str>) -> Result<Why, (StatusCode, String)> {
    let rows = snapshot.evidence.rows().into_iter();
    let (rows, [source, destination]) = match edge {
        None => (rows.collect(), [None, None]),
        Some(edge) => {
            let is_asked = |row: &&CountedEvidence| ends(row).join(",") == edge;
            let Some([source, destination]) = rows.clone().find(is_asked).map(ends) else {
                return Err(refusal(edge));
            };
            let span = snapshot.window.last(MAX_WINDOW, snapshot.taken);
            let services = shown_at(&span, &source, &destination);
            let is_shown_there = |row: &&CountedEvidence| {
                row.evidence.source.id() == source && services.contains(&&row.evidence.destination)
            };
            let rows = rows.filter(|row| is_asked(row) || is_shown_there(row));
            (rows.collect::<Vec<_>>(), [Some(source), Some(destination)])
        }
    };
    // Every observation is either in a row or has expired, so all edges together count from the start.
    let created = rows.iter().map(|row| row.created).min();
    let since = created.filter(|_| edge.is_some()).unwrap_or(snapshot.started);
    Ok(Why {
        source,
        destination,
        since: time(since),
        observations: rows.iter().map(|row| row.observations).sum(),
        evidence: evidence(&rows),
        overflowed: snapshot.evidence.overflowed,
        expired: snapshot.evidence.expired,
        entries: edge.is_none().then(|| entries(&snapshot.accounting)),
    })
}

fn refusal(edge: &str) -> (StatusCode, String) {
    if edge == OTHER {
        let message = format!(
            "edge={edge} stands for all edges beyond the first {MAX_EDGES}; name the two ends of one of them, or leave the edge out for all\n"
        );
        (StatusCode::NOT_FOUND, message)
    } else if edge.contains(',') {
        let message = format!(
            "edge={edge} was not observed, or was idle for so long that it is forgotten; /api/v1/topology?window=1h lists the edges by id\n"
        );
        (StatusCode::NOT_FOUND, message)
    } else {
        let message = format!(
            "edge={edge} is not an edge; write it with the ids of the topology, like edge=demo/productpage-v1,demo/reviews-v2\n"
        );
        (StatusCode::BAD_REQUEST, message)
    }
}

fn ends(row: &CountedEvidence) -> [String; 2] {
    [&row.evidence.source, &row.evidence.destination].map(GraphNode::id)
}

/// One party of a call, as the answer names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Party {
    Source,
    Destination,
}

fn evidence(rows: &[&CountedEvidence]) -> Vec<Evidence> {
    let mut by_reporter: BTreeMap<Reporter, u64> = BTreeMap::new();
    let mut by_rule: BTreeMap<(Reporter, Party, Rule), Vec<&CountedEvidence>> = BTreeMap::new();
    for row in rows {
        let of = &row.evidence;
        *by_reporter.entry(of.reporter).or_default() += row.observations;
        for (party, rule) in [
            (Party::Source, of.source_rule),
            (Party::Destination, of.destination_rule),
        ] {
            by_rule.entry((of.reporter, party, rule)).or_default().push(row);
        }
    }
    let mut evidence: Vec<_> = by_rule
        .into_iter()
        .map(|((reporter, party, rule), rows)| {
            let of_reporter = by_reporter.get(&reporter).copied().unwrap_or(0);
            ((reporter, party), row(reporter, party, rule, &rows, of_reporter))
        })
        .collect();
    evidence.sort_by(|(one, of_one), (other, of_other)| {
        one.cmp(other)
            .then(of_other.observations.cmp(&of_one.observations))
    });
    evidence.into_iter().map(|(_, evidence)| evidence).collect()
}

fn row(
    reporter: Reporter,
    party: Party,
    rule: Rule,
    rows: &[&CountedEvidence],
    of_reporter: u64,
) -> Evidence {
    let observations: u64 = rows.iter().map(|row| row.observations).sum();
    let examples = rows.iter().filter_map(|row| row.example.as_deref());
    Evidence {
        reporter: reporter.as_str().to_owned(),
        party: match party {
            Party::Source => "source".to_owned(),
            Party::Destination => "destination".to_owned(),
        },
        analyzer: rule.analyzer().as_str().to_owned(),
        rule: rule.id().to_owned(),
        unattributed: rule.unattributed().map(|reason| reason.as_str().to_owned()),
        observations,
        share: observations as f64 / of_reporter.max(1) as f64,
        example: examples.max_by_key(|example| example.started).map(example),
    }
}

fn example(entry: &Entry) -> Example {
    let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let request = entry.request.as_ref();
    Example {
        start_time: time(entry.started),
        proxy: known(&entry.proxy),
        method: request.map(|request| request.method.as_str().to_owned()),
        authority: request.and_then(|request| known(&request.authority)),
        path: request.and_then(|request| known(&request.path)),
        response_code: request.map(|request| request.response_code),
        response_flags: known(&entry.response_flags),
        upstream_cluster: known(&entry.upstream_cluster),
        route_name: known(&entry.route_name),
        downstream_direct_remote_address: known(&entry.downstream_direct_remote_address),
        downstream_remote_address: known(&entry.downstream_remote_address),
        downstream_local_address: known(&entry.downstream_local_address),
        upstream_remote_address: known(&entry.upstream_remote_address),
        downstream_peer: known(&entry.downstream_peer),
        upstream_peer: known(&entry.upstream_peer),
    }
}

fn entries(accounting: &Accounting) -> Entries {
    let rejected = Rejected::ALL.iter();
    let skipped = Skipped::ALL.iter();
    Entries {
        received: accounting.received,
        observed: accounting.observed,
        rejected: rejected
            .map(|reason| (reason.as_str().to_owned(), accounting.rejected(*reason)))
            .collect(),
        skipped: skipped
            .map(|reason| (reason.as_str().to_owned(), accounting.skipped(*reason)))
            .collect(),
    }
}

fn time(moment: Moment) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(moment.0))
        .map_or_else(|_| String::new(), |time| time.to_string())
}
