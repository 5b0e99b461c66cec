//! The checked-in recordings of real Envoys come to the observations that stand beside them.

use alscope_e2e::golden::{DIRECTORY, SCENARIOS, folder, observations};

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
