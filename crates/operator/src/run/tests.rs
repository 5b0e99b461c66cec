mod ending;
mod leading;
mod orphans;
mod status;

use serde_json::{Value, json};

use crate::stub_api_server::{RecordedRequest, StubApiServer, StubResponse};

use super::*;

const RESOURCES: &str = "/apis/alscope.dev/v1alpha1/meshobservabilities";
const OWN_CONFIG_MAPS: &str = "/api/v1/namespaces/alscope-system/configmaps";

fn resource(name: &str) -> Value {
    json!({
        "apiVersion": "alscope.dev/v1alpha1", "kind": "MeshObservability",
        "metadata": {"name": name, "uid": format!("uid-{name}"), "resourceVersion": "5", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {},
    })
}

/// Whoever asks leads, and each write is as it was sent.
fn leading(asked: &RecordedRequest) -> StubResponse {
    match asked.verb.as_str() {
        "GET" => StubResponse::Code(404),
        _ => StubResponse::Object(asked.body.clone()),
    }
}

fn clock() -> Clock {
    Clock::Counted {
        from: jiff::Timestamp::UNIX_EPOCH,
        since: Instant::now(),
    }
}

fn options() -> Options {
    Options {
        candidate: Candidate {
            namespace: "alscope-system".to_owned(),
            identity: "one".to_owned(),
            duration: Duration::from_secs(15),
            clock: clock(),
        },
        settings: OperatorSettings::default(),
        clock: clock(),
        replica_poller: ReplicaPoller::default(),
        admin: None,
    }
}

fn start(stub: &StubApiServer, options: Options, stop: &CancellationToken) -> JoinSet<Result<(), TaskEnded>> {
    let mut running = JoinSet::new();
    running.spawn(run(stub.client(), options, stop.clone()));
    running
}

/// Runs an operator for so many seconds, and tells what it wrote.
async fn written_within(stub: &StubApiServer, seconds: u64) -> Vec<String> {
    let stop = CancellationToken::new();
    let operator = start(stub, options(), &stop);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    stop.cancel();
    for ended in operator.join_all().await {
        ended.unwrap();
    }
    stub.writes()
}

/// A resource whose mesh is not there. Each of its writes is answered by `written`, as is each request of the Lease by `leases`.
fn unwired(
    leases: impl Fn(&RecordedRequest) -> StubResponse + Send + 'static,
    written: impl Fn(&RecordedRequest, Value) -> StubResponse + Send + 'static,
) -> StubApiServer {
    let stub = StubApiServer::new();
    stub.list(RESOURCES, StubResponse::Items(vec![resource("alscope")]));
    stub.rule(move |asked| {
        if asked.path.contains("/leases") {
            return leases(asked);
        }
        let mut object = asked.body.clone();
        if asked.path.contains("/meshobservabilities/") {
            object = resource("alscope");
            object["status"] = asked.body["status"].clone();
        }
        written(asked, object)
    });
    stub
}
