pub(super) mod shop;

use std::net::IpAddr;
use std::sync::Arc;

use alscope_analysis::directory::records::ObjectKind;
use alscope_analysis::directory::state::DirectoryState;
use alscope_analysis::directory::{Directory, Owner};
use alscope_analysis::moment::Moment;
use alscope_collector::clock;
use alscope_collector::directory::freshness::Freshness;
use alscope_collector::directory::service_entry::ServiceEntry;
use alscope_collector::directory::{kubernetes, publisher};
use arc_swap::ArcSwap;
use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::{Api, Client, ResourceExt};
use rstest::rstest;
use tokio::sync::mpsc;
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;

use super::*;
use shop::*;

const SOON: Duration = Duration::from_secs(20);

async fn client(server: &ApiServer) -> Client {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), server.kubeconfig()).unwrap();
    kubernetes::client(Some(file.path())).await.unwrap()
}

/// The collector's own way from an API server to its directory.
struct Followed {
    directory: Arc<ArcSwap<Directory>>,
    _tasks: JoinSet<()>,
}

impl Followed {
    /// Complete when it is answered with.
    async fn begin(server: &ApiServer) -> Self {
        let directory = Arc::new(ArcSwap::from_pointee(Directory::default()));
        let (changes, taken) = mpsc::channel(16);
        let (synced, mut is_synced) = watch::channel(false);
        let state = DirectoryState::default();
        let rules = state.naming_rules().clone();
        let stopping = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let source = kubernetes::Source {
            client: client(server).await,
            rules,
            changes,
            freshness: Arc::new(Freshness::of(&ObjectKind::ALL)),
        };
        tasks.spawn(source.watch_all(stopping.clone()));
        tasks.spawn(publisher::publish(
            state,
            taken,
            directory.clone(),
            synced,
            stopping,
        ));
        let synced = timeout(SOON, is_synced.wait_for(|synced| *synced)).await;
        assert!(*synced.expect("all kinds are listed in time").unwrap());
        Followed {
            directory,
            _tasks: tasks,
        }
    }

    /// What a version of the directory answers, as soon as it does.
    async fn until<T>(&self, answer: impl Fn(&Directory) -> Option<T>) -> T {
        let mut ticks = interval(Duration::from_millis(1));
        let answered = async {
            loop {
                ticks.tick().await;
                if let Some(answer) = answer(&self.directory.load()) {
                    return answer;
                }
            }
        };
        timeout(SOON, answered)
            .await
            .expect("the directory says so in time")
    }
}

fn pod_at(
    directory: &Directory,
    address: IpAddr,
    start: Moment,
) -> Option<&alscope_analysis::directory::Pod> {
    match directory.query().owner(address, Some(8080), start).owner {
        Owner::Pod(pod) => Some(pod),
        Owner::Service(_) | Owner::External(_) | Owner::Unknown(_) => None,
    }
}

#[rstest]
#[case::one_page(1)]
#[case::exactly_one_page(500)]
#[case::three_pages(1001)]
#[tokio::test]
async fn the_collector_makes_its_directory_of_the_objects(#[case] pods: u32) {
    let server = ApiServer::start(shop(pods)).await.unwrap();
    // It is complete only when the absence of ServiceEntries is understood.
    let followed = Followed::begin(&server).await;
    let directory = followed.directory.load();
    assert_eq!(directory.pod_addresses(), pods as usize);
    let now = clock::now();
    for number in [1, pods] {
        let pod = pod_at(&directory, web_address(number), now).expect("the pod is known");
        assert_eq!(*pod.name, format!("web-{number:04}"));
        let oldest = directory
            .query()
            .service_of(pod, 8080)
            .expect("the slice is known");
        assert_eq!(&*oldest.service.name, "web");
    }
    let owner = directory
        .query()
        .owner("10.96.0.1".parse().unwrap(), Some(80), now)
        .owner;
    assert!(
        matches!(&owner, Owner::Service(service) if &*service.name == "web"),
        "{owner:?}"
    );
    let node = directory
        .query()
        .owner("192.0.2.1".parse().unwrap(), None, now)
        .rule;
    assert_eq!(node, alscope_analysis::rule::Rule::NodeAddress);
}

