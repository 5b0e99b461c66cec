//! Liveness, readiness, metrics and intake on the admin port.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use alscope_analysis::accounting::Rejected;
use alscope_analysis::aggregate::totals::Snapshot;
use alscope_analysis::directory::Directory;
use arc_swap::ArcSwap;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use serde::Serialize;

use crate::envoy_metrics::Proxies;
use crate::export::prometheus::families::Gauges;
use crate::export::prometheus::{CONTENT_TYPE, Prometheus};
use crate::export::queue::Counted;
use crate::log_limit;
use crate::receive::limits::Usage;

/// Whether the collector takes entries: the directory is there and the port is open.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Says whether the collector is ready.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
    }

    /// Whether it is.
    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// What the admin port reads.
#[derive(Clone, Debug)]
pub struct Admin {
    /// The published snapshot.
    pub published: Arc<ArcSwap<Snapshot>>,
    /// The published directory.
    pub directory: Arc<ArcSwap<Directory>>,
    /// Open streams.
    pub usage: Arc<Usage>,
    /// Whether the collector takes entries.
    pub readiness: Readiness,
    /// Analyzers that are configured for any kind of entry.
    pub analyzers: usize,
    /// What Envoys reported about themselves.
    pub proxies: Arc<Proxies>,
    /// Renders the metrics.
    pub prometheus: Arc<Prometheus>,
    /// What became of kept entries, if any are kept.
    pub json_lines: Option<Counted>,
}

/// The admin port's routes.
pub fn router(admin: Admin) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/intake", get(intake))
        .with_state(admin)
}

async fn readyz(State(admin): State<Admin>) -> Response {
    if admin.readiness.is_ready() {
        "ok\n".into_response()
    } else {
        let reason = "not ready: the directory has not been listed yet, or the collector is stopping\n";
        (StatusCode::SERVICE_UNAVAILABLE, reason).into_response()
    }
}

async fn metrics(State(admin): State<Admin>) -> Response {
    let gauges = Gauges {
        analyzers: admin.analyzers,
        streams: admin.usage.streams(),
        connections: admin.usage.connections(),
        log_lines_left_out: log_limit::left_out(),
        directory_version: admin.directory.load().version(),
        json_lines: admin.json_lines.as_ref().map(Counted::now),
    };
    let snapshot = admin.published.load_full();
    let pieces = admin.prometheus.render(snapshot, &gauges, &admin.proxies);
    let body = Body::from_stream(futures::stream::iter(pieces.map(Ok::<_, Infallible>)));
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], body).into_response()
}

/// What came in, in a few bytes, however many series there are: the operator asks every replica every few seconds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Intake {
    entries_received: u64,
    messages_rejected: u64,
    /// RFC 3339; absent before the first entry.
    last_entry_at: Option<String>,
}

async fn intake(State(admin): State<Admin>) -> Json<Intake> {
    let snapshot = admin.published.load();
    let rejected = Rejected::ALL
        .iter()
        .map(|reason| snapshot.accounting.messages_rejected(*reason));
    let last_entry_at = snapshot
        .last_entry
        .and_then(|moment| Timestamp::from_nanosecond(moment.0.into()).ok())
        .map(|timestamp| timestamp.to_string());
    Json(Intake {
        entries_received: snapshot.accounting.received,
        messages_rejected: rejected.sum(),
        last_entry_at,
    })
}
