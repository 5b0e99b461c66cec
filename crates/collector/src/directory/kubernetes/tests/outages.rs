//! An API server that refuses, fails, hangs or is away: how often it is asked, what is logged, and when it
//! is over.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use tokio::time::Instant;

use super::cluster::{Cluster, Mood};
use super::*;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const PLURALS: [&str; 6] = [
    "pods",
    "services",
    "endpointslices",
    "nodes",
    "serviceentries",
    "workloadentries",
];

fn pod(name: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "demo", "uid": name}, "status": {"podIP": "10.0.0.2"}})
}

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

/// Each resource is requested and logged separately.
#[rstest]
#[case::it_refuses(Mood::Answers(403))]
#[case::nobody_is_known(Mood::Answers(401))]
#[case::it_cannot_go_on(Mood::Answers(410))]
#[case::it_fails(Mood::Answers(500))]
#[case::it_has_too_much_to_do(Mood::Answers(429))]
#[case::it_is_away(Mood::Answers(503))]
#[case::it_lets_list_and_not_watch(Mood::RefusesWatches(403))]
#[case::it_ends_watches_at_once(Mood::EndsWatches)]
#[case::it_forgets_what_it_listed(Mood::Forgets)]
#[case::it_hangs(Mood::Hangs)]
#[case::its_watches_are_silent(Mood::IsSilent)]
#[case::it_is_something_else(Mood::IsAnother)]
#[tokio::test(start_paused = true)]
async fn an_api_server_that_fails_for_ever_is_asked_seldom_and_spoken_of_seldom(#[case] mood: Mood) {
    let begin = Instant::now();
    let mut cluster = Cluster::new(mood);
    cluster.pass(seconds(10)).await;
    for plural in PLURALS {
        let asked = cluster.asked(plural, begin).len();
        assert!((1..=18).contains(&asked), "{plural}: {asked} in 10 s");
    }
    cluster.pass(HOUR).await;
    let begin = Instant::now();
    cluster.pass(HOUR).await;
    for plural in PLURALS {
        // A resource that can be listed but not watched for long is listed again each time.
        let asked = cluster.asked(plural, begin).len();
        assert!((70..=720).contains(&asked), "{plural}: {asked} in an hour");
    }
    let log = cluster.log();
    // The lines come at 0, 1, 3, 7, 15, 31 and 63 minutes.
    assert_eq!(log.len(), 7 * PLURALS.len(), "{log:#?}");
    assert!(!cluster.whole_log().contains("secret"));
}

