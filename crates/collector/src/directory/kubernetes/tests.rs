use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use alscope_analysis::directory::records::Record;
use axum::Json;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::*;

/// An API server that knows the core kinds, of which there are no objects, and answers so about `ServiceEntries`; it has no
/// `WorkloadEntries`.
#[derive(Clone)]
enum ServiceEntries {
    Listed(Value),
    Refused((u16, &'static str)),
    /// Refused until they were asked for once.
    RefusedOnce(Arc<AtomicBool>, Value),
}

async fn answer(
    State(entries): State<ServiceEntries>,
    uri: Uri,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let refuse = |(code, message)| {
        let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code});
        (StatusCode::from_u16(code).unwrap(), Json(status)).into_response()
    };
    let is_service_entries = uri.path().ends_with("/serviceentries");
    let is_istios = uri.path().contains("/networking.istio.io/");
    let items = match (is_service_entries, entries) {
        // What may not be read of Istio's kinds is none of them.
        (false, ServiceEntries::Refused(refused)) if is_istios => return refuse(refused),
        (false, _) => json!([]),
        (true, ServiceEntries::Listed(items)) => items,
        (true, ServiceEntries::Refused(refused)) => return refuse(refused),
        (true, ServiceEntries::RefusedOnce(asked, items)) => {
            if !asked.swap(true, Ordering::Relaxed) {
                return refuse((FORBIDDEN, "forbidden"));
            }
            items
        }
    };
    if query.contains_key("watch") {
        // Nothing happens.
        return std::future::pending().await;
    }
    Json(json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items}))
        .into_response()
}

/// What the source sees of the API server until it has listed each kind.
async fn seen(entries: ServiceEntries) -> Vec<Change> {
    let mut missing = Kind::ALL.to_vec();
    seen_until(entries, |change| {
        if let Change::EndList(listed) = change {
            missing.retain(|kind| kind != listed);
        }
        missing.is_empty()
    })
    .await
}

/// What the source sees of the API server until a change is the last.
async fn seen_until(entries: ServiceEntries, mut is_last: impl FnMut(&Change) -> bool) -> Vec<Change> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut tasks = JoinSet::new();
    let router = Router::new().fallback(answer).with_state(entries);
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    let client = Client::try_from(Config::new(url.parse().unwrap())).unwrap();
    let (changes, mut taken) = mpsc::channel(16);
    tasks.spawn(watch_all(
        client,
        Arc::default(),
        changes,
        CancellationToken::new(),
    ));
    let mut seen = Vec::new();
    loop {
        let change = timeout(Duration::from_secs(10), taken.recv()).await;
        let change = change
            .unwrap_or_else(|_| panic!("nothing more after {seen:?}"))
            .unwrap();
        let is_last = is_last(&change);
        seen.push(change);
        if is_last {
            return seen;
        }
    }
}

#[rstest]
#[case::not_installed((ABSENT, "404 page not found"))]
#[case::not_allowed((FORBIDDEN, "forbidden"))]
#[tokio::test]
async fn without_istios_kinds_the_directory_is_complete(#[case] refused: (u16, &'static str)) {
    let seen = seen(ServiceEntries::Refused(refused)).await;
    assert!(!seen.iter().any(|change| matches!(change, Change::Apply(_))));
}

#[tokio::test]
async fn a_right_that_is_given_is_in_force_soon() {
    let entry = json!({
        "metadata": {"name": "billing", "namespace": "demo", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"hosts": ["billing.example"], "resolution": "DNS"},
    });
    let entries = ServiceEntries::RefusedOnce(Arc::default(), json!([entry]));
    // Each change comes within ten seconds of the one before.
    seen_until(entries, |change| matches!(change, Change::Apply(_))).await;
}

#[rstest]
// proves: directory/service-entry-resolution
#[case::fixed("STATIC", &["198.51.100.0/24", "192.0.2.9"])]
// proves: directory/service-entry-resolution
#[case::passed_on("NONE", &["198.51.100.0/24", "192.0.2.9"])]
// proves: directory/service-entry-resolution
#[case::by_name("DNS", &[])]
// proves: directory/service-entry-resolution
#[case::by_name_round_robin("DNS_ROUND_ROBIN", &[])]
#[tokio::test]
async fn service_entries_are_listed(#[case] resolution: &str, #[case] addresses: &[&str]) {
    let entry = json!({
        "metadata": {"name": "legacy", "namespace": "outside", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {
            "hosts": ["legacy.example.com"],
            "addresses": ["198.51.100.0/24"],
            "endpoints": [{"address": "192.0.2.9"}, {"address": "name.example.com"}],
            "ports": [{"number": 443, "name": "https", "protocol": "HTTPS"}],
            "resolution": resolution,
        },
    });
    let seen = seen(ServiceEntries::Listed(json!([entry]))).await;
    let records: Vec<&Record> = seen
        .iter()
        .filter_map(|change| match change {
            Change::Apply(record) => Some(&**record),
            _ => None,
        })
        .collect();
    let [Record::ServiceEntry(record)] = records[..] else {
        panic!("{seen:?}")
    };
    assert_eq!(
        (record.namespace.as_str(), record.name.as_str()),
        ("outside", "legacy")
    );
    assert_eq!(record.hosts, ["legacy.example.com"]);
    let mut expected: Vec<_> = addresses.iter().map(|text| text.parse().unwrap()).collect();
    expected.sort();
    assert_eq!(record.addresses, expected);
}
