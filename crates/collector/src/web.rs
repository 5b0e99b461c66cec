//! The page and its API on the web port. They read the published snapshot only.

pub mod hosts;
pub mod tags;
mod why;

use std::sync::Arc;
use std::time::Duration;

use alscope_analysis::aggregate::labels::Node;
use alscope_analysis::aggregate::topology::{Row, rows};
use alscope_analysis::aggregate::totals::Snapshot;
use arc_swap::ArcSwap;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use axum::{Router, middleware};
use serde::Deserialize;

use crate::assets;
use crate::topology::{Edge, Topology, TopologyNode};

const DEFAULT_WINDOW: &str = "60s";
/// The window remembers an hour.
const LONGEST_WINDOW: Duration = Duration::from_hours(1);
/// The page loads nothing from elsewhere and runs no inline script.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);

use hosts::Hosts;

/// Kept, and asked for again each time.
const REVALIDATED: HeaderValue = HeaderValue::from_static("no-cache");

type Published = Arc<ArcSwap<Snapshot>>;

/// The web port's routes, for those who ask for one of `hosts`, loopback or the address that they reach.
pub fn router(published: Published, hosts: Hosts) -> Router {
    let mut router = Router::new()
        .route("/api/v1/topology", get(topology))
        .route("/api/v1/why", get(why::why))
        .route_layer(middleware::from_fn_with_state(
            published.clone(),
            tags::of_snapshot,
        ));
    for asset in assets::ALL {
        let tag = tags::of_content(asset.body);
        let answer = async move |headers: HeaderMap| page(asset, tag.clone(), &headers);
        router = router.route(asset.path, get(answer));
    }
    router
        .layer(middleware::from_fn_with_state(hosts, hosts::known_only))
        .with_state(published)
}

fn page(asset: &assets::Asset, tag: HeaderValue, asked: &HeaderMap) -> Response {
    if tags::has(asked, &tag) {
        return ([(header::CACHE_CONTROL, REVALIDATED)], tags::not_modified(tag)).into_response();
    }
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type)),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::CACHE_CONTROL, REVALIDATED),
        (header::ETAG, tag),
    ];
    (headers, asset.body).into_response()
}

#[derive(Debug, Deserialize)]
struct TopologyQuery {
    window: Option<String>,
}

async fn topology(State(published): State<Published>, Query(query): Query<TopologyQuery>) -> Response {
    let text = query.window.as_deref().unwrap_or(DEFAULT_WINDOW);
    if let Some(window) = window(text) {
        Json(topology_of(&published.load(), window)).into_response()
    } else {
        let message = format!("window={text} is no time from 1s to 1h; write it like 60s or 5m\n");
        (StatusCode::BAD_REQUEST, message).into_response()
    }
}

fn window(text: &str) -> Option<Duration> {
    let window: jiff::SignedDuration = text.parse().ok()?;
    let window = Duration::try_from(window).ok()?;
    (Duration::from_secs(1)..=LONGEST_WINDOW)
        .contains(&window)
        .then_some(window)
}

fn topology_of(snapshot: &Snapshot, window: Duration) -> Topology {
    let span = snapshot.window.last(window, snapshot.taken);
    let edges: Vec<Edge> = rows(&span).iter().map(edge).collect();
    let mut nodes: Vec<TopologyNode> = span
        .edges
        .iter()
        .flat_map(|(edge, _)| [node(&edge.source), node(&edge.destination)])
        .collect();
    nodes.sort_by(|a, b| a.id.cmp(&b.id));
    nodes.dedup_by(|a, b| a.id == b.id);
    Topology {
        window_seconds: window.as_secs(),
        nodes,
        edges,
    }
}

fn edge(row: &Row) -> Edge {
    let [p50, p95, p99] = row
        .percentiles
        .map_or([None; 3], |percentiles| percentiles.map(Some));
    Edge {
        source: id(&row.edge.source),
        destination: id(&row.edge.destination),
        protocol: row.edge.protocol.to_owned(),
        reporter: row.edge.reporter.word().to_owned(),
        requests_per_second: row.per_second,
        error_share: row.error_share,
        p50_milliseconds: p50,
        p95_milliseconds: p95,
        p99_milliseconds: p99,
    }
}

fn node(node: &Node) -> TopologyNode {
    let kind = if is_unknown(node) { "unknown" } else { "workload" };
    TopologyNode {
        id: id(node),
        namespace: node.namespace.to_string(),
        workload: node.workload.to_string(),
        kind: kind.to_owned(),
    }
}

fn is_unknown(node: &Node) -> bool {
    &*node.workload == "unknown"
}

fn id(node: &Node) -> String {
    if is_unknown(node) {
        "unknown".to_owned()
    } else {
        format!("{}/{}", node.namespace, node.workload)
    }
}

#[cfg(test)]
mod tests;