#[rstest]
#[case::it_refuses(Mood::Answers(403), 7)]
#[case::it_fails(Mood::Answers(500), 7)]
#[case::it_ends_watches_at_once(Mood::EndsWatches, 7)]
// A request from the time of the outage is still waited for.
#[case::it_hangs(Mood::Hangs, 22)]
#[tokio::test(start_paused = true)]
async fn after_an_outage_of_20_s_a_new_pod_is_known_within_seconds(#[case] mood: Mood, #[case] most: u64) {
    let mut cluster = Cluster::new(Mood::Works);
    cluster.pass(MINUTE).await;
    cluster.becomes(mood);
    cluster.pass(seconds(20)).await;
    cluster.adds("pods", &pod("new"));
    cluster.becomes(Mood::Works);
    let took = cluster.until_known("new").await;
    assert!(took <= seconds(most), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn kinds_are_not_asked_for_in_step() {
    let begin = Instant::now();
    let mut cluster = Cluster::new(Mood::Answers(500));
    cluster.pass(MINUTE).await;
    let times = |plural| {
        let asked = cluster.asked(plural, begin);
        asked.iter().skip(1).map(|asked| asked.at).collect::<Vec<_>>()
    };
    let (pods, nodes) = (times("pods"), times("nodes"));
    assert_ne!(pods, nodes);
}

#[tokio::test(start_paused = true)]
async fn a_quiet_watch_is_asked_for_anew_twice_a_minute_and_nothing_is_said() {
    let begin = Instant::now();
    let mut cluster = Cluster::new(Mood::Works);
    cluster.pass(seconds(599)).await;
    for plural in PLURALS {
        // There is one list, and a watch every thirty seconds.
        assert_eq!(cluster.asked(plural, begin).len(), 21, "{plural}");
    }
    assert_eq!(cluster.log(), [""; 0]);
    let freshness = cluster.freshness(ObjectKind::Node);
    assert!(
        freshness.is_listed && freshness.age <= seconds(30),
        "{freshness:?}"
    );
    assert_eq!((freshness.failures, freshness.failure), (0, None));
}

#[tokio::test(start_paused = true)]
async fn a_missing_right_is_named() {
    let mut cluster = Cluster::new(Mood::Works);
    cluster.answers_of("pods", Mood::RefusesWatches(403));
    cluster.answers_of("serviceentries", Mood::Answers(403));
    cluster.pass(seconds(1)).await;
    let refused = "the API server refuses the request (403: so it is); give the collector's service account this right; \
                   the collector keeps the objects that it knows and tries again";
    let mut log = cluster.log();
    log.sort();
    let expected = ["list serviceentries.networking.istio.io", "watch pods"];
    assert_eq!(log, expected.map(|asked| format!("{asked}: {refused}")));
    let (age, failure) = cluster.freshness(ObjectKind::Pod).failure.unwrap();
    assert!(
        age < seconds(1) && failure.starts_with("watch pods: "),
        "{failure}"
    );
}

#[tokio::test(start_paused = true)]
async fn it_is_said_once_that_it_works_again() {
    let mut cluster = Cluster::new(Mood::Works);
    cluster.answers_of("pods", Mood::Answers(500));
    cluster.pass(seconds(20)).await;
    cluster.answers_of("pods", Mood::Works);
    cluster.pass(10 * MINUTE).await;
    let log = cluster.log();
    let [failed, works] = &log[..] else {
        panic!("{log:?}")
    };
    assert!(
        failed.starts_with("list pods: the API server answers with status 500: so it is; look at its log"),
        "{failed}"
    );
    assert_eq!(works, "list and watch of pods work again");
    let freshness = cluster.freshness(ObjectKind::Pod);
    assert!(
        freshness.failures > 5 && freshness.failure.is_none(),
        "{freshness:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_hangs_is_found_out_within_35_s() {
    let mut cluster = Cluster::new(Mood::Works);
    cluster.answers_of("pods", Mood::IsSilent);
    cluster.pass(seconds(34)).await;
    assert_eq!(cluster.freshness(ObjectKind::Pod).age, seconds(34));
    assert_eq!(cluster.log(), [""; 0]);
    cluster.pass(seconds(2)).await;
    let log = cluster.log();
    assert!(
        log[0].starts_with("watch pods: the API server sent nothing for 35 s; check whether it hangs"),
        "{log:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn while_the_api_server_is_away_the_directory_stays_and_its_age_grows() {
    let mut cluster = Cluster::new(Mood::Works);
    cluster.adds("pods", &pod("old"));
    cluster.adds(
        "serviceentries",
        &json!({"metadata": {"name": "old", "namespace": "demo"}}),
    );
    cluster.pass(MINUTE).await;
    for mood in [403, 404, 410, 500].map(Mood::Answers) {
        let begin = Instant::now();
        cluster.becomes(mood);
        let learnt = cluster.pass(HOUR).await;
        let ends = |change: &Change| matches!(change, Change::Delete(_) | Change::EndList(_));
        assert!(!learnt.iter().any(ends), "{mood:?}: {learnt:?}");
        let asked = cluster.asked("pods", begin).len();
        assert!((60..=720).contains(&asked), "{mood:?}: {asked} in an hour");
    }
    for kind in ObjectKind::ALL {
        let freshness = cluster.freshness(kind);
        assert!(freshness.is_listed, "{freshness:?}");
        assert!(
            freshness.age >= 4 * HOUR && freshness.age <= 4 * HOUR + MINUTE,
            "{freshness:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_goes_on_from_what_is_known_and_lists_at_once_what_is_forgotten() {
    let begin = Instant::now();
    let mut cluster = Cluster::new(Mood::Works);
    cluster.pass(seconds(1)).await;
    cluster.says("pods", "ADDED", &pod("a"));
    cluster.says(
        "pods",
        "BOOKMARK",
        &json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}}),
    );
    let learnt = cluster.pass(seconds(31)).await;
    let from = |asked: Vec<super::cluster::Asked>| -> Vec<Option<String>> {
        asked.into_iter().map(|asked| asked.watch_from).collect()
    };
    let version = |number: u64| Some(number.to_string());
    assert_eq!(from(cluster.asked("pods", begin)), [None, version(0), version(2)]);
    assert!(
        learnt.iter().any(|change| matches!(change, Change::Apply(_))),
        "{learnt:?}"
    );
    let begin = Instant::now();
    cluster.says(
        "pods",
        "ERROR",
        &json!({"kind": "Status", "code": 410, "message": "too old"}),
    );
    cluster.pass(Duration::from_millis(1)).await;
    assert_eq!(from(cluster.asked("pods", begin)), [None, version(3)]);
    assert_eq!(cluster.log(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_version_of_the_future_is_listed_anew() {
    let begin = Instant::now();
    let mut cluster = Cluster::new(Mood::Works);
    cluster.pass(seconds(6)).await;
    let causes = json!([{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]);
    let status = json!({"kind": "Status", "code": 504, "details": {"causes": causes}});
    cluster.says("pods", "ERROR", &status);
    cluster.pass(Duration::from_millis(1)).await;
    let lists = cluster.asked("pods", begin).into_iter();
    assert_eq!(lists.filter(|asked| asked.watch_from.is_none()).count(), 2);
}
