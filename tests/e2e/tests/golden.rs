//! The checked-in recordings of real Envoys come to the observations that stand beside them.

use alscope_e2e::golden::{DIRECTORY, SCENARIOS, folder, observations};
use alscope_e2e::programs::root;

#[test]
fn every_recording_comes_to_its_observations() {
    let folder = folder();
    for scenario in SCENARIOS {
        let recording = folder.join(format!("{}.als", scenario.name));
        for analyzer in ["k8s-mesh", "mx-mesh"] {
            let expected = folder.join(format!("{}.{analyzer}.txt", scenario.name));
            let expected = std::fs::read_to_string(&expected).expect("every recording has its observations");
            let observed =
                observations(analyzer, &recording, &folder.join(DIRECTORY)).expect("the recording is good");
            assert_eq!(observed, expected, "{} by {analyzer}", scenario.name);
            assert!(
                observed.contains(&format!("alscope_entries_received_total {}\n", scenario.entries)),
                "{}: {observed}",
                scenario.name
            );
        }
    }
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
            SCENARIOS.iter().any(|scenario| scenario.name == *name),
            "docs/encodings.md names {name}, which is no recording"
        );
    }
    for scenario in SCENARIOS {
        assert!(
            seen.contains(&scenario.name),
            "docs/encodings.md does not say what {} shows",
            scenario.name
        );
    }
}
