mod cluster;
mod outages;
mod undecodable;

use std::time::Duration;

use alscope_analysis::directory::records::Record;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use cluster::{Cluster, Mood};

/// Returns whether all kinds are listed.
fn is_complete(seen: &[Change]) -> bool {
    let is_listed = |kind: &ObjectKind| {
        let mut seen = seen.iter();
        seen.any(|change| matches!(change, Change::EndList(listed) if listed == kind))
    };
    ObjectKind::ALL.iter().all(is_listed)
}

#[rstest]
#[case::not_installed(404, 0)]
#[case::not_allowed(403, 1)]
#[tokio::test(start_paused = true)]
async fn without_service_entries_the_directory_is_complete(#[case] refused: u16, #[case] lines: usize) {
    let mut cluster = Cluster::new(Mood::Works);
    cluster.answers_of("serviceentries", Mood::Answers(refused));
    let seen = cluster.pass(Duration::from_secs(1)).await;
    assert!(is_complete(&seen), "{seen:?}");
    assert!(!seen.iter().any(|change| matches!(change, Change::Apply(_))));
    cluster.pass(Duration::from_secs(50)).await;
    assert_eq!(cluster.log().len(), lines);
    // The kind is requested again and again, and each answer counts as a report about it.
    assert!(cluster.freshness(ObjectKind::ServiceEntry).age < Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn a_right_that_is_given_is_in_force_soon() {
    let mut cluster = Cluster::new(Mood::Works);
    cluster.answers_of("serviceentries", Mood::Answers(403));
    let entry = json!({
        "metadata": {"name": "billing", "namespace": "demo", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"hosts": ["billing.example"], "resolution": "DNS"},
    });
    cluster.adds("serviceentries", &entry);
    cluster.pass(Duration::from_secs(1)).await;
    cluster.answers_of("serviceentries", Mood::Works);
    assert!(cluster.until_known("billing").await < Duration::from_secs(2));
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
#[tokio::test(start_paused = true)]
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
    let mut cluster = Cluster::new(Mood::Works);
    cluster.adds("serviceentries", &entry);
    let seen = cluster.pass(Duration::from_secs(1)).await;
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
