//! A worker remembers what an identity came to across versions of the directory, and always says what the newest one says.

use als_proto::messages::envoy::data::accesslog::v3::AccessLogCommon;
use alscope_analysis::aggregate::registry::Registry;
use alscope_analysis::analyze::k8s_mesh::Lookup;
use alscope_analysis::chain::Analyzer::K8sMesh;
use alscope_analysis::chain::Chain;
use alscope_analysis::directory::Directory;
use alscope_analysis::directory::records::{ObjectKind, PodRecord, Record, ServiceEntryRecord};
use alscope_analysis::directory::state::DirectoryState;
use alscope_analysis::identify::identity_cache::IdentityCache;
use alscope_analysis::identify::identity_key::write_key;
use alscope_analysis::identify::{Identified, look_up};
use alscope_analysis::moment::Moment;
use rstest::rstest;

use crate::connection::{connection, read_identity};
use crate::entry::*;
use crate::mesh::*;

mod any_changes;
mod records;

use records::*;

/// Where the outside host of [`service_entry`] is, and an endpoint without a pod.
const OUTSIDE: &str = "203.0.113.9";
const ENDPOINT: &str = "192.0.2.7";

/// A call, and by whose sidecar or gateway it is logged.
#[derive(Clone, Copy, Debug)]
enum Entered {
    /// productpage to reviews.
    Outbound,
    /// The same on the other side.
    Inbound,
    /// productpage to no cluster: the authority counts.
    ByAuthority(&'static str),
    /// productpage to nobody's cluster and this authority.
    Passed(&'static str),
    /// A client at [`OUTSIDE`] to productpage.
    Gateway,
    /// productpage to reviews, by way of a pipe.
    ByPipe,
    /// The same on the other side, at an address that nobody has.
    AtAnotherAddress,
    /// productpage to an address and port by this cluster.
    To(&'static str, u32, &'static str),
}
use Entered::{AtAnotherAddress, ByAuthority, ByPipe, Gateway, Inbound, Outbound, Passed, To};

impl Entered {
    fn parts(self) -> (&'static str, AccessLogCommon, &'static str) {
        match self {
            Outbound => (PRODUCTPAGE_NODE, outbound(), ""),
            Inbound => (REVIEWS_NODE, inbound(), ""),
            ByAuthority(authority) | Passed(authority) => {
                let cluster = if matches!(self, Passed(_)) { ANY } else { "" };
                let local = socket("203.0.113.77", 80);
                let common = common(socket(PRODUCTPAGE, 40_000), local, None, cluster);
                (PRODUCTPAGE_NODE, common, authority)
            }
            Gateway => (GATEWAY_NODE, through_gateway(), ""),
            ByPipe => {
                let mut common = outbound();
                common.downstream_remote_address = pipe("/run/x.sock");
                common.downstream_direct_remote_address = None;
                (PRODUCTPAGE_NODE, common, "")
            }
            AtAnotherAddress => {
                let mut common = inbound();
                common.downstream_local_address = socket("192.168.7.2", 9080);
                (REVIEWS_NODE, common, "")
            }
            To(address, port, cluster) => {
                let local = socket(address, port);
                let common = common(socket(PRODUCTPAGE, 40_000), local.clone(), local, cluster);
                (PRODUCTPAGE_NODE, common, "")
            }
        }
    }
}

/// A worker with its memory.
#[derive(Default)]
struct Worker {
    registry: Registry,
    identity_cache: IdentityCache,
}

/// What a worker made of an entry.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Made {
    identified: Identified,
    was_remembered: bool,
}

impl Worker {
    /// What the worker says, and what it says without its memory.
    fn identify(&mut self, directory: &Directory, entered: Entered, start: Moment) -> (Made, Identified) {
        let (node, common, authority) = entered.parts();
        let (message, chain) = (connection(node, common), Chain::new([K8sMesh]));
        let Worker {
            registry,
            identity_cache,
        } = self;
        read_identity(&message, registry, chain, authority, |node, identity| {
            let mut key = Vec::new();
            write_key(&mut key, chain, node, identity, 4096).unwrap();
            let identity = identity.decode().unwrap();
            let hash = identity_cache.hash(&key);
            let looked_up = || {
                let mut lookup = Lookup::new(directory, node, start);
                look_up(chain, &identity, &mut lookup, registry)
            };
            let remembered = identity_cache.get(hash, &key, directory, start);
            let made = Made {
                identified: remembered.unwrap_or_else(|| {
                    let answer = looked_up();
                    identity_cache.put(hash, &key, answer);
                    answer.identified
                }),
                was_remembered: remembered.is_some(),
            };
            (made, looked_up().identified)
        })
    }

