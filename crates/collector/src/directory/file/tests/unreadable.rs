use super::*;

#[rstest]
#[case::not_yaml("items: [", "directory file cluster.yaml: not YAML, or no List: ")]
#[case::half_of_json(
    "{\"kind\": \"List\", \"items\": [",
    "directory file cluster.yaml: not YAML, or no List: "
)]
#[case::half_of_yaml(
    "items:\n- {kind: Pod, metadata: {name: a}}\n",
    "directory file cluster.yaml: it holds an object without a kind, not a List with items; "
)]
#[case::a_pod(
    "kind: Pod",
    "directory file cluster.yaml: it holds an object of the kind Pod, not a List with items; write it with `kubectl get pods,services,endpointslices,nodes -A -o json`"
)]
#[case::without_items(
    "kind: List",
    "directory file cluster.yaml: it holds a List without items, not a List with items; "
)]
#[case::a_number("7", "directory file cluster.yaml: not YAML, or no List: ")]
#[case::a_secret(
    "items:\n- {kind: Pod, env: secret}\n- }secret",
    "directory file cluster.yaml: not YAML, or no List: "
)]
fn a_bad_file_is_an_error_that_says_where(#[case] text: &str, #[case] expected: &str) {
    let error = parse(text, DirectoryState::default()).unwrap_err().to_string();
    assert!(error.starts_with(expected), "{error}");
    assert!(!error.contains("secret"), "{error}");
    assert!(
        error.contains("kubectl get pods,services,endpointslices,nodes -A -o json"),
        "{error}"
    );
}

/// One item of each kind that is right but for one field, beside one that is right.
const BROKEN: &str = r"
kind: List
items:
- {kind: Pod, metadata: {name: bad, namespace: demo}, spec: {containers: [{name: a, ports: [{containerPort: 4294967295}]}]}}
- {kind: Service, metadata: {name: bad, namespace: demo}, spec: {ports: [{port: http}]}}
- {kind: EndpointSlice, metadata: {name: bad, namespace: demo}, endpoints: [7]}
- {kind: Node, metadata: {name: bad}, status: {addresses: 7}}
- {kind: ServiceEntry, metadata: {name: bad, namespace: demo}, spec: {ports: [{number: 4294967295}]}}
- {kind: ServiceEntry, metadata: 7}
- 7
- {kind: Pod, metadata: {name: good, namespace: demo}, status: {podIP: 10.0.0.9}}
";

#[rstest]
#[case::as_yaml(BROKEN.to_owned())]
#[case::as_json(json(BROKEN))]
fn an_item_that_cannot_be_decoded_is_left_out_and_named(#[case] text: String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.yaml");
    std::fs::write(&path, text).unwrap();
    let mut state = DirectoryState::default();
    let left_out = load(&path, &mut state).unwrap();
    let named = left_out
        .iter()
        .map(|(kind, item)| format!("{} {}", kind.as_str(), item.name));
    let expected = [
        "Pod demo/bad",
        "Service demo/bad",
        "EndpointSlice demo/bad",
        "Node bad",
        "ServiceEntry demo/bad",
        "ServiceEntry without a name",
    ];
    assert_eq!(named.collect::<Vec<_>>(), expected);
    let directory = state.publish().unwrap();
    assert_eq!(
        owner(&directory, "10.0.0.9", "2026-01-02T00:00:00Z"),
        "good good latest -"
    );
}

#[test]
fn a_mesh_of_any_size_is_read() {
    // A thousand pods of a real cluster have as many values.
    let others = "- {kind: ConfigMap, metadata: {name: other}}\n".repeat(40_000);
    let text = LIST.replace("kind: List\n", &format!("{others}kind: List\n"));
    let directory = parse(&text, DirectoryState::default()).unwrap();
    assert_eq!(
        owner(&directory, "10.96.0.2", "2026-01-02T00:00:00Z"),
        "service reviews"
    );
}

#[test]
fn a_missing_file_is_named() {
    let error = load(Path::new("/nowhere/cluster.yaml"), &mut DirectoryState::default())
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("directory file /nowhere/cluster.yaml: No such file"),
        "{error}"
    );
}
