use alscope_plan::plan::collector_objects;
use alscope_plan::plan::settings::OperatorSettings;
use alscope_plan::world::{MeshConfigContent, OwnedKind};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::stub_api_server::{StubApiServer, StubResponse};

use super::*;

mod known;
mod logging;

const RESOURCES: &str = "/apis/alscope.dev/v1alpha1/meshobservabilities";
const DEPLOYMENTS: &str = "/apis/apps/v1/deployments";
const TELEMETRIES: &str = "/apis/telemetry.istio.io/v1alpha1/telemetries";
const SIDECARS: &str = "/apis/networking.istio.io/v1beta1/sidecars";
const PODS: &str = "/api/v1/pods";
const MESH_CONFIG_MAPS: &str = "/api/v1/namespaces/istio-system/configmaps";
const OWN_CONFIG_MAPS: &str = "/api/v1/namespaces/alscope-system/configmaps";
const OWN_DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/alscope-system/deployments";
const OWN_SERVICES: &str = "/api/v1/namespaces/alscope-system/services";
const OWN_PODS: &str = "/api/v1/namespaces/alscope-system/pods";
const OWN_SLICES: &str = "/apis/discovery.k8s.io/v1/namespaces/alscope-system/endpointslices";

fn resource(spec: &Value) -> Value {
    json!({
        "apiVersion": "alscope.dev/v1alpha1", "kind": "MeshObservability",
        "metadata": {"name": "alscope", "uid": "u1", "resourceVersion": "5"},
        "spec": spec,
    })
}

fn backup(uid: &str) -> Value {
    let backup = Backup {
        uid: uid.to_owned(),
        resource: "alscope".to_owned(),
        address: "c:11800".to_owned(),
        originals: BTreeMap::from([(
            ObjectName::new("istio-system", "istio"),
            MeshConfigContent::Text("a: b".to_owned()),
        )]),
        resource_version: Some("3".to_owned()),
        ..Backup::default()
    };
    serde_json::to_value(backup.config_map("alscope-system")).unwrap()
}

fn labelled(labels: &Value) -> Value {
    json!({"metadata": {"name": "one", "namespace": "istio-system", "resourceVersion": "2", "labels": labels}})
}

/// A mesh, its resource with a backup, and an object of each kind.
fn cluster() -> StubApiServer {
    let stub = StubApiServer::new();
    let both = labelled(&json!({"app": "istiod", "gateway.istio.io/managed": "x"}));
    let own =
        labelled(&json!({"app.kubernetes.io/managed-by": "alscope-operator", "alscope.dev/owner-uid": "u1"}));
    stub.list(RESOURCES, StubResponse::Items(vec![resource(&json!({}))]));
    stub.list(DEPLOYMENTS, StubResponse::Items(vec![both]));
    stub.list(PODS, StubResponse::Items(vec![labelled(&json!({}))]));
    stub.list(TELEMETRIES, StubResponse::Items(vec![labelled(&json!({}))]));
    stub.list(SIDECARS, StubResponse::Items(vec![labelled(&json!({}))]));
    let istio = json!({"metadata": {"name": "istio", "namespace": "istio-system", "resourceVersion": "2"}});
    stub.list(MESH_CONFIG_MAPS, StubResponse::Items(vec![istio]));
    stub.list(OWN_CONFIG_MAPS, StubResponse::Items(vec![backup("u1")]));
    stub.list(OWN_DEPLOYMENTS, StubResponse::Items(vec![own.clone()]));
    stub.list(OWN_SERVICES, StubResponse::Items(vec![own.clone()]));
    stub.list(OWN_PODS, StubResponse::Items(vec![own]));
    stub
}

/// The first world that is complete, and after how many seconds that was.
async fn gathered(stub: &StubApiServer) -> (ClusterReader, World, u64) {
    let began = Instant::now();
    let changed = Arc::new(Notify::new());
    let mut gather = ClusterReader::start(
        &stub.client(),
        "alscope-system",
        changed.clone(),
        CancellationToken::new(),
    );
    loop {
        let world = gather.world(&ReplicaPoller::default(), Timestamp::UNIX_EPOCH);
        if gather.is_settled() {
            return (gather, world, began.elapsed().as_secs());
        }
        changed.notified().await;
    }
}

