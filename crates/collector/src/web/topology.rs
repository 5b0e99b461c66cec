//! Answers who called whom within the last seconds, from the windows of the snapshot.

use std::collections::BTreeMap;
use std::time::Duration;

use alscope_analysis::aggregate::evidence::EvidenceTable;
use alscope_analysis::aggregate::graph_node::{GraphNode, GraphNodeKind};
use alscope_analysis::aggregate::topology::{TopologyRow, rows};
use alscope_analysis::aggregate::totals::Snapshot;
use alscope_analysis::role::Role;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde::Deserialize;

use super::Published;
use crate::topology::{Edge, Topology, TopologyNode};

const DEFAULT_WINDOW: &str = "60s";
/// The longest window. The snapshot remembers an hour.
pub(super) const MAX_WINDOW: Duration = Duration::from_hours(1);

#[derive(Debug, Deserialize)]
pub(super) struct TopologyQuery {
    window: Option<String>,
}

pub(super) async fn topology(
    State(published): State<Published>,
    Query(query): Query<TopologyQuery>,
) -> Response {
    let text = query.window.as_deref().unwrap_or(DEFAULT_WINDOW);
    if let Some(window) = window(text) {
        Json(topology_of(&published.borrow().clone(), window)).into_response()
    } else {
        let message = format!("window={text} is not a time from 1s to 1h; write it like 60s or 5m\n");
        (StatusCode::BAD_REQUEST, message).into_response()
    }
}

fn window(text: &str) -> Option<Duration> {
    let window: jiff::SignedDuration = text.parse().ok()?;
    let window = Duration::try_from(window).ok()?;
    (Duration::from_secs(1)..=MAX_WINDOW)
        .contains(&window)
        .then_some(window)
}

fn topology_of(snapshot: &Snapshot, window: Duration) -> Topology {
    let span = snapshot.window.last(window, snapshot.taken);
    let rows = rows(&span);
    let proxies = proxies(&snapshot.evidence);
    let ends = rows.iter().flat_map(|row| [&row.source, &row.destination]);
    let nodes: BTreeMap<String, TopologyNode> = ends
        .map(|end| {
            let role = proxies.get(end).copied().unwrap_or(Role::Sidecar);
            (end.id(), node(end, role))
        })
        .collect();
    Topology {
        window_seconds: window.as_secs(),
        nodes: nodes.into_values().collect(),
        edges: rows.iter().map(edge).collect(),
    }
}

/// Returns the workloads that are gateways or waypoints.
fn proxies(evidence: &EvidenceTable) -> BTreeMap<&GraphNode, Role> {
    let ends = evidence.rows().into_iter().flat_map(|row| {
        let evidence = &row.evidence;
        [
            (&evidence.source, evidence.source_role),
            (&evidence.destination, evidence.destination_role),
        ]
    });
    ends.filter(|(_, role)| *role != Role::Sidecar).collect()
}

fn node(node: &GraphNode, role: Role) -> TopologyNode {
    let workload = match node.kind {
        GraphNodeKind::Workload => node.name.to_string(),
        GraphNodeKind::Service | GraphNodeKind::Outside | GraphNodeKind::Unknown => "unknown".to_owned(),
    };
    let kind = match (node.kind, role) {
        (GraphNodeKind::Workload, Role::Sidecar) => "workload",
        (GraphNodeKind::Workload, Role::Gateway) => "gateway",
        (GraphNodeKind::Workload, Role::Waypoint) => "waypoint",
        (GraphNodeKind::Service, _) => "service",
        (GraphNodeKind::Outside, _) => "outside",
        (GraphNodeKind::Unknown, _) => "unknown",
    };
    TopologyNode {
        id: node.id(),
        namespace: node.namespace.to_string(),
        workload,
        name: node.name.to_string(),
        kind: kind.to_owned(),
    }
}

fn edge(row: &TopologyRow) -> Edge {
    let [p50, p95, p99] = row
        .percentiles
        .map_or([None; 3], |percentiles| percentiles.map(Some));
    Edge {
        source: row.source.id(),
        destination: row.destination.id(),
        protocol: row.protocol.to_owned(),
        reporter: row.reporter.as_str().to_owned(),
        requests_per_second: row.per_second,
        error_share: row.error_share,
        client_error_share: row.client_error_share,
        unknown_share: row.unknown_share,
        p50_milliseconds: p50,
        p95_milliseconds: p95,
        p99_milliseconds: p99,
    }
}

#[cfg(test)]
mod tests;
