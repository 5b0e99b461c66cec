//! Calls of every kind between real Envoys: what they log comes to what the checked-in recordings come to, and by the proxies'
//! own word to the same edges as by their addresses.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use alscope_e2e::bookinfo::manifest;
use alscope_e2e::cluster::{Namespace, kubectl, read, until};
use alscope_e2e::golden::{
    DIRECTORY, NAMESPACE, Scenario, Wiring, after, edges, entries, observations, records,
};
use alscope_e2e::programs::load_image;
use alscope_e2e::provider;
use anyhow::ensure;
use serde_json::{Value, json};

use super::wired;

const RECORDING: &str = "/var/log/recordings/golden";
const ANALYZERS: [&str; 2] = ["k8s-mesh", "mx-mesh"];

/// `ALSCOPE_REGENERATE=1` writes the recordings and their observations anew, to be reviewed.
#[test]
fn every_kind_of_call_comes_to_what_the_golden_set_says() -> anyhow::Result<()> {
    let deploy = || deploy(Wiring::MeshConfig);
    wired(&json!({}), deploy, |namespace| {
        all_calls(namespace, Wiring::MeshConfig)
    })
}

/// The same of Envoys that know of no collector when they start, and are told of the recorder by a provider.
#[test]
fn every_kind_of_call_comes_to_what_the_golden_set_says_under_a_provider() -> anyhow::Result<()> {
    load_image("collector", "alscope-collector")?;
    load_image("bookinfo", "bookinfo")?;
    let wiring = Wiring::TelemetryProvider;
    let wired = provider::wire("recorder.golden.svc.cluster.local", 11800)?;
    let done = deploy(wiring).and_then(|namespace| {
        all_calls(&namespace, wiring).inspect_err(|_| namespace.dump())?;
        namespace.delete()
    });
    wired.unwire()?;
    done
}

fn deploy(wiring: Wiring) -> anyhow::Result<Namespace> {
    load_image("every-call", "every-call")?;
    let namespace = Namespace::fresh(NAMESPACE)?;
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("every-call/manifests");
    namespace.apply(&manifests.join("recorder.yaml"))?;
    namespace.available(60)?;
    namespace.apply(&manifests.join("flat-node.yaml"))?;
    for path in [
        manifests.join("every-call.yaml"),
        manifest("gateway.yaml"),
        manifest("bookinfo.yaml"),
    ] {
        namespace.apply_text(&recorded(&std::fs::read_to_string(path)?, wiring))?;
    }
    namespace.available(120)?;
    Ok(namespace)
}

/// The manifests, with Envoys whose bootstrap has the recorder, or that know of no collector.
fn recorded(manifest: &str, wiring: Wiring) -> String {
    let statistics = r#"'proxyStatsMatcher: {inclusionRegexps: [".*grpc_access_log.*"]}'"#;
    let recorder = r#"'{"envoyAccessLogService": {"address": "recorder.golden:11800"}}'"#;
    match wiring {
        Wiring::MeshConfig => manifest.replace(statistics, recorder),
        Wiring::TelemetryProvider => manifest.replace(statistics, "'{}'").replace(recorder, "'{}'"),
    }
}

fn all_calls(namespace: &Namespace, wiring: Wiring) -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let regenerate = std::env::var_os("ALSCOPE_REGENERATE").is_some();
    let output = if regenerate {
        wiring.folder()
    } else {
        scratch.path().to_owned()
    };
    std::fs::create_dir_all(&output)?;
    std::fs::write(output.join(DIRECTORY), directory()?)?;
    let outsider = namespace.kubectl(&[
        "get",
        "pods",
        "--selector=app=outsider",
        "--output=jsonpath={.items[0].status.podIP}",
    ])?;
    let mut failures = Vec::new();
    for scenario in wiring.scenarios() {
        let recording = call(namespace, &scenario, &outsider)?;
        let file = output.join(format!("{}.als", scenario.name));
        std::fs::write(&file, recording)?;
        for analyzer in ANALYZERS {
            let name = format!("{}.{analyzer}.txt", scenario.name);
            let observed = observations(analyzer, &file, &output.join(DIRECTORY))?;
            if regenerate {
                std::fs::write(output.join(&name), &observed)?;
            } else if std::fs::read_to_string(wiring.folder().join(&name))? != observed {
                failures.push(format!("{name} says otherwise than\n{observed}"));
            }
        }
    }
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    the_proxies_say_what_addresses_say(namespace, &output)
}

/// Makes the calls of a scenario; answers with what was recorded of them.
fn call(namespace: &Namespace, scenario: &Scenario, outsider: &str) -> anyhow::Result<Vec<u8>> {
    let before = records(&read(RECORDING)?)?;
    let arguments: Vec<String> = scenario
        .call
        .iter()
        .map(|argument| argument.replace("outsider-pod", outsider))
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    every_call(namespace, scenario.from, &arguments)?;
    recorded_since(before, scenario.entries, scenario.name, 20)
}

