//! The page and its API on the web port. They read the published snapshot only.

mod topology;
mod why;

use std::sync::Arc;

use alscope_analysis::aggregate::totals::Snapshot;
use arc_swap::ArcSwap;
use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::assets;

/// The page loads nothing from elsewhere and runs no inline script.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);

type Published = Arc<ArcSwap<Snapshot>>;

/// The web port's routes.
pub fn router(published: Published) -> Router {
    let mut router = Router::new()
        .route("/api/v1/topology", get(topology::topology))
        .route("/api/v1/why", get(why::why));
    for asset in assets::ALL {
        router = router.route(asset.path, get(|| async { page(asset) }));
    }
    router.with_state(published)
}

fn page(asset: &assets::Asset) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type)),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, asset.body).into_response()
}
