//! Checks the laws for random texts and mutated configurations.

mod laws;

use alscope_collector_config::{Environment, MAPPINGS, ValueKind, settings};
use laws::check;
use proptest::prelude::*;

/// The environment variable `PROPTEST_CASES` sets the number of cases.
fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// A word that means something to the file: a part of a key, a value, a mark of YAML or of placeholders.
fn word() -> impl Strategy<Value = String> {
    let keys = settings().map(|setting| setting.key);
    let keys: Vec<&str> = keys.chain(MAPPINGS.iter().map(|mapping| mapping.key)).collect();
    let parts: Vec<&str> = keys.iter().flat_map(|key| key.split('.')).collect();
    let values = [
        "k8s-mesh",
        "mx-mesh,",
        "0",
        "1",
        "70000",
        "127.0.0.1:1",
        "::",
        "true",
        "default",
        "a",
        "é",
    ];
    let marks = [
        ": ", ":", "\n", "\n  ", "\n    ", "- ", "{", "}", "[", "]", ", ", "\"", "'", "#", "&a ", "*a", "${",
        "|", "---\n", "~",
    ];
    prop_oneof![
        1 => prop::sample::select(parts).prop_map(str::to_owned),
        1 => prop::sample::select(values.to_vec()).prop_map(str::to_owned),
        3 => prop::sample::select(marks.to_vec()).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ]
}

fn environment() -> impl Strategy<Value = Environment> {
    let variables: Vec<&str> = MAPPINGS.iter().map(|mapping| mapping.variable).collect();
    let value = prop_oneof![word(), "[0-9]{1,5}", ".{0,8}"];
    prop::collection::vec((prop::sample::select(variables), value), 0..4)
        .prop_map(|variables| variables.into_iter().collect())
}

/// A setting of this version with a value that it may have, other than its default.
fn valid() -> impl Strategy<Value = (&'static str, String)> {
    let built = settings().filter(|setting| {
        setting.key != "limits.bufferedBytes"
            && matches!(setting.kind(), ValueKind::Number | ValueKind::Analyzers)
    });
    let built: Vec<_> = built.collect();
    (prop::sample::select(built), 1..=1024_u32).prop_map(|(setting, number)| match setting.kind() {
        ValueKind::Analyzers => (setting.key, "k8s-mesh".to_owned()),
        _ => (setting.key, number.to_string()),
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_text_is_accepted_or_refused_with_its_place(text in any::<String>(), environment in environment()) {
        drop(check(&text, &environment));
    }

    #[test]
    fn any_words_are_accepted_or_refused_with_their_place(
        words in prop::collection::vec(word(), 0..40),
        environment in environment(),
    ) {
        drop(check(&words.concat(), &environment));
        drop(check(&format!("directory: {{ kubernetes: {{}} }}\n{}", words.concat()), &environment));
        drop(check(&format!("envoy-metric:\n  default:\n    {}", words.concat()), &environment));
    }

    #[test]
    fn what_is_written_is_what_is_described((key, value) in valid()) {
        let (outer, inner) = key.split_once('.').unwrap_or((key, ""));
        let inner = || inner.rsplit('.').filter(|name| !name.is_empty());
        for written in [value.clone(), format!("${{VALUE:{value}}}")] {
            let nested = inner().fold(format!("\"{written}\""), |value, name| format!("{{ {name}: {value} }}"));
            let text = format!("{outer}: {nested}");
            let config = check(&format!("{text}\ndirectory: {{ file: a }}"), &Environment::default());
            let description = config.expect("the text is a configuration").describe();
            let line = format!("{key}: {value}");
            prop_assert!(description.lines().any(|described| described == line), "{} is not in {}", line, description);
        }
    }
}
