//! The way back, when others changed the mesh config meanwhile.

#![expect(clippy::expect_used, reason = "a test may fail")]

use alscope_mesh_config::{restore, wire};
use rstest::rstest;

const ADDRESS: &str = "als.ns.svc:11800";
const FLAG: &str = "enableEnvoyAccessLogService";
const SERVICE: &str = "defaultConfig.envoyAccessLogService";
const CHART: &str =
    "defaultConfig:\n  discoveryAddress: istiod.istio-system.svc:15012\ntrustDomain: cluster.local\n";

/// What `restore` makes of the wired `original` after `change`.
fn restored(original: &str, change: (&str, &str)) -> (String, Vec<String>) {
    let wired = wire(original, ADDRESS).expect("the text is a mesh config");
    assert!(wired.contains(change.0), "{wired}");
    let current = wired.replacen(change.0, change.1, 1);
    let restored = restore(&current, original, ADDRESS).expect("the text is a mesh config");
    (restored.text, restored.kept)
}

#[rstest]
#[case::flag_off(
    (": true", ": false"),
    "defaultConfig:\n  discoveryAddress: istiod.istio-system.svc:15012\ntrustDomain: cluster.local\n\
     enableEnvoyAccessLogService: false\n",
    &[FLAG]
)]
#[case::other_address(
    (ADDRESS, "other:1"),
    "defaultConfig:\n  discoveryAddress: istiod.istio-system.svc:15012\n  envoyAccessLogService:\n    address: other:1\n\
     trustDomain: cluster.local\n",
    &[SERVICE]
)]
#[case::key_beside_the_address(
    ("svc:11800\n", "svc:11800\n    tlsSettings: {mode: DISABLE}\n"),
    "defaultConfig:\n  discoveryAddress: istiod.istio-system.svc:15012\n  envoyAccessLogService:\n    \
     address: als.ns.svc:11800\n    tlsSettings: {mode: DISABLE}\ntrustDomain: cluster.local\n",
    &[SERVICE]
)]
#[case::flag_gone(("enableEnvoyAccessLogService: true\n", ""), CHART, &[])]
#[case::service_gone(("  envoyAccessLogService:\n    address: als.ns.svc:11800\n", ""), CHART, &[])]
#[case::flag_spelled_otherwise((": true", ": yes # us"), CHART, &[])]
#[case::service_written_otherwise(
    (":\n    address: als.ns.svc:11800", ": {address: 'als.ns.svc:11800'}"),
    CHART,
    &[]
)]
#[case::new_key_in_default_config(
    ("  envoyAccess", "  concurrency: 2 # two\n  envoyAccess"),
    "defaultConfig:\n  discoveryAddress: istiod.istio-system.svc:15012\n  concurrency: 2 # two\n\
     trustDomain: cluster.local\n",
    &[]
)]
#[case::new_key_below_ours(
    ("trustDomain", "  concurrency: 2\ntrustDomain"),
    "defaultConfig:\n  discoveryAddress: istiod.istio-system.svc:15012\n  concurrency: 2\ntrustDomain: cluster.local\n",
    &[]
)]
#[case::other_key_of_default_config_gone(
    ("  discoveryAddress: istiod.istio-system.svc:15012\n", ""),
    "defaultConfig:\ntrustDomain: cluster.local\n",
    &[]
)]
#[case::comment_at_the_end(
    ("Service: true\n", "Service: true\n# a word\n"),
    "defaultConfig:\n  discoveryAddress: istiod.istio-system.svc:15012\ntrustDomain: cluster.local\n# a word\n",
    &[]
)]
fn what_others_changed_stays(#[case] change: (&str, &str), #[case] text: &str, #[case] kept: &[&str]) {
    assert_eq!(
        restored(CHART, change),
        (text.to_owned(), kept.iter().map(ToString::to_string).collect())
    );
}

/// Each original holds values of its own, and an unrelated key is new.
#[rstest]
#[case::false_and_foreign_in_block(
    "enableEnvoyAccessLogService: False # no\ndefaultConfig:\n  envoyAccessLogService: # theirs\n    # c\n    address: \"o:1\"\n    tlsSettings:\n      mode: DISABLE # d\n  a: 1\n"
)]
#[case::foreign_in_braces("defaultConfig: {envoyAccessLogService: { address: o:1, b: [ 1 ] }, a: 1}\n")]
#[case::nulls("enableEnvoyAccessLogService:   # no\ndefaultConfig:\n  envoyAccessLogService: ~\n")]
#[case::proxy_null("defaultConfig: null # no\n")]
#[case::proxy_left_out("defaultConfig: # no\n# c\n")]
#[case::proxy_empty("defaultConfig: { }\n")]
#[case::aliases(
    "x: &x {address: o:1}\ny: &y off\ndefaultConfig:\n  envoyAccessLogService: *x\nenableEnvoyAccessLogService: *y\n"
)]
#[case::flag_was_ours("enableEnvoyAccessLogService: on\n")]
#[case::service_was_ours("defaultConfig: {envoyAccessLogService: {address: als.ns.svc:11800}}\n")]
#[case::nothing("")]
#[case::comment("# c\n")]
fn the_values_from_before_come_back(#[case] original: &str) {
    let wired = wire(original, ADDRESS).expect("the text is a mesh config");
    assert_ne!(wired, original);
    let restored =
        restore(&format!("{wired}new: 1\n"), original, ADDRESS).expect("the text is a mesh config");
    assert_eq!(restored.text, format!("{original}new: 1\n"));
    assert_eq!(restored.kept.len(), 0);
}

