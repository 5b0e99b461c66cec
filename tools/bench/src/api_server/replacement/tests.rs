use tokio::task::JoinSet;
use tokio::time::Instant;

use super::super::tests::shop::{endpoint, pod, slice};
use super::*;

fn served(objects: &[Value]) -> watch::Sender<Objects> {
    watch::Sender::new(Objects::new(objects.to_vec()).unwrap())
}

fn replaced(objects: &[Value]) -> Vec<(Key, Value)> {
    let keyed = objects.iter().map(|pod| (Key::of(pod).unwrap(), pod.clone()));
    keyed.collect()
}

/// Each event as its type, kind, name, and what is said of addresses.
fn told(objects: &Objects, since: u64) -> Vec<(u64, String)> {
    let kinds = [Resource::Pods, Resource::EndpointSlices];
    let lines = kinds.map(|resource| objects.since(since, resource).unwrap());
    let mut told: Vec<_> = lines
        .iter()
        .flatten()
        .map(|line| {
            let event: Value = serde_json::from_slice(line).unwrap();
            let object = &event["object"];
            let metadata = &object["metadata"];
            let version: u64 = metadata["resourceVersion"].as_str().unwrap().parse().unwrap();
            let endpoints = object["endpoints"].as_array().into_iter().flatten();
            let addresses: Vec<_> = endpoints
                .flat_map(|endpoint| endpoint["addresses"].as_array().unwrap())
                .chain([&object["status"]["podIP"]])
                .filter_map(Value::as_str)
                .collect();
            let [happened, name] = [&event["type"], &metadata["name"]].map(|text| text.as_str().unwrap());
            (version, format!("{happened} {name} {}", addresses.join(" ")))
        })
        .collect();
    told.sort();
    told
}

#[tokio::test(start_paused = true)]
async fn a_pod_goes_and_another_comes_and_its_slices_follow() {
    let [one, two] = [("web-one", "10.0.0.1"), ("web-two", "10.0.0.2")].map(|(name, ip)| pod(name, ip));
    let slice = slice("web", &[&one, &two]);
    let objects = served(&[one.clone(), two, slice]);
    let mut seen = objects.subscribe();
    let mut tasks = JoinSet::new();
    tasks.spawn(replace(objects, replaced(&[one]), Duration::from_secs(1)));
    let now = seen.wait_for(|objects| objects.changes == 2).await.unwrap();
    let expected = [
        "DELETED web-one 10.0.0.1",
        "MODIFIED web-slice 10.0.0.2",
        "ADDED web-00000 ",
        "MODIFIED web-00000 100.64.0.0",
        "MODIFIED web-slice 10.0.0.2 100.64.0.0",
        "DELETED web-00000 100.64.0.0",
        "MODIFIED web-slice 10.0.0.2",
        "ADDED web-00001 ",
        "MODIFIED web-00001 100.64.0.1",
        "MODIFIED web-slice 10.0.0.2 100.64.0.1",
    ];
    let expected: Vec<_> = (4..).zip(expected.map(str::to_owned)).collect();
    assert_eq!(told(&now, 3), expected);
}

#[tokio::test(start_paused = true)]
async fn so_many_are_replaced_a_second_and_each_in_turn() {
    let pods: Vec<_> = (0..7)
        .map(|number| pod(&format!("web-{number}"), &format!("10.0.0.{number}")))
        .collect();
    let objects = served(&pods);
    let mut seen = objects.subscribe();
    let mut tasks = JoinSet::new();
    let began = Instant::now();
    tasks.spawn(replace(objects, replaced(&pods), Duration::from_millis(100)));
    let now = seen.wait_for(|objects| objects.changes == 30).await.unwrap();
    // The last of the five writes of the last of three seconds.
    assert_eq!(began.elapsed(), Duration::from_millis(2980));
    let names: Vec<_> = now
        .all(Resource::Pods)
        .map(|(_, pod)| pod["metadata"]["name"].as_str().unwrap())
        .collect();
    let expected: Vec<_> = (23..30).map(|number| format!("web-{number:05x}")).collect();
    assert_eq!(names, expected);
}

#[test]
fn a_successor_is_of_the_same_workload_and_began_now() {
    let one = pod("web-7d9f-abc", "10.0.0.1");
    // 1.9 s after the epoch.
    let Successor {
        key,
        pending,
        running,
    } = Successor::new(&one, 0x40_0102, Moment(1_900_000_000));
    assert_eq!(key, Key::of(&running).unwrap());
    let mut expected = one;
    expected["metadata"]["name"] = "web-7d9f-400102".into();
    expected["metadata"]["uid"] = "00000000-0000-4000-8000-000000400102".into();
    expected["metadata"]["creationTimestamp"] = "1970-01-01T00:00:01Z".into();
    expected["status"]["podIP"] = "100.64.1.2".into();
    expected["status"]["podIPs"] = json!([{ "ip": "100.64.1.2" }]);
    expected["status"]["startTime"] = "1970-01-01T00:00:01Z".into();
    assert_eq!(running, expected);
    expected["status"] = json!({ "phase": "Pending" });
    assert_eq!(pending, expected);
}

#[test]
fn an_endpoint_keeps_all_but_who_it_is() {
    let [one, two] = [("web-one", "10.0.0.1"), ("web-two", "10.0.0.2")].map(|(name, ip)| pod(name, ip));
    let mut before = endpoint(&one);
    before["zone"] = "a".into();
    let mut after = endpoint(&two);
    after["zone"] = "a".into();
    assert_eq!(of_pod(before, &two), after);
}
