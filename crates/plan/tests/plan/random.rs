//! Whatever happens in whatever order: in the end the text is the last that somebody else wrote, byte for byte.

use alscope_plan::api::Wiring;
use alscope_plan::world::ReadError;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::assignment::plan_of_the_other;
use crate::cluster::{Cluster, Rollout, Unreadable};
use crate::gateways::gateway_pod;
use crate::invariants::assert_deletion_leaves_nothing;
use crate::mesh::{self, CHART};

/// One thing that happens.
#[derive(Clone, Debug)]
enum Event {
    Pass,
    Seconds(i64),
    /// The chart, or something else, sets the text; texts differ in what they already say.
    Revert(usize),
    Edit(usize),
    CollectorAvailable,
    CollectorBroken,
    Delete,
    ForceDelete,
    Create(Wiring),
    Spec(usize, Wiring),
    /// Passes until the operator has done so many steps and dies.
    KilledAfter(usize),
    Proxies(Pods),
    /// The pods can't be read any more, or again.
    Unreadable(bool),
}

/// The pods of the mesh, all of them.
#[derive(Clone, Copy, Debug)]
enum Pods {
    Outdated,
    UpToDate,
    Ending,
    OfGateway,
}

const RESETS: [&str; 7] = [
    CHART,
    "# an upgrade\ndefaultConfig:\n  concurrency: 2\n  discoveryAddress: istiod.istio-system.svc:15012\ntrustDomain: x\n",
    mesh::FOREIGN,
    "{trustDomain: x, defaultConfig: {concurrency: 2}}\n",
    "trustDomain: x\r\nenableEnvoyAccessLogService: false\r\ndefaultConfig: {}\r\n",
    "trustDomain: x\naccessLogFile: /dev/stdout\ndefaultProviders:\n  metrics: [prometheus]\n",
    "trustDomain: x\ndefaultProviders: {accessLogging: [otel]}\nextensionProviders: [{name: otel, zipkin: {}}]\n",
];

const SPECS: [&str; 4] = ["Managed", "Removed", "Unmanaged", "Plan"];

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => Just(Event::Pass),
        2 => (1..8_i64).prop_map(Event::Seconds),
        2 => (0..RESETS.len()).prop_map(Event::Revert),
        2 => (0..3_usize).prop_map(Event::Edit),
        2 => Just(Event::CollectorAvailable),
        1 => Just(Event::CollectorBroken),
        1 => Just(Event::Delete),
        1 => Just(Event::ForceDelete),
        2 => wiring().prop_map(Event::Create),
        1 => (0..SPECS.len(), wiring()).prop_map(|(state, wiring)| Event::Spec(state, wiring)),
        3 => (0..6_usize).prop_map(Event::KilledAfter),
        1 => prop_oneof![
            Just(Pods::Outdated), Just(Pods::UpToDate), Just(Pods::Ending), Just(Pods::OfGateway),
        ].prop_map(Event::Proxies),
        1 => any::<bool>().prop_map(Event::Unreadable),
    ]
}

fn wiring() -> impl Strategy<Value = Wiring> {
    prop_oneof![Just(Wiring::MeshConfig), Just(Wiring::TelemetryProvider)]
}

fn spec(state: &str, wiring: Wiring) -> Value {
    json!({"managementState": state, "mesh": {"wiring": wiring, "conflictPolicy": "Overwrite", "allowGatewayRollout": true}})
}

fn edit(kind: usize, text: &str) -> String {
    match kind {
        // A flow mapping ends with its brace, so only what stands before it can be added there.
        0 => format!("# by hand\n{text}"),
        1 => text.replace("trustDomain: x", "trustDomain: \"y z\""),
        _ => text.replace("concurrency: 2", "concurrency: 4"),
    }
}

fn create(cluster: &mut Cluster, number: usize, wiring: Wiring) {
    if cluster.resources.is_empty() {
        let mut resource = mesh::resource("alscope", "2027-01-15T08:00:00Z", &spec("Managed", wiring));
        resource.metadata.uid = Some(format!("uid-{number}"));
        cluster.add(resource);
    }
}