/// Each thing of a world that is not known, and why in a word.
fn unknown(world: &World) -> BTreeMap<String, &'static str> {
    fn why<T>(read: &ReadResult<T>) -> Option<&'static str> {
        match read {
            Ok(_) => None,
            Err(ReadError::Forbidden { .. }) => Some("forbidden"),
            Err(ReadError::Absent { .. }) => Some("absent"),
            Err(ReadError::Undecodable { .. }) => Some("undecodable"),
            Err(ReadError::Failed { .. }) => Some("failed"),
            Err(ReadError::NewerBackup { .. }) => Some("newer"),
        }
    }
    let fields = [
        ("resources", why(&world.resources)),
        ("control planes", why(&world.control_planes)),
        ("gateways", why(&world.managed_gateways)),
        ("telemetries", why(&world.telemetries)),
        ("sidecars", why(&world.sidecars)),
        ("proxies", why(&world.proxies)),
    ];
    let mesh = world.config_maps.values().map(|one| ("mesh config", why(one)));
    let collectors = world.collectors.values().map(|one| ("collector", why(one)));
    let backups = world.backups.values().map(|one| ("backup", why(one)));
    let all = fields.into_iter().chain(mesh).chain(collectors).chain(backups);
    all.filter_map(|(what, why)| Some((what.to_owned(), why?)))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_can_be_read_is_known_whole() {
    let (gather, world, _) = gathered(&cluster()).await;
    assert_eq!(unknown(&world), BTreeMap::new());
    assert_eq!(world.resources.unwrap().len(), 1);
    assert_eq!(world.control_planes.unwrap().len(), 1);
    let collector = world.collectors["u1"].clone().unwrap();
    assert_eq!((collector.owned.len(), collector.pods), (2, 1));
    assert!(world.backups["u1"].clone().unwrap().is_some());
    assert_eq!(world.config_maps.len(), 1);
    assert_eq!(world.orphaned_backups, []);
    let counts: BTreeMap<&str, usize> = gather.undecodable().into_iter().collect();
    let watched = [
        "configmaps",
        "deployments.apps",
        "endpointslices.discovery.k8s.io",
        "horizontalpodautoscalers.autoscaling",
        "meshobservabilities.alscope.dev",
        "networkpolicies.networking.k8s.io",
        "poddisruptionbudgets.policy",
        "pods",
        "services",
        "sidecars.networking.istio.io",
        "telemetries.telemetry.istio.io",
    ];
    assert_eq!(counts, watched.map(|resource| (resource, 0)).into());
}

/// Something that is no object of any kind but has metadata.
fn undecodable(path: &str) -> StubResponse {
    let mut object = labelled(&json!({
        "app": "istiod", "gateway.istio.io/managed": "x",
        "app.kubernetes.io/managed-by": "alscope-operator", "alscope.dev/owner-uid": "u1",
    }));
    if path == MESH_CONFIG_MAPS {
        object["metadata"]["name"] = json!("istio");
    }
    if path == OWN_CONFIG_MAPS {
        object["metadata"]["name"] = json!("alscope-backup-u1");
    }
    object["metadata"]["uid"] = json!("u2");
    for field in ["spec", "data", "endpoints"] {
        object[field] = json!(7);
    }
    StubResponse::Items(vec![object])
}