    /// What the worker says, which is what the directory says.
    fn says(&mut self, directory: &Directory, entered: Entered, start: Moment) -> Made {
        let (made, looked_up) = self.identify(directory, entered, start);
        assert_eq!(made.identified, looked_up, "{entered:?}");
        made
    }
}

/// What happens to the mesh's objects.
#[derive(Clone, Debug)]
enum Change {
    Is(Record),
    IsGone(Record),
    /// A complete list has none of the kind.
    AreNotListed(ObjectKind),
    /// What ended until then is forgotten, so many seconds after it happens.
    IsForgotten(i64),
}
use Change::{AreNotListed, Is, IsForgotten, IsGone};

fn happen(state: &mut DirectoryState, change: Change, second: i64) {
    match change {
        Is(record) => state.apply(record, at(second)),
        IsGone(record) => state.delete(&record.key(), at(second)),
        AreNotListed(kind) => {
            state.begin_list(kind);
            state.end_list(kind, at(second));
        }
        IsForgotten(seconds) => state.forget(at(second + seconds)),
    }
}

const ANY: &str = "PassthroughCluster";
const API: Entered = To("198.51.100.1", 443, "outbound|443||api.example.com");
/// A host outside at the address of a pod.
const API_IN_MESH: Entered = To(REVIEWS, 443, "outbound|443||api.example.com");
/// When the objects of a case are as they are before its change, and when that comes.
const BEFORE: i64 = NOW - 100;
const CHANGED: i64 = NOW - 50;

#[rstest]
#[case::new_pod(vec![], Is(Record::Pod(pod("new", "10.0.0.50"))), To("10.0.0.50", 1, ANY))]
#[case::relabelled_pod(vec![], Is(reviews_with(|pod| { pod.labels.insert("app".into(), "x".into()); })), Outbound)]
#[case::renamed_pod(vec![], Is(reviews_with(|pod| { pod.labels.insert("tier".into(), "x".into()); })), Outbound)]
#[case::renamed_caller(vec![], Is(Record::Pod(PodRecord { labels: tier("x"), ..pod("productpage", PRODUCTPAGE) })), Inbound)]
#[case::moved_pod(vec![], Is(reviews_with(|pod| pod.addresses = vec!["10.0.0.51".parse().unwrap()])), Outbound)]
#[case::moved_pod_found(vec![], Is(reviews_with(|pod| pod.addresses = vec!["10.0.0.51".parse().unwrap()])), To("10.0.0.51", 1, ANY))]
#[case::finished_pod(vec![], Is(reviews_with(|pod| pod.finished = Some(at(NOW - 60)))), Outbound)]
#[case::later_pod(vec![], Is(reviews_with(|pod| pod.started = Some(at(NOW + 60)))), Outbound)]
#[case::deleted_pod(vec![], IsGone(reviews_with(|_| ())), Inbound)]
#[case::unlisted_pod(vec![], AreNotListed(ObjectKind::Pod), Gateway)]
#[case::two_pods(vec![], Is(Record::Pod(pod("other", REVIEWS))), Outbound)]
#[case::new_agent(vec![], Is(agent("v1")), To(NODE, 9100, ANY))]
#[case::relabelled_agent(vec![Is(agent("v1"))], Is(agent("v2")), To(NODE, 9100, ANY))]
#[case::deleted_agent(vec![Is(agent("v1"))], IsGone(agent("v1")), To(NODE, 9100, ANY))]
#[case::new_node(vec![], Is(node("other", "10.0.0.60")), To("10.0.0.60", 1, ANY))]
#[case::moved_node(vec![], Is(node("node0", "10.0.0.61")), To(NODE, 1, ANY))]
#[case::deleted_node(vec![], IsGone(node("node0", NODE)), To(NODE, 1, ANY))]
#[case::unlisted_node(vec![], AreNotListed(ObjectKind::Node), To(NODE, 1, ANY))]
#[case::new_service(vec![], Is(service_with("new", |service| service.addresses = vec!["10.96.0.9".parse().unwrap()])), To("10.96.0.9", 1, ANY))]
#[case::moved_service(vec![], Is(reviews_service(|service| service.addresses.clear())), To(REVIEWS_SERVICE, 1, ANY))]
#[case::renamed_service(vec![], Is(reviews_service(|service| service.labels = tier("x"))), To(REVIEWS_SERVICE, 1, ANY))]
#[case::renamed_pods_of_service(vec![], Is(reviews_service(|service| service.labels = tier("x"))), Outbound)]
#[case::protocol_of_service(vec![], Is(reviews_service(|service| service.ports = vec![grpc(9080)])), Outbound)]
#[case::deleted_service(vec![], IsGone(reviews_service(|_| ())), To(REVIEWS_SERVICE, 1, ANY))]
#[case::deleted_service_of_pod(vec![], IsGone(reviews_service(|_| ())), Inbound)]
#[case::deleted_service_of_host(vec![Is(reviews_service(|service| service.ports = vec![grpc(9080)]))], IsGone(reviews_service(|_| ())), Outbound)]
#[case::unlisted_service(vec![], AreNotListed(ObjectKind::Service), To(REVIEWS_SERVICE, 1, ANY))]
#[case::new_service_by_authority(vec![], Is(service_with("web", |_| ())), ByAuthority("web.demo"))]
#[case::deleted_service_by_authority(vec![Is(service_with("web", |_| ()))], IsGone(service_with("web", |_| ())), ByAuthority("web.demo"))]
#[case::new_service_of_the_callers_namespace(vec![], Is(service_with("web", |_| ())), ByAuthority("web"))]
#[case::new_service_passed_by(vec![], Is(service_with("web", |_| ())), Passed("web.demo"))]
#[case::new_service_by_its_address(vec![], Is(service_with("new", |service| service.addresses = vec!["10.96.0.9".parse().unwrap()])), ByAuthority("10.96.0.9"))]
#[case::service_without_address(vec![Is(service_with("web", |service| service.addresses = vec!["10.96.0.9".parse().unwrap()]))],
    Is(service_with("web", |_| ())), ByAuthority("web-0.web"))]