fn happen(cluster: &mut Cluster, number: usize, event: &Event) {
    match event {
        Event::Pass => {
            cluster.pass();
            cluster.advance(1);
        }
        Event::Seconds(seconds) => cluster.advance(*seconds),
        Event::Revert(text) => cluster.reset("helm", RESETS[*text]),
        Event::Edit(kind) => cluster.edit(|text| edit(*kind, text)),
        Event::CollectorAvailable => cluster.roll_out(),
        Event::CollectorBroken => cluster.break_collector(),
        Event::Delete => cluster.delete(),
        Event::ForceDelete => cluster.force_delete(),
        Event::Create(wiring) => create(cluster, number, *wiring),
        Event::Spec(state, wiring) if !cluster.resources.is_empty() => {
            cluster.change_spec(&spec(SPECS[*state], *wiring));
        }
        Event::Spec(..) => {}
        Event::KilledAfter(steps) => {
            cluster.lives_for = Some(*steps);
            cluster.pass_for(3);
            cluster.restart();
        }
        Event::Proxies(pods) => happen_to_pods(cluster, *pods),
        Event::Unreadable(unreadable) => {
            cluster.unreadable.proxies = unreadable.then(|| ReadError::Failed {
                what: "pods".to_owned(),
                message: "timed out".to_owned(),
            });
        }
    }
}

fn happen_to_pods(cluster: &mut Cluster, pods: Pods) {
    let mut pod = match pods {
        Pods::Outdated => mesh::pod("web", &json!({})),
        Pods::UpToDate | Pods::Ending => mesh::pod("web", &mesh::knows_the_address()),
        Pods::OfGateway => gateway_pod(&mesh::knows_the_address()),
    };
    if matches!(pods, Pods::Ending) {
        pod["metadata"]["deletionTimestamp"] = json!("2027-01-15T08:00:00Z");
    }
    cluster.pods = vec![pod];
    let managed = matches!(pods, Pods::OfGateway).then(|| mesh::managed_gateway("gateway"));
    cluster.gateways = managed.into_iter().collect();
}

/// A cluster in which all of this has happened, one after the other.
fn after(events: &[Event]) -> Cluster {
    let mut cluster = Cluster::stock(&spec("Managed", Wiring::MeshConfig));
    cluster.settings.drain_timeout = std::time::Duration::from_secs(6);
    cluster.rollout = Rollout::Held;
    for (number, event) in events.iter().enumerate() {
        happen(&mut cluster, number, event);
    }
    cluster
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_the_end_the_text_is_what_others_wrote_and_nothing_is_left(events in vec(event(), 1..40)) {
        let mut cluster = after(&events);
        cluster.unreadable = Unreadable::default();
        cluster.allow_rollouts();
        assert_deletion_leaves_nothing(&mut cluster);
    }

    #[test]
    fn in_the_end_a_managed_mesh_is_wired(events in vec(event(), 1..30), wiring in wiring()) {
        let mut cluster = after(&events);
        cluster.unreadable = Unreadable::default();
        cluster.allow_rollouts();
        cluster.rollout = Rollout::AtOnce;
        if cluster.resources.iter().any(|one| one.metadata.deletion_timestamp.is_some()) {
            cluster.settle();
        }
        create(&mut cluster, events.len(), wiring);
        // Another generation ends a contention.
        cluster.change_spec(&spec("Managed", wiring));
        cluster.settle();
        prop_assert_eq!(cluster.condition("Ready").1, "Ready");
        let settings = alscope_mesh_config::read(&cluster.text("istio").unwrap()).unwrap();
        let listed = settings.access_logging_providers.clone().unwrap_or_default();
        let is_listed = listed.iter().any(|name| name == "alscope");
        match wiring {
            Wiring::MeshConfig => prop_assert!(settings.stream_to(mesh::ADDRESS) && !is_listed),
            Wiring::TelemetryProvider => prop_assert!(is_listed && settings.streams_by_provider(mesh::HOST, 11_800)),
        }
        prop_assert_eq!(cluster.plan().steps, []);
    }
    #[test]
    fn another_installation_never_does_a_thing(events in vec(event(), 1..30)) {
        let cluster = after(&events);
        if cluster.resources.iter().any(|one| one.status.is_some()) {
            let plan = plan_of_the_other(&cluster);
            prop_assert_eq!(plan.steps, []);
            prop_assert_eq!(plan.status, cluster.status());
        }
    }

    #[test]
    fn the_service_stays_while_the_pods_can_not_be_read(events in vec(event(), 1..30)) {
        let mut cluster = after(&events);
        cluster.settings.drain_timeout = std::time::Duration::ZERO;
        happen(&mut cluster, 0, &Event::Unreadable(true));
        cluster.delete();
        let names = |cluster: &Cluster| -> Vec<String> {
            cluster.owned.iter().map(|owned| owned.name.clone()).collect()
        };
        let before = names(&cluster);
        cluster.pass_for(30);
        prop_assert_eq!(names(&cluster), before);
    }
}