#[test]
fn a_default_config_that_was_added_stays_when_others_use_it() {
    let change = ("defaultConfig:\n", "defaultConfig:\n  concurrency: 2\n");
    let expected = "a: 1\ndefaultConfig:\n  concurrency: 2\n".to_owned();
    assert_eq!(restored("a: 1\n", change), (expected, Vec::new()));
}

#[test]
fn values_come_back_into_a_text_that_was_indented_further() {
    let original =
        "defaultConfig:\n  envoyAccessLogService:\n    address: o:1\n    tlsSettings:\n      mode: DISABLE\n";
    let current = "defaultConfig:\n      envoyAccessLogService:\n        address: als.ns.svc:11800\nenableEnvoyAccessLogService: true\n";
    let restored = restore(current, original, ADDRESS).expect("the text is a mesh config");
    let expected = "defaultConfig:\n      envoyAccessLogService:\n        address: o:1\n        tlsSettings:\n          mode: DISABLE\n";
    assert_eq!(restored.text, expected);
    assert_eq!(restored.kept.len(), 0);
}

#[rstest]
#[case::never_wired(CHART, CHART, &[])]
#[case::reset_with_a_change("a: 2\n", "a: 1\n", &[])]
#[case::flag_removed_that_was_there("a: 1\n", "enableEnvoyAccessLogService: false\na: 1\n", &[FLAG])]
#[case::foreign_service_removed(
    "a: 1\n",
    "defaultConfig: {envoyAccessLogService: {address: o:1}}\na: 1\n",
    &[SERVICE]
)]
#[case::both_changed(
    "enableEnvoyAccessLogService: false\ndefaultConfig: {envoyAccessLogService: {address: p:1}}\n",
    "defaultConfig: {envoyAccessLogService: {address: o:1}}\n",
    &[FLAG, SERVICE]
)]
#[case::only_quotes_differ(
    "defaultConfig: {envoyAccessLogService: {address: o:1}}\n",
    "defaultConfig:\n  envoyAccessLogService: {address: o:1}\n",
    &[]
)]
fn a_text_without_our_values_stays(#[case] current: &str, #[case] original: &str, #[case] kept: &[&str]) {
    let restored = restore(current, original, ADDRESS).expect("the text is a mesh config");
    assert_eq!(restored.text, current);
    assert_eq!(restored.kept, kept);
}

/// Both keys go before the first here, onto the line of the mark.
#[test]
fn a_byte_order_mark_stays() {
    let original = "\u{feff}a: |\n  text";
    let wired = wire(original, ADDRESS).expect("the text is a mesh config");
    assert!(
        wired.starts_with("\u{feff}enableEnvoyAccessLogService: true\n"),
        "{wired}"
    );
    let current = format!("{wired}\nnew: 1\n");
    let restored = restore(&current, original, ADDRESS).expect("the text is a mesh config");
    assert_eq!(restored.text, format!("{original}\nnew: 1\n"));
}

#[test]
fn without_a_backup_both_keys_go() {
    let wired = wire(CHART, ADDRESS).expect("the text is a mesh config");
    let restored = restore(&wired, "", ADDRESS).expect("the text is a mesh config");
    assert_eq!(restored.text, CHART);
    assert_eq!(restored.kept.len(), 0);
}

#[test]
fn a_value_that_an_alias_uses_by_now_is_not_taken_back() {
    let wired = wire(CHART, ADDRESS).expect("the text is a mesh config");
    let current = wired.replace(": true", ": &on true") + "other: *on\n";
    let error = restore(&current, CHART, ADDRESS).expect_err("refused");
    assert_eq!(
        error.to_string(),
        "`enableEnvoyAccessLogService` of the mesh config cannot change alone, because the alias on line 7 repeats it; \
         write the alias out"
    );
}

#[test]
fn a_refusal_names_the_line_of_the_text_as_it_is() {
    let current = format!(
        "enableEnvoyAccessLogService: true\ndefaultConfig:\n  envoyAccessLogService: &a {{address: {ADDRESS}}}\nother: *a\n"
    );
    let error = restore(&current, "", ADDRESS).expect_err("refused");
    assert_eq!(
        error.to_string(),
        "`defaultConfig.envoyAccessLogService` of the mesh config cannot change alone, because the alias on line 4 repeats \
         it; write the alias out"
    );
}
