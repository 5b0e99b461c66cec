//! A Service is named by a host only where it is exported to.

use super::*;
use als_proto::messages::envoy::data::accesslog::v3::tls_properties::CertificateProperties;
use als_proto::messages::envoy::data::accesslog::v3::tls_properties::certificate_properties::{
    SubjectAltName, subject_alt_name,
};
use alscope_analysis::directory::records::EndpointSliceRecord;
use alscope_analysis::directory::scope::EXPORT_TO;

fn exported(name: (&str, &str), addresses: &[&str], export_to: &str) -> Record {
    let Record::Service(service) = service(name, addresses) else {
        unreachable!("it is a Service");
    };
    Record::Service(ServiceRecord {
        annotations: [(EXPORT_TO.to_owned(), export_to.to_owned())].into(),
        ..service
    })
}

/// Services of the caller's namespace and of another one.
fn mesh() -> Mesh {
    let mut mesh = mesh_within(RegistryBounds::default());
    mesh.directory = directory_with([
        exported(("demo", "own"), &["10.96.1.1"], "."),
        exported(("demo", "nobodys"), &["10.96.1.2"], "~"),
        exported(("shop", "own"), &["10.96.1.3"], "."),
        exported(("shop", "named"), &["10.96.1.4"], "x, demo"),
        exported(("shop", "all"), &["10.96.1.5"], "*,x"),
        exported(("shop", "db"), &[], "."),
        exported(("shop", "replaced"), &["10.96.1.6"], "x"),
        service_entry("outside", "replaced.shop.svc.cluster.local", &[], &[]),
    ]);
    mesh
}

fn full([name, namespace]: [&str; 2]) -> [String; 3] {
    let host = format!("{name}.{namespace}.svc.cluster.local");
    [host, name.to_owned(), namespace.to_owned()]
}

const OF_NOBODY: [&str; 2] = ["", ""];

#[rstest]
// proves: labels/service-exported
#[case::its_own("own", ["own", "demo"])]
// proves: labels/service-exported
#[case::its_own_in_full("own.demo.svc.cluster.local", ["own", "demo"])]
// proves: labels/service-exported
#[case::its_own_address("10.96.1.1", ["own", "demo"])]
// proves: labels/service-exported
#[case::nobodys("nobodys", OF_NOBODY)]
// proves: labels/service-exported
#[case::of_another("own.shop", OF_NOBODY)]
// proves: labels/service-exported
#[case::of_another_in_full("own.shop.svc.cluster.local", OF_NOBODY)]
// proves: labels/service-exported
#[case::address_of_another("10.96.1.3", OF_NOBODY)]
// proves: labels/service-exported
#[case::pod_of_another("db-0.db.shop", OF_NOBODY)]
#[case::exported_by_name("named.shop", ["named", "shop"])]
#[case::address_of_one_exported_by_name("10.96.1.4", ["named", "shop"])]
#[case::exported_to_all("all.shop", ["all", "shop"])]
fn a_host_names_a_service_only_where_it_is_exported_to(#[case] authority: &str, #[case] expected: [&str; 2]) {
    let mut mesh = mesh();
    mesh.take(PRODUCTPAGE_NODE, asks(to_nobody(""), authority));
    let expected = if expected == OF_NOBODY {
        UNKNOWN.map(str::to_owned)
    } else {
        full(expected)
    };
    assert_eq!(called(&mut mesh, "source"), expected);
}

// proves: labels/service-exported
#[test]
fn a_service_entry_for_the_name_counts_where_the_service_is_not_there() {
    let mut mesh = mesh();
    mesh.take(
        PRODUCTPAGE_NODE,
        asks(to_nobody(""), "replaced.shop.svc.cluster.local"),
    );
    let host = "replaced.shop.svc.cluster.local";
    assert_eq!(called(&mut mesh, "source"), [host, host, "outside"]);
}

// proves: labels/service-exported
#[rstest]
#[case::its_own("10.96.1.1", "own")]
#[case::of_another("10.96.1.3", "unknown")]
fn an_address_that_a_connection_wanted_names_a_service_only_where_it_is_exported_to(
    #[case] address: &str,
    #[case] expected: &str,
) {
    let mut mesh = mesh();
    let wanted = socket(address, 80);
    mesh.take(
        PRODUCTPAGE_NODE,
        tcp(common(socket(PRODUCTPAGE, 40_000), wanted, None, ""), 1, 1),
    );
    assert_eq!(called(&mut mesh, "source")[1], expected);
}

/// What istiod wrote stands: a proxy has a cluster only of a Service that it has.
// proves: labels/service-of-cluster
#[test]
fn a_clusters_service_needs_not_be_exported() {
    let mut mesh = mesh();
    mesh.take(
        PRODUCTPAGE_NODE,
        ok(to_nobody("outbound|80||own.shop.svc.cluster.local")),
    );
    assert_eq!(called(&mut mesh, "source"), full(["own", "shop"]));
}

/// The same with a caller that nobody knows but by its certificate, of this namespace.
fn from(namespace: &str, mut common: AccessLogCommon) -> AccessLogCommon {
    common.downstream_remote_address = socket("203.0.113.7", 1);
    common.downstream_direct_remote_address = socket("203.0.113.7", 1);
    common
        .tls_properties
        .get_or_insert_default()
        .peer_certificate_properties = Some(CertificateProperties {
        subject_alt_name: vec![SubjectAltName {
            san: Some(subject_alt_name::San::Uri(format!(
                "spiffe://cluster.local/ns/{namespace}/sa/x"
            ))),
        }],
        ..CertificateProperties::default()
    });
    common
}

/// A waypoint has what is exported to its own namespace, whoever calls.
#[rstest]
// proves: labels/service-exported
#[case::its_own("own.demo", "own")]
// proves: labels/service-exported
#[case::the_callers("own.shop", "unknown")]
fn a_waypoint_has_what_is_exported_to_its_own_namespace(#[case] authority: &str, #[case] expected: &str) {
    let mut mesh = mesh();
    mesh.take(WAYPOINT_NODE, asks(from("shop", to_nobody("")), authority));
    assert_eq!(called(&mut mesh, "waypoint")[1], expected);
}

/// Of two Services of reviews the younger is exported to its own namespace.
#[rstest]
// proves: labels/service-exported
#[case::of_its_namespace("demo", "private")]
// proves: labels/service-exported
#[case::of_another("shop", "reviews")]
fn the_server_side_has_the_service_that_the_caller_could_ask_for(
    #[case] namespace: &str,
    #[case] expected: &str,
) {
    let mut mesh = mesh();
    let slice = EndpointSliceRecord {
        name: "private-abc".into(),
        service: "private".into(),
        ..slice_of_reviews()
    };
    let Record::Service(private) = exported(("demo", "private"), &[], ".") else {
        unreachable!("it is a Service");
    };
    let private = ServiceRecord {
        created: at(STARTED + 1),
        ..private
    };
    mesh.directory = directory_with([Record::Service(private), Record::EndpointSlice(slice)]);
    mesh.take(REVIEWS_NODE, asks(from(namespace, inbound()), "private.demo"));
    assert_eq!(called(&mut mesh, "destination")[1], expected);
}
