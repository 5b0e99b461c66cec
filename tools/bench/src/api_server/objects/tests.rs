use rstest::rstest;

use super::*;

fn object(api_version: &str, kind: &str, name: &str) -> Value {
    json!({ "apiVersion": api_version, "kind": kind, "metadata": { "namespace": "shop", "name": name } })
}

fn pod(name: &str) -> Value {
    object("v1", "Pod", name)
}

fn shop(names: &[&str]) -> Objects {
    let pods = names.iter().map(|name| pod(name));
    // Before and behind the pods in the order of kinds.
    let others = [object("v1", "Service", "web"), object("v1", "Node", "one")];
    Objects::new(pods.chain(others).collect()).unwrap()
}

fn events(objects: &Objects, since: u64, resource: Resource) -> Option<Vec<(String, String, String)>> {
    let lines = objects.since(since, resource)?;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let events = lines.iter().map(|line| {
        assert_eq!(line.last(), Some(&b'\n'));
        let event: Value = serde_json::from_slice(line).unwrap();
        let metadata = &event["object"]["metadata"];
        (
            text(&event["type"]),
            text(&metadata["name"]),
            text(&metadata["resourceVersion"]),
        )
    });
    Some(events.collect())
}

fn event(happened: &str, name: &str, version: &str) -> (String, String, String) {
    (happened.into(), name.into(), version.into())
}

#[rstest]
#[case("/api/v1/pods", Some(Resource::Pods))]
#[case("/api/v1/services", Some(Resource::Services))]
#[case("/api/v1/nodes", Some(Resource::Nodes))]
#[case("/apis/discovery.k8s.io/v1/endpointslices", Some(Resource::EndpointSlices))]
#[case("/apis/networking.istio.io/v1beta1/serviceentries", None)]
#[case("/api/v1/namespaces/shop/pods", None)]
fn a_path_is_that_of_a_kind(#[case] path: &str, #[case] resource: Option<Resource>) {
    assert_eq!(Resource::at(path), resource);
}

#[rstest]
#[case::unknown_kind(&[object("v1", "Secret", "key")], r#""Secret" of "v1" is not served; leave it out or add it to `Resource`"#)]
#[case::other_group(&[object("v2", "Pod", "web")], r#""Pod" of "v2" is not served; leave it out or add it to `Resource`"#)]
#[case::no_name(&[json!({ "apiVersion": "v1", "kind": "Pod" })], r#"a "Pod" has no metadata.name; name it"#)]
#[case::twice(&[pod("web"), pod("web")], "Pod shop/web is there twice; name it otherwise")]
fn objects_that_no_server_can_have_are_refused(#[case] objects: &[Value], #[case] why: &str) {
    let error = Objects::new(objects.to_vec()).unwrap_err();
    assert_eq!(error.to_string(), why);
}

#[rstest]
#[case::all("", 9, &["a", "b", "c"], None)]
#[case::exactly("", 3, &["a", "b", "c"], None)]
#[case::first("", 2, &["a", "b"], Some("shop/b"))]
#[case::next("shop/b", 2, &["c"], None)]
#[case::gone_meanwhile("shop/aa", 1, &["b"], Some("shop/b"))]
#[case::behind_the_last("shop/c", 2, &[], None)]
fn a_page_has_the_objects_of_its_kind_behind_the_last_page(
    #[case] after: &str,
    #[case] limit: usize,
    #[case] names: &[&str],
    #[case] more_after: Option<&str>,
) {
    let shop = shop(&["c", "a", "b"]);
    let page = shop.page(Resource::Pods, after, limit);
    let listed: Vec<_> = page.items.iter().map(|pod| &pod["metadata"]["name"]).collect();
    assert_eq!(listed, names);
    assert_eq!(page.more_after, more_after);
}

#[test]
fn each_write_has_the_next_version_and_is_an_event_of_its_kind() {
    let mut shop = shop(&["web"]);
    assert_eq!(shop.version, 3);
    let [web, cart] = ["web", "cart"].map(|name| Key::pod("shop", name));
    let service = Key::of(&object("v1", "Service", "web")).unwrap();
    shop.put(cart.clone(), pod("cart"));
    shop.modify(&web, |pod| pod["status"] = json!({ "phase": "Running" }));
    shop.delete(&service);
    shop.delete(&cart);
    assert_eq!(shop.version, 7);
    let pods = [
        event("ADDED", "cart", "4"),
        event("MODIFIED", "web", "5"),
        event("DELETED", "cart", "7"),
    ];
    assert_eq!(events(&shop, 3, Resource::Pods), Some(pods.to_vec()));
    assert_eq!(events(&shop, 4, Resource::Pods), Some(pods[1..].to_vec()));
    assert_eq!(events(&shop, 7, Resource::Pods), Some(vec![]));
    assert_eq!(
        events(&shop, 3, Resource::Services),
        Some(vec![event("DELETED", "web", "6")])
    );
    assert_eq!(events(&shop, 3, Resource::Nodes), Some(vec![]));
    let left: Vec<_> = shop.all(Resource::Pods).collect();
    let metadata = json!({ "namespace": "shop", "name": "web", "resourceVersion": "5" });
    let running = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": { "phase": "Running" },
    });
    assert_eq!(left, [(&web, &running)]);
}

#[test]
fn what_is_not_there_is_neither_changed_nor_deleted() {
    let mut shop = shop(&["web"]);
    let gone = Key::pod("shop", "gone");
    shop.modify(&gone, |_| panic!("there is nothing to change"));
    shop.delete(&gone);
    assert_eq!(
        (shop.version, events(&shop, 3, Resource::Pods)),
        (3, Some(vec![]))
    );
}

#[test]
fn events_of_before_the_kept_ones_and_of_the_future_are_not_known() {
    let mut shop = shop(&["web"]);
    assert_eq!(events(&shop, 2, Resource::Pods), None);
    let web = Key::pod("shop", "web");
    for _ in 0..=KEPT {
        shop.modify(&web, |_| {});
    }
    let version = 3 + KEPT as u64 + 1;
    assert_eq!(shop.version, version);
    assert_eq!(events(&shop, 3, Resource::Pods), None);
    assert_eq!(
        events(&shop, 4, Resource::Pods).map(|events| events.len()),
        Some(KEPT)
    );
    assert_eq!(events(&shop, version + 1, Resource::Pods), None);
}