/// Runs the program of that name in a pod of a Deployment.
fn every_call(namespace: &Namespace, from: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let deployment = format!("deployment/{from}");
    let program = ["exec", &deployment, "--container=every-call", "--", "every-call"];
    namespace.kubectl(&[&program[..], arguments].concat()).map(drop)
}

/// Waits for so many entries after the first `before` records, no more and no fewer.
fn recorded_since(before: usize, made: usize, of: &str, seconds: u64) -> anyhow::Result<Vec<u8>> {
    let what = format!("{made} entries of {of}");
    until(&what, Duration::from_secs(seconds), || {
        let recording = after(&read(RECORDING)?, before)?;
        let found = entries(&recording)?;
        ensure!(found == made, "{found} entries");
        Ok(Some(recording))
    })
}

/// bookinfo's calls, of which the same edges and numbers must come out by addresses and by what the proxies tell each other. Whom
/// the proxies can't tell: a caller without one, and whoever speaks TCP, because this filter is one of HTTP.
fn the_proxies_say_what_addresses_say(namespace: &Namespace, output: &Path) -> anyhow::Result<()> {
    let before = records(&read(RECORDING)?)?;
    for id in 1..=3 {
        let url = format!("http://bookinfo-gateway/productpage?id={id}");
        every_call(namespace, "outsider", &["get", &url, "--times=20"])?;
    }
    // Of 60 requests: 60 at the gateway and 60 behind it, 60 calls of details and reviews, 40 of ratings and 40 connections.
    let entries_made = 60 + 60 + 2 * (60 + 60 + 40 + 40);
    let recording = recorded_since(before, entries_made, "bookinfo", 30)?;
    let scratch = tempfile::tempdir()?;
    let file = scratch.path().join("bookinfo.als");
    std::fs::write(&file, recording)?;
    let mut by = [BTreeMap::new(), BTreeMap::new()];
    for (edges_by, analyzer) in by.iter_mut().zip(ANALYZERS) {
        *edges_by = edges(&observations(analyzer, &file, &output.join(DIRECTORY))?)?;
    }
    let made: BTreeMap<String, u64> = SIXTY
        .into_iter()
        .flat_map(|(source, destination, calls)| {
            ["source", "destination"]
                .map(|reporter| (format!("{reporter} {source} {destination} 200"), calls))
        })
        .collect();
    for edges in &mut by {
        let outside = edges
            .extract_if(.., |edge, _| edge.ends_with(" bookinfo-gateway 200"))
            .map(|(_, calls)| calls);
        ensure!(outside.sum::<u64>() == 60, "calls of the gateway");
    }
    let [addresses, proxies] = by;
    ensure!(
        addresses == proxies,
        "by addresses {addresses:#?}\nby the proxies {proxies:#?}"
    );
    ensure!(addresses == made, "made {made:#?}\nobserved {addresses:#?}");
    Ok(())
}

/// What twenty requests of each of the products 1, 2 and 3 come to, but for the caller without a proxy and for TCP.
const SIXTY: [(&str, &str, u64); 7] = [
    ("bookinfo-gateway", "productpage-v1", 60),
    ("productpage-v1", "details-v1", 60),
    ("productpage-v1", "reviews-v1", 20),
    ("productpage-v1", "reviews-v2", 20),
    ("productpage-v1", "reviews-v3", 20),
    ("reviews-v2", "ratings-v1", 20),
    ("reviews-v3", "ratings-v1", 20),
];

/// The cluster's objects as `kubectl get -o json` prints them, without what no rule needs for these calls.
fn directory() -> anyhow::Result<String> {
    let kinds = "pods,services,endpointslices,serviceentries,workloadentries";
    let mut list: Value = serde_json::from_str(&kubectl(&[
        "get",
        kinds,
        "--namespace",
        NAMESPACE,
        "--output=json",
    ])?)?;
    let nodes: Value = serde_json::from_str(&kubectl(&["get", "nodes", "--output=json"])?)?;
    if let (Some(items), Some(nodes)) = (list["items"].as_array_mut(), nodes["items"].as_array()) {
        items.extend(nodes.iter().cloned());
        for item in items {
            strip(item);
        }
    }
    Ok(serde_json::to_string_pretty(&list)? + "\n")
}

fn strip(object: &mut Value) {
    const NEEDLESS: [&str; 13] = [
        "annotations",
        "managedFields",
        "images",
        "nodeInfo",
        "conditions",
        "capacity",
        "allocatable",
        "initContainers",
        "initContainerStatuses",
        "volumes",
        "containerStatuses",
        "tolerations",
        "securityContext",
    ];
    if let Some(containers) = object["spec"]["containers"].as_array_mut() {
        for container in containers {
            *container = json!({"name": container["name"], "ports": container["ports"]});
        }
    }
    for part in ["metadata", "spec", "status"] {
        if let Some(fields) = object[part].as_object_mut() {
            fields.retain(|name, _| !NEEDLESS.contains(&name.as_str()));
        }
    }
}
