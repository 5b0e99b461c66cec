use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::names::target::tests::read as target;

fn endpoints(rules: &[(&str, Option<&str>)]) -> Endpoints {
    let parsed = rules
        .iter()
        .map(|(rule, service)| EndpointRule::parse(rule, *service));
    let rules: Result<Vec<EndpointRule>, _> = parsed.collect();
    Endpoints::new(EndpointBounds::default(), rules.expect("the rules are good"))
}

/// The name of a request to the service `web.demo`.
fn name(endpoints: &mut Endpoints, method: Method, path: &[u8]) -> String {
    let service = endpoints.service("web.demo");
    endpoints.learn(service, &target(method, path, false)).to_string()
}

#[rstest]
#[case::as_str(Method::Get, b"/productpage", "GET /productpage")]
#[case::value(Method::Get, b"/reviews/0", "GET /reviews/{int}")]
#[case::query(Method::Post, b"/login?password=x", "POST /login")]
#[case::unknown_method(Method::Other, b"/files", "_OTHER /files")]
#[case::asterisk(Method::Options, b"*", "OPTIONS *")]
#[case::authority(Method::Connect, b"db.example.com:5432", "CONNECT {authority}")]
#[case::web_socket(Method::Connect, b"/chat", "CONNECT /chat")]
#[case::nothing(Method::Get, b"", "GET /")]
fn a_name_is_method_and_template(#[case] method: Method, #[case] path: &[u8], #[case] expected: &str) {
    assert_eq!(name(&mut endpoints(&[]), method, path), expected);
}

#[test]
fn a_grpc_call_is_named_by_its_path() {
    let mut endpoints = endpoints(&[]);
    let service = endpoints.service("cart.shop");
    let call = target(Method::Post, b"/hipstershop.CartService/GetCart", true);
    let endpoint = Endpoint {
        method: None,
        path: "/hipstershop.CartService/GetCart",
    };
    assert_eq!(endpoints.learn(service, &call), endpoint);
    assert_eq!(endpoint.to_string(), "/hipstershop.CartService/GetCart");
    let http = target(Method::Post, b"/hipstershop.CartService/GetCart", false);
    assert_eq!(endpoints.find(service, &http), None);
}

#[test]
fn the_first_rule_that_matches_names_before_any_type() {
    let mut endpoints = endpoints(&[
        ("GET /products/latest", None),
        ("/products/{product}", Some("web.demo")),
        ("/products/{other}", None),
        ("/other/**", Some("other.demo")),
    ]);
    assert_eq!(
        name(&mut endpoints, Method::Get, b"/products/latest"),
        "GET /products/latest"
    );
    assert_eq!(
        name(&mut endpoints, Method::Put, b"/products/latest"),
        "PUT /products/{product}"
    );
    assert_eq!(
        name(&mut endpoints, Method::Get, b"/products/42"),
        "GET /products/{product}"
    );
    assert_eq!(
        name(&mut endpoints, Method::Get, b"/other/42"),
        "GET /other/{int}"
    );
    let other = endpoints.service("other.demo");
    let mut found = |path: &[u8]| {
        endpoints
            .learn(other, &target(Method::Get, path, false))
            .to_string()
    };
    assert_eq!(found(b"/products/42"), "GET /products/{other}");
    assert_eq!(found(b"/other/42"), "GET /other/**");
}

#[test]
fn a_rule_names_grpc_too_and_needs_no_learning() {
    let mut endpoints = endpoints(&[("/shop.Cart/**", None)]);
    let service = endpoints.service("cart.shop");
    let call = target(Method::Post, b"/shop.Cart/Get", true);
    let endpoint = Endpoint {
        method: Some(Method::Post),
        path: "/shop.Cart/**",
    };
    assert_eq!(endpoints.find(service, &call), Some(endpoint));
}

#[test]
fn what_is_not_learned_is_not_found() {
    let mut endpoints = endpoints(&[]);
    let service = endpoints.service("web.demo");
    let page = target(Method::Get, b"/productpage", false);
    assert_eq!(endpoints.find(service, &page), None);
    endpoints.learn(service, &page);
    let endpoint = Endpoint {
        method: Some(Method::Get),
        path: "/productpage",
    };
    assert_eq!(endpoints.find(service, &page), Some(endpoint));
    let other = endpoints.service("other.demo");
    assert_eq!(endpoints.find(other, &page), None);
}