#[tokio::test]
async fn a_replaced_pods_ownership_ends_and_another_pod_is_found() {
    let mut server = ApiServer::start(shop(61)).await.unwrap();
    let followed = Followed::begin(&server).await;
    let began = clock::now();
    // It is a minute until the first successor is replaced in its turn: longer than anything is waited for.
    server.change(&web_pods(60), 1).unwrap();
    let new: IpAddr = "100.64.0.0".parse().unwrap();
    let found = followed
        .until(|directory| {
            let pod = pod_at(directory, new, clock::now())?;
            let oldest = directory.query().service_of(pod, 8080)?;
            let service = oldest.service.name.to_string();
            Some((pod.name.to_string(), pod.app.to_string(), service))
        })
        .await;
    assert_eq!(found, ["web-00000", "web", "web"].map(str::to_owned).into());

    let directory = followed.directory.load();
    let old = directory.query().owner(web_address(1), Some(8080), began);
    assert!(
        matches!(&old.owner, Owner::Pod(pod) if &*pod.name == "web-0001"),
        "{old:?}"
    );
    let now = clock::now();
    assert!(began < old.validity.until && old.validity.until <= now, "{old:?}");
    assert_eq!(pod_at(&directory, web_address(1), now), None);
    let untouched = pod_at(&directory, web_address(61), now).expect("the pod is still there");
    assert_eq!(&*untouched.name, "web-0061");
}

#[tokio::test]
async fn each_change_is_counted_when_it_is_complete() {
    let mut server = ApiServer::start(shop(3)).await.unwrap();
    let followed = Followed::begin(&server).await;
    assert_eq!(server.changes(), 0);
    server.change(&web_pods(2), 100).unwrap();
    // Three pods, and one more address for each change, remembered when it is gone.
    let known = followed
        .until(|directory| Some(directory.pod_addresses()).filter(|known| *known >= 3 + 7))
        .await;
    let changes = server.changes();
    // The address of a pod is known before its replacement is complete.
    assert!(changes + 1 >= known as u64 - 3, "{changes} {known}");
    followed
        .until(|directory| (directory.pod_addresses() as u64 >= 3 + changes).then_some(()))
        .await;
}

#[tokio::test]
async fn service_entries_are_not_installed() {
    let server = ApiServer::start(vec![]).await.unwrap();
    let entries = Api::<ServiceEntry>::all(client(&server).await);
    let Err(kube::Error::Api(status)) = entries.list(&ListParams::default()).await else {
        panic!("there is no such kind")
    };
    assert_eq!((status.code, &*status.message), (404, "404 page not found"));
}

async fn next(
    events: &mut (impl Stream<Item = kube::Result<WatchEvent<Pod>>> + Unpin),
) -> Option<(&'static str, String)> {
    let event = timeout(SOON, events.next())
        .await
        .expect("an event comes in time")?;
    Some(match event.unwrap() {
        WatchEvent::Added(pod) => ("ADDED", pod.name_any()),
        WatchEvent::Modified(pod) => ("MODIFIED", pod.name_any()),
        WatchEvent::Deleted(pod) => ("DELETED", pod.name_any()),
        WatchEvent::Bookmark(bookmark) => ("BOOKMARK", bookmark.metadata.resource_version),
        WatchEvent::Error(status) => ("ERROR", format!("{} {}", status.code, status.reason)),
    })
}

fn write(server: &ApiServer, write: impl FnOnce(&mut Objects)) {
    server.writer.as_ref().unwrap().send_modify(write);
}

#[tokio::test]
async fn a_watch_tells_what_happened_between_the_pages_of_its_list() {
    let server = ApiServer::start(web_pods(3)).await.unwrap();
    let pods = Api::<Pod>::all(client(&server).await);
    let first = pods.list(&ListParams::default().limit(2)).await.unwrap();
    let token = first.metadata.continue_.clone().unwrap();
    let key = |name| Key::pod("shop", name);
    write(&server, |objects| {
        objects.delete(&key("web-0001"));
        objects.put(key("web-0000"), pod("web-0000", "10.0.0.0"));
    });
    let rest = pods
        .list(&ListParams::default().limit(2).continue_token(&token))
        .await
        .unwrap();
    let names: Vec<_> = [&first, &rest]
        .into_iter()
        .flatten()
        .map(ResourceExt::name_any)
        .collect();
    assert_eq!(names, ["web-0001", "web-0002", "web-0003"]);
    assert_eq!(rest.metadata.continue_, None);
    let version = rest.metadata.resource_version.unwrap();
    assert_eq!(
        (first.metadata.resource_version.as_deref(), &*version),
        (Some("3"), "3")
    );
    let mut events = Box::pin(pods.watch(&WatchParams::default(), &version).await.unwrap());
    assert_eq!(next(&mut events).await, Some(("DELETED", "web-0001".into())));
    assert_eq!(next(&mut events).await, Some(("ADDED", "web-0000".into())));
    write(&server, |objects| objects.modify(&key("web-0002"), |_| {}));
    assert_eq!(next(&mut events).await, Some(("MODIFIED", "web-0002".into())));
    let all = pods.list(&ListParams::default()).await.unwrap();
    let names: Vec<_> = all.iter().map(ResourceExt::name_any).collect();
    assert_eq!(names, ["web-0000", "web-0002", "web-0003"]);
    assert_eq!(all.metadata.resource_version.as_deref(), Some("6"));
}

