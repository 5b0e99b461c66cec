//! Generated mesh configs, whole and broken, against what must hold for any text.

#![expect(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod laws;
mod text;
mod writer;

use alscope_mesh_config::restore;
use laws::{ADDRESS, check};
use proptest::prelude::*;
use text::{Mesh, mesh};

/// Characters that mean something to YAML.
const MARKS: &str = "{}[]:,#&*!|>-?'\"%@` \n\r\t~<e\u{feff}\u{2028}é";

fn boundary(text: &str, near: prop::sample::Index) -> usize {
    let mut at = near.index(text.len() + 1);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// `PROPTEST_CASES` in the environment asks for more or fewer cases.
fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_mesh_config_can_be_wired_and_restored(mesh in mesh()) {
        let text = mesh.text();
        let wired = check(&text);
        prop_assert!(wired.is_ok(), "{wired:?} for {text:?}");
    }

    #[test]
    fn an_unrelated_line_at_the_end_stays(mesh in mesh()) {
        let text = mesh.text();
        let wired = check(&text).expect("the text is a mesh config");
        if let Some(line) = mesh.line_at_the_end("unrelated: \"line\" # new") {
            let break_needed = if wired.ends_with('\n') { "" } else { mesh.line_break() };
            let current = [&wired, break_needed, &line].concat();
            let restored = restore(&current, &text, ADDRESS).expect("the text is a mesh config");
            let break_needed = if text.is_empty() { "" } else { break_needed };
            prop_assert_eq!(restored.text, [&text, break_needed, &line].concat());
            prop_assert_eq!(restored.kept.len(), 0);
        }
    }

    #[test]
    fn any_original_can_be_restored_to(current in mesh(), original in mesh()) {
        let (current, original) = (current.text(), original.text());
        let wired = check(&current).expect("the text is a mesh config");
        if let Ok(restored) = restore(&wired, &original, ADDRESS) {
            laws::assert_only_the_paths_differ(&restored.text, &current);
            prop_assert_eq!(restored.kept.len(), 0);
        }
    }

    #[test]
    fn broken_texts_never_panic_and_hold_the_same_laws(
        mesh in mesh(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0_usize..4), 1..4),
    ) {
        let mut text = mesh.text();
        for (near, mark, removed) in edits {
            let start = boundary(&text, near);
            let end = text.char_indices().map(|(at, _)| at).find(|at| *at >= start + removed).unwrap_or(start);
            let mark = MARKS.chars().nth(mark.index(MARKS.chars().count())).expect("a character");
            text.replace_range(start..end.max(start), mark.encode_utf8(&mut [0; 4]));
        }
        drop(check(&text));
    }

    #[test]
    fn texts_of_marks_never_panic(text in "(defaultConfig|enableEnvoyAccessLogService|envoyAccessLogService|address|a|[{}\\[\\]:,#&*!|>?'\"~< -]|: |, |\n|\n  |\r\n|- ){0,24}") {
        drop(check(&text));
    }
}

/// The generator covers what it is for: a random sample has every kind of line end, root and value of ours.
#[test]
fn generated_texts_are_of_every_style() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let sample: Vec<Mesh> = (0..500)
        .map(|_| mesh().new_tree(&mut runner).expect("a mesh config").current())
        .collect();
    let texts: Vec<String> = sample.iter().map(Mesh::text).collect();
    let wanted = [
        "\r\n",
        "\n{",
        "\n---\n",
        "...",
        "# c",
        "&a",
        ": *a",
        "defaultConfig: ~",
        "defaultConfig: {}",
        "\"defaultConfig\":",
        "envoyAccessLogService: {",
        "envoyAccessLogService:\n",
        "tlsSettings",
        "Service: yes",
        "Service: false",
        "|+",
        "\n\n",
        "é",
        "\n    - ",
        ", }",
        ",\n",
    ];
    for wanted in wanted {
        let count = texts.iter().filter(|text| text.contains(wanted)).count();
        assert!(count >= 5, "{wanted:?} is in {count} of 500 texts");
    }
}