#[test]
fn the_defaults_are_five_hundred_names_and_fifty_words() {
    let mut endpoints = endpoints(&[]);
    for index in 0..50 {
        let path = format!("/users/name-{index}");
        assert_eq!(
            name(&mut endpoints, Method::Get, path.as_bytes()),
            format!("GET {path}")
        );
    }
    assert_eq!(
        name(&mut endpoints, Method::Get, b"/users/name-50"),
        "GET /users/{any}"
    );
    let mut names = BTreeSet::new();
    for index in 0..1000 {
        let path = format!("/area-{}/page-{}", index % 40, index / 40);
        names.insert(name(&mut endpoints, Method::Get, path.as_bytes()));
    }
    // 51 are the users', and one is the overflow.
    assert_eq!(names.len(), 500 - 51 + 1);
    assert!(names.contains("{other}"));
}

#[test]
fn skywalkings_bound_is_kept() {
    let settings = EndpointBounds {
        service: ServiceLimits {
            name_bytes: Some(SKYWALKING_MAX_NAME_BYTES),
            ..EndpointBounds::default().service
        },
        ..EndpointBounds::default()
    };
    let mut endpoints = Endpoints::new(settings, Vec::new());
    let path = format!("/{}/{}/{}", "a".repeat(60), "b".repeat(60), "c".repeat(60));
    let cut = format!("OPTIONS /{}/{}/**", "a".repeat(60), "b".repeat(60));
    assert_eq!(name(&mut endpoints, Method::Options, path.as_bytes()), cut);
}

#[test]
fn bytes_bound_services_and_their_names() {
    let settings = EndpointBounds {
        bytes: 2 * SERVICE_OVERHEAD_BYTES + "overflow".len() + "web.demo".len() + 200,
        ..EndpointBounds::default()
    };
    let mut endpoints = Endpoints::new(settings, Vec::new());
    let web = endpoints.service("web.demo");
    assert_ne!(web, ServiceId::OVERFLOW);
    assert_eq!(endpoints.service("other.demo"), ServiceId::OVERFLOW);
    assert_eq!(endpoints.service("web.demo"), web);
    assert_eq!(name(&mut endpoints, Method::Get, b"/products"), "GET /products");
    assert_eq!(name(&mut endpoints, Method::Get, b"/carts"), "{other}");
    assert_eq!(name(&mut endpoints, Method::Get, b"/products"), "GET /products");
    let page = target(Method::Get, b"/", false);
    assert_eq!(endpoints.learn(ServiceId::OVERFLOW, &page).to_string(), "GET /");
    assert!(endpoints.bytes() <= settings.bytes);
}

#[derive(Clone, Debug)]
struct Call {
    service: u8,
    method: Method,
    path: Vec<u8>,
    is_grpc: bool,
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let path = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        "(/[a-z0-9?#%;.]{0,3}){0,5}".prop_map(String::into_bytes),
        "[/*a-z:?#]{0,8}".prop_map(String::into_bytes),
    ];
    let method = prop::sample::select(&Method::ALL[..]);
    let call = (0_u8..3, method, path, any::<bool>());
    let call = call.prop_map(|(service, method, path, is_grpc)| Call {
        service,
        method,
        path,
        is_grpc,
    });
    prop::collection::vec(call, 0..80)
}