#[rstest]
#[case::with_a_bookmark(WatchParams::default(), Some(("BOOKMARK", "4".into())))]
#[case::silently(WatchParams::default().disable_bookmarks(), None)]
#[tokio::test]
async fn a_watch_ends_in_time(#[case] watch: WatchParams, #[case] last: Option<(&'static str, String)>) {
    let mut objects = web_pods(2);
    let service = service("web", "10.96.0.1");
    objects.push(service.clone());
    let server = ApiServer::start(objects).await.unwrap();
    let pods = Api::<Pod>::all(client(&server).await);
    let mut events = Box::pin(pods.watch(&watch.timeout(1), "3").await.unwrap());
    // Of another kind, so that no event says how far the watch has come.
    write(&server, |objects| {
        objects.modify(&Key::of(&service).unwrap(), |_| {});
    });
    let has_bookmark = last.is_some();
    assert_eq!(next(&mut events).await, last);
    if has_bookmark {
        assert_eq!(next(&mut events).await, None);
    }
}

#[tokio::test]
async fn a_watch_from_a_forgotten_version_has_to_list_anew() {
    let server = ApiServer::start(web_pods(2)).await.unwrap();
    let pods = Api::<Pod>::all(client(&server).await);
    let mut events = Box::pin(pods.watch(&WatchParams::default(), "1").await.unwrap());
    assert_eq!(next(&mut events).await, Some(("ERROR", "410 Expired".into())));
    assert_eq!(next(&mut events).await, None);
}

#[rstest]
#[case::unknown_option(ListParams::default().labels("app=web"), 400)]
#[case::unknown_page(ListParams::default().continue_token("2"), 400)]
#[tokio::test]
async fn what_is_not_understood_is_refused(#[case] list: ListParams, #[case] code: u16) {
    let server = ApiServer::start(web_pods(2)).await.unwrap();
    let pods = Api::<Pod>::all(client(&server).await);
    let Err(kube::Error::Api(status)) = pods.list(&list).await else {
        panic!("it is refused")
    };
    assert_eq!(status.code, code);
}

#[rstest]
#[case::before_anything_changes(false)]
#[case::while_pods_change(true)]
#[tokio::test]
async fn a_dropped_server_ends_its_watches_and_answers_no_more(#[case] changing: bool) {
    let mut server = ApiServer::start(shop(1)).await.unwrap();
    let pods = Api::<Pod>::all(client(&server).await);
    let mut events = Box::pin(pods.watch(&WatchParams::default(), "4").await.unwrap());
    if changing {
        server.change(&web_pods(1), 10).unwrap();
        assert_eq!(next(&mut events).await, Some(("DELETED", "web-0001".into())));
    }
    drop(server);
    while let Some((happened, name)) = next(&mut events).await {
        // Under way when it was dropped.
        assert!(changing, "{happened} {name}");
    }
    let list = timeout(SOON, pods.list(&ListParams::default())).await;
    let error = list.expect("it is refused at once").unwrap_err();
    assert!(!matches!(error, kube::Error::Api(_)), "{error}");
}

#[rstest]
#[case::none(&[], 10, "no pods to replace; name pods that are served")]
#[case::never(&web_pods(1), 0, "0 pods a second are no change; replace at least one a second")]
#[case::unknown(&[pod("db", "10.0.0.9")], 10, "Pod shop/db is no pod that is served; serve it first")]
#[case::no_pod(&[service("web", "10.96.0.1")], 10, "Service shop/web is no pod that is served; serve it first")]
#[case::twice(&[web_pods(1), web_pods(1)].concat(), 10, "Pod shop/web-0001 is to be replaced twice; name it once")]
#[tokio::test]
async fn only_served_pods_can_change(#[case] changing: &[Value], #[case] per_second: u32, #[case] why: &str) {
    let mut server = ApiServer::start(shop(1)).await.unwrap();
    let error = server.change(changing, per_second).unwrap_err();
    assert_eq!(error.to_string(), why);
}

#[tokio::test]
async fn changes_can_be_said_once() {
    let mut server = ApiServer::start(shop(1)).await.unwrap();
    let pods = web_pods(1);
    server.change(&pods, 1).unwrap();
    let error = server.change(&pods, 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "pods are replaced already; say all of them at once"
    );
}