#[case::new_host_by_authority(vec![], Is(outside("api", "api.example.com", &[])), ByAuthority("api.example.com"))]
#[case::host_no_longer_exported(vec![Is(outside("api", "api.example.com", &[]))],
    Is(Record::ServiceEntry(ServiceEntryRecord { export_to: vec!["~".into()], ..service_entry("api", "api.example.com", &[]) })), API)]
#[case::new_service_of_slice(vec![Is(older_slice())], Is(service_with("older", |service| service.created = at(10))), Inbound)]
#[case::new_slice(vec![Is(service_with("older", |service| service.created = at(10)))], Is(older_slice()), Inbound)]
#[case::new_slice_renames(vec![Is(service_with("older", |service| service.created = at(10)))], Is(older_slice()), Outbound)]
#[case::protocol_of_slice(vec![], Is(reviews_slice(|slice| slice.ports = vec![grpc(9080)])), Inbound)]
#[case::pod_left_slice(vec![], Is(reviews_slice(|slice| slice.pods.clear())), Inbound)]
#[case::deleted_slice(vec![], IsGone(reviews_slice(|_| ())), Inbound)]
#[case::unlisted_slice(vec![], AreNotListed(ObjectKind::EndpointSlice), Inbound)]
#[case::new_endpoint(vec![], Is(endpoints(&[ENDPOINT])), To(ENDPOINT, 1, ANY))]
#[case::endpoint_left(vec![Is(endpoints(&[ENDPOINT]))], Is(endpoints(&[])), To(ENDPOINT, 1, ANY))]
#[case::deleted_endpoint(vec![Is(endpoints(&[ENDPOINT]))], IsGone(endpoints(&[])), To(ENDPOINT, 1, ANY))]
#[case::renamed_endpoint(vec![Is(endpoints(&[ENDPOINT]))], Is(service_with("database", |service| service.labels = tier("x"))), To(ENDPOINT, 1, ANY))]
#[case::new_entry_address(vec![], Is(outside("api", "api.example.com", &[OUTSIDE])), Gateway)]
#[case::new_entry_block(vec![], Is(outside("api", "api.example.com", &["203.0.113.0/24"])), Gateway)]
#[case::new_entry_everywhere(vec![], Is(outside("api", "api.example.com", &["0.0.0.0/0"])), Gateway)]
#[case::moved_entry(vec![Is(outside("api", "api.example.com", &[OUTSIDE]))], Is(outside("api", "api.example.com", &[])), Gateway)]
#[case::renamed_entry(vec![Is(outside("api", "api.example.com", &[OUTSIDE]))],
    Is(Record::ServiceEntry(ServiceEntryRecord { labels: tier("b"), ..service_entry("api", "api.example.com", &[OUTSIDE]) })), Gateway)]
