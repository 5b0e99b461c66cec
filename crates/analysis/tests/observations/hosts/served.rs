//! Of several Services that send to one pod and port the server side has the one that the client asked for.

use alscope_analysis::directory::records::EndpointSliceRecord;

use super::*;

/// The Service of reviews, an older and a younger one of the same pod and port.
fn three_services() -> Directory {
    let record = |name: &str, created| {
        let Record::Service(service) = service(("demo", name), &[]) else {
            return vec![];
        };
        let slice = EndpointSliceRecord {
            name: format!("{name}-abc"),
            service: name.into(),
            ..slice_of_reviews()
        };
        vec![
            Record::Service(ServiceRecord {
                created: at(created),
                ..service
            }),
            Record::EndpointSlice(slice),
        ]
    };
    let services = [record("oldest", 10), record("reviews-v1", STARTED + 1)];
    directory_with(services.into_iter().flatten())
}

#[rstest]
// proves: labels/service-asked-for
#[case::the_asked_one("reviews-v1:9080", "reviews-v1")]
// proves: labels/service-asked-for
#[case::in_full("reviews.demo.svc.cluster.local", "reviews")]
// proves: labels/service-asked-for
#[case::by_its_address("10.96.0.2:9080", "reviews")]
// proves: labels/service-of-port
#[case::none("", "oldest")]
// proves: labels/service-of-port
#[case::junk("junk-1.example", "oldest")]
#[case::one_that_does_not_send_there("web.demo", "oldest")]
#[case::one_of_another_namespace("reviews-v1.shop", "oldest")]
fn of_several_services_of_a_pod_the_one_that_was_asked_for_counts(
    #[case] authority: &str,
    #[case] expected: &str,
    #[values("inbound|9080||", "")] cluster: &str,
) {
    let mut mesh = mesh();
    mesh.directory = three_services();
    let common = AccessLogCommon {
        upstream_cluster: cluster.into(),
        ..inbound()
    };
    mesh.take(REVIEWS_NODE, asks(common, authority));
    let full = format!("{expected}.demo.svc.cluster.local");
    assert_eq!(
        called(&mut mesh, "destination"),
        [full.as_str(), expected, "demo"]
    );
}

#[rstest]
// proves: labels/service-asked-for
#[case::istios("outbound_.9080_._.reviews-v1.demo.svc.cluster.local", "reviews-v1")]
// proves: labels/service-asked-for
#[case::the_callers("reviews.demo.svc", "reviews")]
#[case::nobodys("payments.example", "oldest")]
#[case::none("", "oldest")]
fn of_several_services_of_a_pod_the_one_that_the_server_name_has_counts(
    #[case] server_name: &str,
    #[case] expected: &str,
) {
    let mut mesh = mesh();
    mesh.directory = three_services();
    let mut common = inbound();
    common.tls_properties.as_mut().unwrap().tls_sni_hostname = server_name.into();
    mesh.take(REVIEWS_NODE, tcp(common, 1, 1));
    assert_eq!(called(&mut mesh, "destination")[1], expected);
}

// proves: labels/service-asked-for
#[test]
fn a_bare_name_of_a_caller_that_nobody_knows_is_one_of_the_pods_services() {
    let mut mesh = mesh();
    mesh.directory = three_services();
    let stranger = socket("203.0.113.7", 1);
    let common = common(stranger, socket(REVIEWS, 9080), None, "inbound|9080||");
    mesh.take(REVIEWS_NODE, asks(common, "reviews-v1"));
    assert_eq!(called(&mut mesh, "destination")[1], "reviews-v1");
}
