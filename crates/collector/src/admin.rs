//! The admin port: liveness, readiness, metrics and intake.

pub mod scrapes;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use alscope_analysis::accounting::Rejected;
use alscope_analysis::aggregate::totals::Snapshot;
use alscope_analysis::directory::Directory;
use arc_swap::ArcSwap;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures::stream::{StreamExt as _, unfold};
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::coop::consume_budget;

use crate::directory::freshness::{Freshness, KindFreshness};
use crate::envoy_metrics::Proxies;
use crate::export::exporters::ExporterCounts;
use crate::export::prometheus::Prometheus;
use crate::export::prometheus::families::ScrapeGauges;
use crate::export::prometheus::format::Format;
use crate::log_limit;
use crate::process::Process;
use crate::receive::limits::Usage;
use crate::serve::connections::Connections;
use scrapes::Scrapes;

/// Whether the collector takes entries. It does once the directory is complete and the port
/// of the streams is open.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Sets whether the collector is ready.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
    }

    /// Returns whether the collector is ready.
    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Everything that the routes of the admin port read.
#[derive(Clone, Debug)]
pub struct Admin {
    /// The latest published snapshot of all counts.
    pub published: watch::Receiver<Arc<Snapshot>>,
    /// The latest published version of the directory.
    pub directory: Arc<ArcSwap<Directory>>,
    /// How fresh each kind of the directory's objects is.
    pub freshness: Arc<Freshness>,
    /// The limits, and how much of them clients use.
    pub usage: Arc<Usage>,
    /// Whether the collector takes entries.
    pub readiness: Readiness,
    /// How many different analyzers are configured, for any kind of entry.
    pub analyzers: usize,
    /// The metrics that Envoys reported about themselves.
    pub proxies: Arc<Proxies>,
    /// The renderer of `/metrics`, which remembers rendered labels.
    pub prometheus: Arc<Prometheus>,
    /// The fate of kept entries, by exporter.
    pub exporters: ExporterCounts,
    /// The connections of each HTTP port, by the port's name.
    pub ports: [(&'static str, Arc<Connections>); 2],
    /// Tracks whether a scrape has seen the last counts.
    pub scrapes: Arc<Scrapes>,
}

/// Builds the routes of the admin port.
pub fn router(admin: Admin) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/intake", get(intake))
        .with_state(admin)
}

async fn readyz(State(admin): State<Admin>, Query(query): Query<HashMap<String, String>>) -> Response {
    let (status, text) = if admin.readiness.is_ready() {
        (StatusCode::OK, "ok\n")
    } else {
        let reason = "not ready: the directory is not complete yet, or the collector is stopping\n";
        (StatusCode::SERVICE_UNAVAILABLE, reason)
    };
    let mut text = text.to_owned();
    if query.contains_key("verbose") {
        text.extend(admin.freshness.now().iter().map(told));
    }
    (status, text).into_response()
}

/// Formats a kind's line of `/readyz?verbose`.
fn told(freshness: &KindFreshness) -> String {
    let mark = if freshness.is_listed { "[+]" } else { "[-]" };
    let listed = if freshness.is_listed {
        "listed"
    } else {
        "not listed yet"
    };
    let (kind, age) = (freshness.kind.as_str(), freshness.age.as_secs());
    let failure = freshness.failure.as_ref();
    let failure = failure.map(|(ago, why)| format!("; failed {} s ago: {why}", ago.as_secs()));
    format!(
        "{mark}{kind} {listed}, {age} s old{}\n",
        failure.unwrap_or_default()
    )
}

async fn metrics(State(admin): State<Admin>, headers: HeaderMap) -> Response {
    let gauges = ScrapeGauges {
        analyzers: admin.analyzers,
        streams: admin.usage.streams(),
        streams_refused: admin.usage.streams_refused(),
        connections: admin.usage.connections(),
        log_lines_left_out: log_limit::left_out(),
        directory_version: admin.directory.load().version(),
        kinds: admin.freshness.now(),
        exporters: admin.exporters.now(),
        process: Process::now().ok(),
        ports: Some(
            admin
                .ports
                .each_ref()
                .map(|(port, connections)| (*port, connections.counts())),
        ),
    };
    let accept = headers.get_all(header::ACCEPT).iter();
    let format = Format::accepted(accept.filter_map(|value| value.to_str().ok()));
    let scrape = admin.scrapes.begin();
    let snapshot = admin.published.borrow().clone();
    let pieces = admin.prometheus.render(snapshot, format, &gauges, &admin.proxies);
    let pieces = unfold((pieces, scrape), async |(mut pieces, scrape)| {
        // A client that reads fast must not keep the others of this thread waiting.
        consume_budget().await;
        let Some(piece) = pieces.next() else {
            scrape.end();
            return None;
        };
        Some((Ok::<_, Infallible>(piece), (pieces, scrape)))
    });
    // A compressing layer polls the body once more after its end, which an unfused stream may not survive.
    let body = Body::from_stream(pieces.fuse());
    ([(header::CONTENT_TYPE, format.content_type())], body).into_response()
}

/// The body of `/intake`, a few bytes however many series there are, because the operator asks
/// every replica every few seconds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Intake {
    entries_received: u64,
    messages_rejected: u64,
    /// When the last entry came in, in RFC 3339. Absent before the first entry.
    last_entry_at: Option<String>,
}

async fn intake(State(admin): State<Admin>) -> Json<Intake> {
    let snapshot = admin.published.borrow().clone();
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