#[case::deleted_entry(vec![Is(outside("api", "api.example.com", &[OUTSIDE]))], IsGone(outside("api", "", &[])), Gateway)]
#[case::unlisted_entry(vec![Is(outside("api", "api.example.com", &[OUTSIDE]))], AreNotListed(ObjectKind::ServiceEntry), Gateway)]
#[case::new_host(vec![], Is(outside("api", "api.example.com", &[])), API)]
#[case::new_host_of_a_pod(vec![], Is(outside("api", "api.example.com", &[])), API_IN_MESH)]
#[case::new_wildcard(vec![], Is(outside("all", "*.example.com", &[])), API)]
#[case::new_host_under_wildcard(vec![Is(outside("all", "*.example.com", &[]))],
    Is(Record::ServiceEntry(ServiceEntryRecord { ports: vec![grpc(443)], ..service_entry("api", "api.example.com", &[]) })), API)]
#[case::deleted_host(vec![Is(outside("api", "api.example.com", &[]))], IsGone(outside("api", "", &[])), API)]
fn a_change_of_what_was_asked_is_seen(
    #[case] before: Vec<Change>,
    #[case] change: Change,
    #[case] entered: Entered,
) {
    seen(named_mesh(), (before, change), entered, NOW);
}

/// Where a pod's name does not depend on its Services, the pod stays as it is.
#[rstest]
#[case::new_service_of_slice(vec![Is(older_slice())], Is(service_with("older", |service| service.created = at(10))))]
#[case::younger_service(vec![Is(older_slice()), Is(service_with("older", |service| service.created = at(10)))],
    Is(service_with("older", |service| service.created = at(NOW))))]
#[case::deleted_service(vec![], IsGone(reviews_service(|_| ())))]
#[case::new_slice(vec![Is(service_with("older", |service| service.created = at(10)))], Is(older_slice()))]
#[case::slice_of_another_service(vec![Is(service_with("older", |_| ()))], Is(reviews_slice(|slice| slice.service = "older".into())))]
#[case::protocol_of_slice(vec![], Is(reviews_slice(|slice| slice.ports = vec![grpc(9080)])))]
#[case::pod_left_slice(vec![], Is(reviews_slice(|slice| slice.pods.clear())))]
#[case::deleted_slice(vec![], IsGone(reviews_slice(|_| ())))]
fn a_change_of_a_pods_services_is_seen(#[case] before: Vec<Change>, #[case] change: Change) {
    seen(state(), (before, change), Inbound, NOW);
}

