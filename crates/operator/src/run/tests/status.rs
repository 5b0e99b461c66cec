//! When a status is written.

use crate::run::status::COUNTS_INTERVAL;
use alscope_plan::api::{MeshObservability, MeshObservabilityStatus};

use super::*;

/// An operator that leads, without its loop.
fn operator(stub: &StubApiServer) -> (Operator, watch::Sender<Option<Instant>>) {
    let (leads, until) = watch::channel(Some(Instant::now() + Duration::from_secs(1000)));
    let leadership = Leadership::new(until);
    let client = leadership.guarded_client(&stub.client());
    let settings = OperatorSettings::default();
    let operator = Operator {
        gather: ClusterReader::start(
            &client,
            &settings.namespace,
            Arc::default(),
            CancellationToken::new(),
        ),
        writer: StepWriter::new(client.clone(), &settings.namespace),
        report: StatusReporter::new(client, "one"),
        leadership,
        stop: CancellationToken::new(),
        replica_poller: ReplicaPoller::default(),
        replicas: watch::channel(Vec::new()).0,
        clock: clock(),
        metrics: Metrics::default(),
        failures: HashMap::new(),
        statuses: HashMap::new(),
        overwritten_versions: BTreeMap::new(),
        reported_orphans: HashMap::new(),
        settings,
    };
    (operator, leads)
}

fn with_proxies(up_to_date: i64, state: &str) -> MeshObservabilityStatus {
    let proxies = json!({"summary": "", "total": 9, "upToDate": up_to_date, "pendingRestart": 0});
    serde_json::from_value(json!({"state": state, "proxies": proxies})).unwrap()
}

#[tokio::test(start_paused = true)]
async fn counts_are_written_every_few_seconds_and_news_at_once() {
    let stub = unwired(leading, |_, object| StubResponse::Object(object));
    let (mut operator, _leads) = operator(&stub);
    let mut resource: MeshObservability = serde_json::from_value(resource("alscope")).unwrap();
    // What a status is, whether it is written, and how long until the next tenth of a second.
    for (tenths, up_to_date, state, is_written) in [
        (0, 1, "Writing", true),
        (2, 2, "Writing", false),
        (40, 3, "Writing", false),
        (8, 4, "Writing", true),
        (1, 5, "Ready", true),
        (49, 6, "Ready", false),
        (1, 7, "Ready", true),
        (9, 7, "Ready", false),
    ] {
        tokio::time::advance(Duration::from_millis(100 * tenths)).await;
        let status = with_proxies(up_to_date, state);
        let before = stub.writes().len();
        let (newest, counts_in) = operator.report_status(&resource, &status).await.unwrap();
        assert_eq!(
            stub.writes().len() - before,
            usize::from(is_written),
            "{up_to_date}"
        );
        let is_known = newest.status.as_ref() == Some(&status);
        assert_eq!(
            counts_in < COUNTS_INTERVAL,
            !is_known,
            "{up_to_date} {counts_in:?}"
        );
        resource = newest;
    }
}

#[tokio::test(start_paused = true)]
async fn a_status_that_can_not_be_written_is_tried_ever_later() {
    let stub = unwired(leading, |_, _| StubResponse::Code(403));
    let (mut operator, _leads) = operator(&stub);
    let resource: MeshObservability = serde_json::from_value(resource("alscope")).unwrap();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(40) {
        operator
            .report_status(&resource, &with_proxies(1, "Ready"))
            .await
            .unwrap_err();
        tokio::time::advance(Duration::from_millis(500)).await;
    }
    let tried = stub.asked(&["PATCH"]).into_iter();
    let seconds: Vec<u64> = tried.map(|one| one.at.duration_since(began).as_secs()).collect();
    assert_eq!(seconds, [0, 1, 3, 7, 15, 31]);
}