#[rstest]
#[case::resources(RESOURCES, &["resources"])]
#[case::deployments(DEPLOYMENTS, &["control planes", "gateways"])]
#[case::telemetries(TELEMETRIES, &["telemetries"])]
#[case::sidecars(SIDECARS, &["sidecars"])]
#[case::pods(PODS, &["proxies"])]
#[case::mesh_config(MESH_CONFIG_MAPS, &["mesh config"])]
#[case::own_config_maps(OWN_CONFIG_MAPS, &["backup", "collector"])]
#[case::own_deployments(OWN_DEPLOYMENTS, &["collector"])]
#[case::own_services(OWN_SERVICES, &["collector"])]
#[case::own_pods(OWN_PODS, &["collector"])]
#[case::endpoint_slices(OWN_SLICES, &["collector"])]
#[tokio::test(start_paused = true)]
async fn nothing_is_concluded_from_what_can_not_be_read(
    #[case] path: &str,
    #[case] fields: &[&str],
    #[values(
        (Some(StubResponse::Code(403)), "forbidden"),
        (Some(StubResponse::Code(404)), "absent"),
        (Some(StubResponse::Code(410)), "failed"),
        (Some(StubResponse::Code(500)), "failed"),
        (Some(StubResponse::Silence), "failed"),
        (None, "undecodable")
    )]
    fault: (Option<StubResponse>, &'static str),
) {
    let stub = cluster();
    let (answer, why) = fault;
    stub.list(path, answer.unwrap_or_else(|| undecodable(path)));
    let (gather, world, seconds) = gathered(&stub).await;
    let expected: BTreeMap<String, &str> = fields.iter().map(|field| ((*field).to_owned(), why)).collect();
    let found = unknown(&world);
    match (path, why) {
        // Istio's definitions need not be there.
        (TELEMETRIES | SIDECARS, "absent") => {
            let read = (world.telemetries.unwrap().len(), world.sidecars.unwrap().len());
            assert_eq!(
                (found, read),
                (BTreeMap::new(), if path == TELEMETRIES { (0, 1) } else { (1, 0) })
            );
        }
        // No shape of these is refused.
        (OWN_SERVICES, "undecodable") => assert_eq!(found, BTreeMap::new()),
        // The others can still be read.
        (RESOURCES, "undecodable") => {
            assert_eq!((found, world.undecodable_resources.len()), (BTreeMap::new(), 1));
            assert!(
                gather
                    .undecodable()
                    .contains(&("meshobservabilities.alscope.dev", 1))
            );
        }
        (OWN_CONFIG_MAPS, "undecodable") => {
            assert_eq!(found, BTreeMap::from([("backup".to_owned(), "failed")]));
        }
        _ => assert_eq!(found, expected),
    }
    let undecodable = gather.undecodable();
    let count: usize = undecodable.iter().map(|(_, count)| count).sum();
    // The watches of the others take objects of any shape.
    let typed = [
        RESOURCES,
        DEPLOYMENTS,
        PODS,
        MESH_CONFIG_MAPS,
        OWN_PODS,
        OWN_SLICES,
    ];
    let is_counted = why == "undecodable" && typed.contains(&path);
    assert_eq!(count > 0, is_counted, "{undecodable:?}");
    assert!(seconds <= 30, "{seconds}");
}

#[rstest]
#[case::forbidden(StubResponse::Code(403))]
#[case::no_definition(StubResponse::Code(404))]
#[case::broken(StubResponse::Code(500))]
#[case::silent(StubResponse::Silence)]
#[tokio::test(start_paused = true)]
async fn no_backup_is_an_orphan_while_the_resources_are_not_known(#[case] answer: StubResponse) {
    let stub = cluster();
    stub.list(RESOURCES, answer);
    let (_, world, _) = gathered(&stub).await;
    assert!(world.resources.is_err());
    assert_eq!(world.orphaned_backups, []);
}

#[tokio::test(start_paused = true)]
async fn a_backup_whose_resource_is_not_listed_is_an_orphan() {
    let stub = cluster();
    stub.list(
        OWN_CONFIG_MAPS,
        StubResponse::Items(vec![backup("u1"), backup("u9")]),
    );
    let (_, world, _) = gathered(&stub).await;
    let orphans: Vec<&str> = world
        .orphaned_backups
        .iter()
        .map(|one| one.uid.as_str())
        .collect();
    assert_eq!(orphans, ["u9"]);
}

