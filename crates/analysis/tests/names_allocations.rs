//! A known name costs no allocation, and what names use is within what is counted.

use alscope_analysis::names::endpoint::{EndpointBounds, Endpoints, ServiceId};
use alscope_analysis::names::endpoint_rule::EndpointRule;
use alscope_analysis::names::method::Method;
use alscope_analysis::names::target::{Request, Target};
use alscope_analysis::names::trie::ServiceLimits;
use alscope_naming::kubernetes_name::{KubernetesPath, MetadataObject, k8s_service_name};

fn read(target: &mut Target, path: &[u8], is_grpc: bool) {
    target.read(&Request {
        method: Method::Post,
        path,
        is_grpc,
    });
}

const PATHS: [(&[u8], bool); 8] = [
    (b"/products/42?expand=all", false),
    (b"/rules/anything/else", false),
    (b"/users/alice%40example.com/caf%c3%a9//x;y=z", false),
    (b"http://shop/orders/9f1b6a3e-52d4-4c8b-9d07-0e6a7f1c2b3d", false),
    (b"/shop.Cart/Get", true),
    (b"*", false),
    (b"/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s", false),
    (b"/\xff\x00/eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", false),
];

#[test]
fn a_known_path_is_found_without_allocating() {
    let rule = EndpointRule::parse("/rules/**", None).expect("the rule is good");
    let mut endpoints = Endpoints::new(EndpointBounds::default(), vec![rule]);
    let service = endpoints.service("web.demo");
    let mut target = Target::default();
    for (path, is_grpc) in PATHS {
        read(&mut target, path, is_grpc);
        endpoints.learn(service, &target);
    }
    let mut found = 0;
    let allocations = allocation_counter::measure(|| {
        for (path, is_grpc) in PATHS {
            assert_eq!(endpoints.service("web.demo"), service);
            read(&mut target, path, is_grpc);
            found += endpoints
                .find(service, &target)
                .map_or(0, |endpoint| endpoint.path.len().min(1));
        }
    });
    assert_eq!((found, allocations.count_total), (PATHS.len(), 0));
}

#[test]
fn a_path_of_the_overflow_allocates_nothing() {
    let limits = ServiceLimits {
        names: 1,
        ..EndpointBounds::default().service
    };
    let settings = EndpointBounds {
        service: limits,
        ..EndpointBounds::default()
    };
    let mut endpoints = Endpoints::new(settings, Vec::new());
    let mut target = Target::default();
    read(&mut target, b"/known", false);
    endpoints.learn(ServiceId::OVERFLOW, &target);
    let allocations = allocation_counter::measure(|| {
        read(&mut target, b"/products/another/name", false);
        let endpoint = endpoints.learn(ServiceId::OVERFLOW, &target);
        assert_eq!(endpoint.path, "{other}");
    });
    assert_eq!(allocations.count_total, 0);
}

#[test]
fn a_service_name_is_written_without_allocating() {
    let template = k8s_service_name("e2e::${pod.metadata.labels.app,service.metadata.name}.x");
    let template = template.expect("the rule is good");
    let mut name = String::with_capacity(100);
    let allocations = allocation_counter::measure(|| {
        template.render(&mut name, |path| match path {
            KubernetesPath::Name(MetadataObject::Service) => Some("reviews"),
            _ => None,
        });
    });
    assert_eq!((name.as_str(), allocations.count_total), ("e2e::reviews.x", 0));
}

/// Deep paths of short words need the most memory for their text.
#[test]
fn what_names_use_is_within_what_is_counted() {
    let mut endpoints = None;
    let mut counted = 0;
    let allocations = allocation_counter::measure(|| {
        let mut table = Endpoints::new(EndpointBounds::default(), Vec::new());
        let mut target = Target::default();
        for index in 0..3000 {
            let service = table.service(&format!("service-{}.demo", index % 7));
            let path = format!("/a{}/b{}/c{}/d/e/f/g/h{index}", index % 3, index % 11, index % 13);
            read(&mut target, path.as_bytes(), false);
            table.learn(service, &target);
            let path = format!("/shop.Service/Method{index}");
            read(&mut target, path.as_bytes(), true);
            table.learn(service, &target);
        }
        counted = table.bytes();
        endpoints = Some(table);
    });
    let used = usize::try_from(allocations.bytes_current).expect("nothing was freed that was not allocated");
    assert!(used <= counted, "{used} bytes are used, {counted} are counted");
    assert!(
        counted <= 3 * used,
        "{used} bytes are used, {counted} are counted"
    );
    drop(endpoints);
}