proptest! {
    #[test]
    fn names_are_bounded_printable_and_free_of_queries(calls in calls()) {
        let settings = EndpointBounds {
            service: ServiceLimits { names: 12, values_per_position: 3, name_bytes: Some(40) },
            bytes: 20_000,
        };
        let mut endpoints = Endpoints::new(settings, Vec::new());
        let mut names: BTreeMap<u8, BTreeSet<String>> = BTreeMap::new();
        for call in &calls {
            let service = endpoints.service(&format!("service-{}", call.service));
            let target = target(call.method, &call.path, call.is_grpc);
            let name = endpoints.learn(service, &target).to_string();
            prop_assert!(!name.contains(['?', '#']), "{}", name);
            prop_assert!(name.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '), "{}", name);
            let is_cut = target.form == TargetForm::Path;
            prop_assert!(!is_cut || name.len() <= 40, "{}", name);
            prop_assert!(endpoints.bytes() <= settings.bytes);
            names.entry(call.service).or_default().insert(name);
        }
        // Besides the learned names: `OPTIONS *`, `CONNECT {authority}` and `{other}`.
        prop_assert!(names.values().all(|names| names.len() <= 12 + 3), "{:?}", names);
    }

    #[test]
    fn what_was_learned_is_found_with_the_same_name(calls in calls()) {
        let mut endpoints = endpoints(&[("/a/{x}", None)]);
        for call in &calls {
            let service = endpoints.service(&format!("service-{}", call.service));
            let target = target(call.method, &call.path, call.is_grpc);
            let learned = endpoints.learn(service, &target).to_string();
            prop_assert_eq!(endpoints.find(service, &target).map(|endpoint| endpoint.to_string()), Some(learned));
        }
    }
}

#[test]
fn a_service_that_nobody_asks_for_leaves_its_room_to_others() {
    let rules = EndpointRule::parse("/shop/{id}", Some("new.demo"));
    let settings = EndpointBounds {
        bytes: 2000,
        ..EndpointBounds::default()
    };
    let mut endpoints = Endpoints::new(settings, vec![rules.expect("the rule is good")]);
    let named = |endpoints: &mut Endpoints, service: &str, path: &[u8]| {
        let id = endpoints.service(service);
        endpoints.learn(id, &target(Method::Get, path, false)).to_string()
    };
    for number in 0..20 {
        named(&mut endpoints, &format!("junk-{number}"), b"/junk");
    }
    assert_eq!(named(&mut endpoints, "new.demo", b"/shop/ann"), "{other}");
    assert_eq!(named(&mut endpoints, "junk-0", b"/junk"), "GET /junk");
    endpoints.forget_unasked();
    assert_eq!(named(&mut endpoints, "junk-0", b"/junk"), "GET /junk");
    endpoints.forget_unasked();
    assert_ne!(endpoints.known_service("junk-0"), ServiceId::OVERFLOW);
    assert_eq!(endpoints.known_service("junk-1"), ServiceId::OVERFLOW);
    assert_eq!(named(&mut endpoints, "new.demo", b"/shop/ann"), "GET /shop/{id}");
    assert_eq!(named(&mut endpoints, "new.demo", b"/cart"), "GET /cart");
    endpoints.forget_unasked();
    endpoints.forget_unasked();
    assert_eq!(endpoints.bytes(), Endpoints::new(settings, Vec::new()).bytes());
}

#[test]
fn a_busy_services_names_that_nobody_asks_for_leave_their_room_to_others() {
    let settings = EndpointBounds {
        service: ServiceLimits {
            names: 2,
            ..EndpointBounds::default().service
        },
        ..EndpointBounds::default()
    };
    let mut endpoints = Endpoints::new(settings, Vec::new());
    let web = endpoints.service("web.demo");
    let empty = endpoints.bytes();
    for path in [b"/old/release".as_slice(), b"/steady"] {
        name(&mut endpoints, Method::Get, path);
    }
    let full = endpoints.bytes();
    assert_eq!(name(&mut endpoints, Method::Get, b"/new"), "{other}");
    endpoints.forget_unasked();
    assert_eq!(endpoints.bytes(), full, "all were asked for");
    let steady = target(Method::Get, b"/steady", false);
    // It is found by others, who only read.
    assert!(
        endpoints
            .find(endpoints.known_service("web.demo"), &steady)
            .is_some()
    );
    endpoints.forget_unasked();
    assert_eq!(name(&mut endpoints, Method::Get, b"/new"), "GET /new");
    let old = target(Method::Get, b"/old/release", false);
    assert_eq!(endpoints.find(web, &old), None);
    assert_eq!(
        endpoints.find(web, &steady).map(|endpoint| endpoint.path),
        Some("/steady")
    );
    for _ in 0..2 {
        assert_eq!(endpoints.known_service("web.demo"), web);
        endpoints.forget_unasked();
    }
    assert_eq!(endpoints.bytes(), empty);
}
