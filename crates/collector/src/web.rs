//! The page and its API on the web port. They read only the published snapshot.

pub mod hosts;
pub mod tags;
mod topology;
mod why;

use std::sync::Arc;

use alscope_analysis::aggregate::totals::Snapshot;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, middleware};
use tokio::sync::watch;

use crate::assets;

/// The header that keeps the page from loading anything from elsewhere and from running inline scripts.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);

use hosts::Hosts;

/// The header for answers that a browser may keep, but must revalidate each time.
const REVALIDATED: HeaderValue = HeaderValue::from_static("no-cache");

type Published = watch::Receiver<Arc<Snapshot>>;

/// Builds the routes of the web port. They answer requests in the name of `hosts`, of loopback, or of the
/// address that the client reached.
pub fn router(published: Published, hosts: Hosts) -> Router {
    let mut router = Router::new()
        .route("/api/v1/topology", get(topology::topology))
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
