//! The admin port: liveness, readiness and the operator's own metrics.

use std::sync::Arc;

use alscope_plan::world::World;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use parking_lot::Mutex;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::error;

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The metrics of the operator. Their names start with `alscope_operator_`.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    leader: Gauge,
    passes: Counter,
    writes: Family<WriteLabels, Counter>,
    proxies: Family<ProxyLabels, Gauge>,
    unreadable: Family<ResourceLabels, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResourceLabels {
    resource: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WriteLabels {
    outcome: WriteOutcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "label values are lower-case words")]
enum WriteOutcome {
    done,
    failed,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProxyLabels {
    resource: String,
    state: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("alscope_operator");
        let metrics = Self {
            leader: Gauge::default(),
            passes: Counter::default(),
            writes: Family::default(),
            proxies: Family::default(),
            unreadable: Family::default(),
            registry: Arc::default(),
        };
        registry.register("leader", "1 when this operator writes", metrics.leader.clone());
        registry.register("passes", "Passes over all resources", metrics.passes.clone());
        registry.register("writes", "Requests that change something", metrics.writes.clone());
        registry.register(
            "proxies",
            "Proxies of a resource's mesh, by whether they know the collector's address",
            metrics.proxies.clone(),
        );
        registry.register(
            "unreadable_objects",
            "Objects that this version of the operator can't read",
            metrics.unreadable.clone(),
        );
        let build = vec![
            ("version", env!("CARGO_PKG_VERSION")),
            ("commit", env!("ALSCOPE_COMMIT")),
        ];
        registry.register("build", "What runs", Info::new(build));
        *metrics.registry.lock() = registry;
        metrics
    }
}

impl Metrics {
    /// Sets whether this operator leads.
    pub fn set_leader(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// Counts a pass that begins, and sets the counts of proxies from the status of each resource.
    pub fn count_pass(&self, world: &World) {
        self.passes.inc();
        let Ok(resources) = &world.resources else {
            return;
        };
        self.proxies.clear();
        for resource in resources {
            let Some(proxies) = resource
                .status
                .as_ref()
                .and_then(|status| status.proxies.as_ref())
            else {
                continue;
            };
            let name = resource.name().to_owned();
            for (state, count) in [
                ("up_to_date", proxies.up_to_date),
                ("pending_restart", proxies.pending_restart),
                ("silent", proxies.silent),
            ] {
                let labels = ProxyLabels {
                    resource: name.clone(),
                    state,
                };
                self.proxies.get_or_create(&labels).set(count);
            }
        }
    }

    /// Sets how many objects of each resource can't be decoded.
    pub fn set_unreadable(&self, counts: &[(&str, usize)]) {
        self.unreadable.clear();
        for (resource, count) in counts {
            let labels = ResourceLabels {
                resource: (*resource).to_owned(),
            };
            let gauge = self.unreadable.get_or_create(&labels);
            gauge.inc_by(i64::try_from(*count).unwrap_or(i64::MAX));
        }
    }

    /// Counts a write that was done.
    pub fn count_write(&self) {
        self.writes
            .get_or_create(&WriteLabels {
                outcome: WriteOutcome::done,
            })
            .inc();
    }

    /// Counts a write that failed.
    pub fn count_failed_write(&self) {
        self.writes
            .get_or_create(&WriteLabels {
                outcome: WriteOutcome::failed,
            })
            .inc();
    }

    fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry.lock())?;
        Ok(text)
    }
}

/// Serves the admin port until `stopping`. The operator is ready as soon as it runs: conditions say what it lacks, and a restart would
/// not help.
pub async fn serve(socket: TcpListener, metrics: Metrics, stopping: CancellationToken) {
    let router = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(|| async { "ok\n" }))
        .route("/metrics", get(show))
        .with_state(metrics);
    let served = axum::serve(socket, router).with_graceful_shutdown(stopping.cancelled_owned());
    if let Err(error) = served.await {
        error!(%error, "the admin port stopped being served");
    }
}

async fn show(State(metrics): State<Metrics>) -> Response {
    match metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_have_the_operators_prefix_and_count() {
        let metrics = Metrics::default();
        metrics.set_leader(true);
        metrics.count_write();
        metrics.count_write();
        metrics.count_failed_write();
        metrics.count_pass(&World::default());
        metrics.set_unreadable(&[("pods", 1), ("telemetries.telemetry.istio.io", 0), ("pods", 2)]);
        let text = metrics.text().unwrap();
        for line in [
            "alscope_operator_leader 1",
            "alscope_operator_passes_total 1",
            "alscope_operator_writes_total{outcome=\"done\"} 2",
            "alscope_operator_writes_total{outcome=\"failed\"} 1",
            "alscope_operator_unreadable_objects{resource=\"pods\"} 3",
            "alscope_operator_unreadable_objects{resource=\"telemetries.telemetry.istio.io\"} 0",
        ] {
            assert!(text.lines().any(|one| one == line), "{line} in\n{text}");
        }
        assert!(text.contains("alscope_operator_build_info{version="), "{text}");
    }
}
