//! The checked-in recordings of real Envoys come to the observations that stand beside them.

use alscope_e2e::golden::{DIRECTORY, Scenario, Wiring, observations};
use alscope_e2e::programs::root;

/// `ALSCOPE_REGENERATE=1` writes the observations anew, to be reviewed.
#[test]
fn every_recording_comes_to_its_observations() {
    let regenerate = std::env::var_os("ALSCOPE_REGENERATE").is_some();
    for (wiring, scenario) in all_scenarios() {
        let folder = wiring.folder();
        let recording = folder.join(format!("{}.als", scenario.name));
        for analyzer in ["k8s-mesh", "mx-mesh"] {
            let expected = folder.join(format!("{}.{analyzer}.txt", scenario.name));
            let observed =
                observations(analyzer, &recording, &folder.join(DIRECTORY)).expect("the recording is good");
            if regenerate {
                std::fs::write(&expected, &observed).expect("the folder can be written");
            }
            let expected = std::fs::read_to_string(&expected).expect("every recording has its observations");
            assert_eq!(observed, expected, "{} by {analyzer}, {wiring:?}", scenario.name);
            assert!(
                observed.contains(&format!("alscope_entries_received_total {}\n", scenario.entries)),
                "{}: {observed}",
                scenario.name
            );
        }
    }
}

fn all_scenarios() -> impl Iterator<Item = (Wiring, Scenario)> {
    Wiring::ALL.into_iter().flat_map(|wiring| {
        wiring
            .scenarios()
            .into_iter()
            .map(move |scenario| (wiring, scenario))
    })
}

/// Whichever way the same calls are logged, they come to the same calls: but for what only a provider logs, which is the status and
/// the messages of gRPC calls.
#[test]
fn both_wirings_tell_of_the_same_calls() {
    for scenario in Wiring::MeshConfig.scenarios() {
        for analyzer in ["k8s-mesh", "mx-mesh"] {
            let [by_mesh_config, by_provider] = Wiring::ALL.map(|wiring| {
                let name = format!("{}.{analyzer}.txt", scenario.name);
                let text =
                    std::fs::read_to_string(wiring.folder().join(name)).expect("every recording has one");
                let lines = text.lines().filter(|line| !line.starts_with("alscope_grpc_"));
                lines.map(without_grpc_status).collect::<Vec<_>>()
            });
            assert_eq!(by_provider, by_mesh_config, "{} by {analyzer}", scenario.name);
        }
    }
}

/// The line without the label `grpc_response_status`.
fn without_grpc_status(line: &str) -> String {
    let Some((before, rest)) = line.split_once(",grpc_response_status=\"") else {
        return line.to_owned();
    };
    let after = rest.split_once('"').map_or("", |(_, after)| after);
    format!("{before}{after}")
}

/// docs/encodings.md says which form was seen in which recording.
#[test]
fn every_recording_stands_in_the_table_of_what_was_seen() {
    let page = root().join("docs/encodings.md");
    let page = std::fs::read_to_string(page).expect("the page is there");
    let cells = page.lines().filter_map(|line| line.split('|').nth_back(2));
    let seen: Vec<&str> = cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    for name in &seen {
        assert!(
            all_scenarios().any(|(_, scenario)| scenario.name == *name),
            "docs/encodings.md names {name}, which is no recording"
        );
    }
    for (_, scenario) in all_scenarios() {
        assert!(
            seen.contains(&scenario.name),
            "docs/encodings.md does not say what {} shows",
            scenario.name
        );
    }
}