/// What ended is asked about by calls of its time, until it is forgotten.
#[rstest]
#[case::pod(vec![IsGone(reviews_with(|_| ()))], Outbound)]
#[case::pod_that_has_an_heir(vec![
    IsGone(reviews_with(|_| ())), Is(Record::Pod(PodRecord { started: Some(at(BEFORE)), ..pod("heir", REVIEWS) }))
], Outbound)]
#[case::agent(vec![Is(agent("v1")), IsGone(agent("v1"))], To(NODE, 9100, ANY))]
#[case::service(vec![IsGone(reviews_service(|_| ()))], To(REVIEWS_SERVICE, 1, ANY))]
#[case::endpoint(vec![Is(endpoints(&[ENDPOINT])), IsGone(endpoints(&[ENDPOINT]))], To(ENDPOINT, 1, ANY))]
#[case::entry(vec![Is(outside("api", "api.example.com", &[OUTSIDE])), IsGone(outside("api", "", &[]))], Gateway)]
fn what_is_forgotten_is_seen(#[case] before: Vec<Change>, #[case] entered: Entered) {
    seen(named_mesh(), (before, IsForgotten(600)), entered, NOW - 200);
}

fn seen(mut state: DirectoryState, (before, change): (Vec<Change>, Change), entered: Entered, start: i64) {
    for change in before {
        happen(&mut state, change, BEFORE);
    }
    let directory = state.publish().unwrap();
    let mut worker = Worker::default();
    let first = worker.says(&directory, entered, at(start));
    assert!(!first.was_remembered);
    assert!(worker.says(&directory, entered, at(start)).was_remembered);
    happen(&mut state, change, CHANGED);
    let second = worker.says(&state.publish().unwrap(), entered, at(start));
    assert!(!second.was_remembered);
    assert_ne!(first.identified, second.identified);
}

#[rstest]
#[case::pod(Is(Record::Pod(pod("new", "10.0.0.50"))))]
#[case::pod_in_the_slice(Is(reviews_slice(|slice| slice.pods.push("uid-new".into()))))]
#[case::agent(Is(agent("v1")))]
#[case::node(Is(node("other", "10.0.0.60")))]
#[case::service(Is(service_with("new", |service| service.addresses = vec!["10.96.0.9".parse().unwrap()])))]
#[case::slice(Is(reviews_slice(|slice| {
    slice.name = "other-abc".into();
    slice.pods = vec!["uid-other".into()];
})))]
#[case::endpoint(Is(endpoints(&[ENDPOINT])))]
fn a_change_elsewhere_is_no_reason_to_look_up(
    #[case] change: Change,
    #[values(
        Outbound,
        Inbound,
        ByAuthority("web.demo"),
        Gateway,
        API,
        To("10.0.0.77", 1, ANY)
    )]
    entered: Entered,
) {
    let mut state = named_mesh();
    let directory = state.publish().unwrap();
    let mut worker = Worker::default();
    let first = worker.says(&directory, entered, at(NOW));
    // So soon no earlier name is forgotten on the way.
    happen(&mut state, change, STARTED + 300);
    let directory = state.publish().unwrap();
    let second = worker.says(&directory, entered, at(NOW));
    assert!(second.was_remembered);
    assert_eq!(first.identified, second.identified);
}

/// `ServiceEntries` are asked last, and about hosts that are no Service: whom the mesh knows is none of theirs.
#[rstest]
#[case(Outbound, true)]
#[case(Inbound, true)]
#[case(Gateway, false)]
#[case(API, false)]
fn an_entry_for_the_outside_is_asked_where_nobody_inside_answers(
    #[case] entered: Entered,
    #[case] is_remembered: bool,
) {
    let mut state = named_mesh();
    let mut worker = Worker::default();
    worker.says(&state.publish().unwrap(), entered, at(NOW));
    happen(
        &mut state,
        Is(outside("other", "other.example.org", &["198.51.100.99"])),
        CHANGED,
    );
    let second = worker.says(&state.publish().unwrap(), entered, at(NOW));
    assert_eq!(second.was_remembered, is_remembered);
}