#[tokio::test(start_paused = true)]
async fn an_orphan_that_is_not_understood_is_no_backup_and_not_nothing() {
    let stub = cluster();
    let mut newer = backup("u9");
    newer["metadata"]["annotations"]["alscope.dev/backup-version"] = json!("2");
    stub.list(OWN_CONFIG_MAPS, StubResponse::Items(vec![backup("u1"), newer]));
    let (_, world, _) = gathered(&stub).await;
    assert_eq!(world.orphaned_backups, []);
    let unread: Vec<String> = world
        .undecodable_backups
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(unread.len(), 1);
    assert!(
        unread[0].starts_with("the backup alscope-system/alscope-backup-u9 was written by a newer operator"),
        "{unread:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_resource_that_can_not_be_decoded_protects_its_backup() {
    let stub = cluster();
    let newer = resource(&json!({"managementState": "SomethingNewer"}));
    stub.list(RESOURCES, StubResponse::Items(vec![newer]));
    let (_, world, _) = gathered(&stub).await;
    assert_eq!(world.resources.unwrap().len(), 0);
    let unread = &world.undecodable_resources[0];
    assert_eq!(unread.metadata.uid.as_deref(), Some("u1"));
    assert!(unread.error.contains("SomethingNewer"), "{}", unread.error);
    assert_eq!(world.orphaned_backups, []);
}

#[tokio::test(start_paused = true)]
async fn a_listed_object_that_is_as_wanted_is_not_written_again() {
    let stub = cluster();
    let owner: MeshObservability = serde_json::from_value(resource(&json!({}))).unwrap();
    let desired = collector_objects::desired_objects(&owner, &OperatorSettings::default()).unwrap();
    for kind in OwnedKind::ALL {
        let of_kind = desired.iter().filter(|one| one.kind == kind);
        let listed = of_kind.map(|one| {
            let mut item = one.object.clone();
            let fields = item.as_object_mut().unwrap();
            fields.remove("apiVersion");
            fields.remove("kind");
            item
        });
        let path = match kind.api_version() {
            "v1" => "/api/v1".to_owned(),
            group => format!("/apis/{group}"),
        };
        let path = format!("{path}/namespaces/alscope-system/{}", kind.plural());
        stub.list(&path, StubResponse::Items(listed.collect()));
    }
    let (_, world, _) = gathered(&stub).await;
    let collector = world.collectors["u1"].clone().unwrap();
    assert_eq!(collector.owned.len(), desired.len());
    assert_eq!(collector_objects::apply_steps(&desired, &collector, true), []);
}

#[tokio::test(start_paused = true)]
async fn a_config_map_that_only_a_status_names_is_looked_at() {
    let stub = cluster();
    let mut wired = resource(&json!({}));
    wired["status"] = json!({"mesh": {"configMaps": [{"revision": "default", "name": "istio-system/istio", "wired": true}]}});
    stub.list(RESOURCES, StubResponse::Items(vec![wired]));
    stub.list(DEPLOYMENTS, StubResponse::Code(403));
    stub.list(OWN_CONFIG_MAPS, StubResponse::Items(Vec::new()));
    let (_, world, _) = gathered(&stub).await;
    let istio = world.config_maps[&ObjectName::new("istio-system", "istio")].clone();
    assert!(istio.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn the_uids_are_asked_from_the_api_server() {
    let stub = cluster();
    let (gather, _, _) = gathered(&stub).await;
    stub.list(
        RESOURCES,
        StubResponse::Items(vec![resource(&json!({"managementState": 7}))]),
    );
    assert_eq!(
        gather.fetch_resource_uids().await,
        Ok(BTreeSet::from(["u1".to_owned()]))
    );
    stub.list(RESOURCES, StubResponse::Code(404));
    assert!(gather.fetch_resource_uids().await.is_err());
    stub.list(RESOURCES, StubResponse::Silence);
    assert!(gather.fetch_resource_uids().await.is_err());
}
