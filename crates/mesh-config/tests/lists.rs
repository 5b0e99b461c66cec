//! Values in the items of lists: inserted by the item's name, compared, and removed again.

use alscope_mesh_config::{Path, Segment, Value, holds, insert, remove};
use proptest::prelude::*;
use rstest::rstest;

/// `extensionProviders[name=alscope].envoyHttpAls`.
const PROVIDER: Path<'_> = Path(&[
    Segment::Key("extensionProviders"),
    Segment::Item("alscope"),
    Segment::Key("envoyHttpAls"),
]);
/// `extensionProviders[name=alscope].envoyHttpAls.service`.
const SERVICE: Path<'_> = Path(&[
    Segment::Key("extensionProviders"),
    Segment::Item("alscope"),
    Segment::Key("envoyHttpAls"),
    Segment::Key("service"),
]);

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn provider() -> Value {
    Value::Mapping(vec![
        ("service".to_owned(), text("als.logs.svc")),
        ("port".to_owned(), Value::Number(11_800)),
    ])
}

const ITEM: &str = "- name: alscope\n  envoyHttpAls:\n    service: als.logs.svc\n    port: 11800\n";
const FLOW: &str = "{name: alscope, envoyHttpAls: {service: als.logs.svc, port: 11800}}";

#[rstest]
#[case::an_empty_text("", &format!("extensionProviders:\n{ITEM}"))]
#[case::no_list("# ours\nrootNamespace: a\n", &format!("# ours\nrootNamespace: a\nextensionProviders:\n{ITEM}"))]
#[case::null("extensionProviders: ~\n", &format!("extensionProviders: [{FLOW}]\n"))]
#[case::left_out("extensionProviders: # none\nrootNamespace: a\n", &format!("extensionProviders: # none\n{ITEM}rootNamespace: a\n"))]
#[case::an_empty_list("extensionProviders: []\n", &format!("extensionProviders: [{FLOW}]\n"))]
#[case::a_list_in_braces(
    "extensionProviders: [{name: otel}] # c\n",
    &format!("extensionProviders: [{{name: otel}}, {FLOW}] # c\n")
)]
#[case::json(
    "{\"extensionProviders\": [{\"name\": \"otel\"}]}",
    "{\"extensionProviders\": [{\"name\": \"otel\"}, {\"name\": \"alscope\", \"envoyHttpAls\": {\"service\": \"als.logs.svc\", \"port\": 11800}}]}"
)]
#[case::other_items(
    "extensionProviders:\n- name: otel # c\n  envoyOtelAls:\n    port: 1\n\nrootNamespace: a\n",
    &format!("extensionProviders:\n- name: otel # c\n  envoyOtelAls:\n    port: 1\n{ITEM}\nrootNamespace: a\n")
)]
#[case::an_indented_list(
    "extensionProviders:\n  - name: otel\n",
    "extensionProviders:\n  - name: otel\n  - name: alscope\n    envoyHttpAls:\n      service: als.logs.svc\n      port: 11800\n"
)]
#[case::an_item_without_the_key(
    "extensionProviders:\n- name: alscope\n- name: otel\n",
    &format!("extensionProviders:\n{ITEM}- name: otel\n")
)]
#[case::the_last_of_two_of_one_name(
    "extensionProviders:\n- name: alscope\n  envoyTcpAls: {}\n- name: alscope\n",
    &format!("extensionProviders:\n- name: alscope\n  envoyTcpAls: {{}}\n{ITEM}")
)]
#[case::another_value(
    "extensionProviders:\n- envoyHttpAls:\n    service: other\n    timeout: 1s\n  name: alscope\n",
    "extensionProviders:\n- envoyHttpAls:\n    service: als.logs.svc\n    port: 11800\n  name: alscope\n"
)]
#[case::the_same_in_another_spelling(
    "extensionProviders: [{envoyHttpAls: {port: 11800, 'service': \"als.logs.svc\", timeout: ~}, name: alscope}]\n",
    "extensionProviders: [{envoyHttpAls: {port: 11800, 'service': \"als.logs.svc\", timeout: ~}, name: alscope}]\n"
)]
fn a_provider_is_inserted_and_removed(#[case] before: &str, #[case] after: &str) {
    let value = provider();
    assert_eq!(insert(before, PROVIDER, &value).as_deref(), Ok(after));
    assert_eq!(holds(before, PROVIDER, &value), Ok(before == after));
    assert_eq!(holds(after, PROVIDER, &value), Ok(true));
    let removed = remove(after, before, PROVIDER, &value).expect("the text is a mesh config");
    assert_eq!((removed.text.as_str(), removed.kept.len()), (before, 0));
}

#[test]
fn a_whole_item_and_a_key_deep_inside_are_values_too() {
    const WHOLE: Path<'_> = Path(&[Segment::Key("extensionProviders"), Segment::Item("alscope")]);
    let before = "extensionProviders:\n- name: alscope\n  envoyHttpAls: {port: 1}\n- name: b\n";
    let item = Value::Mapping(vec![
        ("name".to_owned(), text("alscope")),
        ("envoyHttpAls".to_owned(), provider()),
    ]);
    let after = insert(before, WHOLE, &item).expect("the text is a mesh config");
    assert_eq!(after, format!("extensionProviders:\n{ITEM}- name: b\n"));
    let after = insert(before, SERVICE, &text("x")).expect("the text is a mesh config");
    assert_eq!(
        after,
        "extensionProviders:\n- name: alscope\n  envoyHttpAls: {port: 1, service: x}\n- name: b\n"
    );
    assert_eq!(
        SERVICE.to_string(),
        "extensionProviders[name=alscope].envoyHttpAls.service"
    );
}

/// What others changed since the insertion stays; what was added for the value goes only if nothing else is in it.
#[rstest]
#[case::another_item(("port: 11800\n", "port: 11800\n- name: new\n"), "extensionProviders:\n- name: new\n", &[])]
#[case::another_key(("  envoyHttpAls", "  envoyTcpAls: {}\n  envoyHttpAls"), "extensionProviders:\n- name: alscope\n  envoyTcpAls: {}\n", &[])]
#[case::another_value(
    ("port: 11800", "port: 1"),
    "extensionProviders:\n- name: alscope\n  envoyHttpAls:\n    service: als.logs.svc\n    port: 1\n",
    &["extensionProviders[name=alscope].envoyHttpAls"]
)]
#[case::a_line_below(("port: 11800\n", "port: 11800\nrootNamespace: b\n"), "rootNamespace: b\n", &[])]
fn what_others_changed_stays(#[case] change: (&str, &str), #[case] expected: &str, #[case] kept: &[&str]) {
    let inserted = insert("", PROVIDER, &provider()).expect("the text is a mesh config");
    assert!(inserted.contains(change.0), "{inserted}");
    let current = inserted.replacen(change.0, change.1, 1);
    let removed = remove(&current, "", PROVIDER, &provider()).expect("the text is a mesh config");
    assert_eq!(removed.text, expected);
    assert_eq!(removed.kept, kept);
}

#[rstest]
#[case::a_list_that_is_none(
    "extensionProviders: {a: b}\n",
    "`extensionProviders` on line 1 of the mesh config is not a list of providers; istiod refuses that, so correct it"
)]
#[case::an_alias(
    "a: &a\n- name: b\nextensionProviders: *a\n",
    "`extensionProviders` on line 3 of the mesh config is an alias; write its keys out"
)]
#[case::an_alias_of_the_item(
    "a: &a {name: alscope}\nextensionProviders: [*a]\n",
    "`extensionProviders[name=alscope]` on line 2 of the mesh config is an alias; write its keys out"
)]
fn what_can_not_be_edited_is_refused(#[case] before: &str, #[case] message: &str) {
    let error = insert(before, PROVIDER, &provider()).expect_err("the text is refused");
    assert_eq!(error.to_string(), message);
}

#[rstest]
#[case::a_name("als.logs.svc:1", "als.logs.svc:1")]
#[case::an_ip("192.0.2.1:11800", "192.0.2.1:11800")]
#[case::digits("11800", "\"11800\"")]
#[case::a_time("12:30", "\"12:30\"")]
#[case::a_number("1e5", "\"1e5\"")]
#[case::a_hexadecimal_number("0x1f", "\"0x1f\"")]
#[case::a_date("2026-01-01", "\"2026-01-01\"")]
#[case::a_boolean("Off", "\"Off\"")]
#[case::nothing("", "\"\"")]
#[case::ipv6("[::1]:1", "\"[::1]:1\"")]
#[case::a_mapping("a: b", "\"a: b\"")]
#[case::quotes("a\"\\é", "\"a\\\"\\\\\\U000000E9\"")]
fn a_text_is_quoted_where_it_would_be_something_else(#[case] value: &str, #[case] written: &str) {
    let path = Path(&[Segment::Key("a")]);
    let inserted = insert("", path, &text(value)).expect("the text is a mesh config");
    assert_eq!(inserted, format!("a: {written}\n"));
}

/// Lists in every style, with the item somewhere in it or not.
fn lists() -> impl Strategy<Value = String> {
    let item = prop::sample::select(vec![
        "{name: a}",
        "{name: alscope}",
        "{name: alscope, envoyHttpAls: ~}",
        "{name: alscope, envoyHttpAls: {service: b}}",
        "{\"name\": \"b\", \"envoyOtelAls\": {\"port\": 1}}",
    ]);
    let items = prop::collection::vec(item, 0..4);
    let ends = prop::sample::select(vec![
        "",
        "\n",
        "\n\n# end\n",
        "\nrootNamespace: a\n",
        "\nrootNamespace: a",
    ]);
    (items, 0_usize..5, ends, any::<bool>()).prop_map(|(mut items, style, end, is_crlf)| {
        let mut has_name = false;
        items.retain(|item| !item.contains("alscope") || !std::mem::replace(&mut has_name, true));
        let block = |item: &&str, indent: &str| {
            let inner = item.trim_start_matches('{').trim_end_matches('}');
            match inner.split_once(", ") {
                Some((name, _)) if !inner.contains('{') => format!("\n{indent}- {name} # c"),
                _ => format!("\n{indent}- {item}"),
            }
        };
        let list = match style {
            0 => format!(" [{}]", items.join(", ")),
            1 => format!(" [ {} ] # c", items.join(" , ")),
            2 => items.iter().map(|item| block(item, "")).collect(),
            3 => items.iter().map(|item| block(item, "   ")).collect(),
            _ => items
                .iter()
                .map(|item| ["\n-\n  ", &item.replace("{name: a}", "name: a")].concat())
                .collect(),
        };
        let text = format!("# head\nenableTracing: true\nextensionProviders:{list}{end}");
        if is_crlf { text.replace('\n', "\r\n") } else { text }
    })
}

/// The list as another reader sees it, without the item's `envoyHttpAls`, and without an item that has nothing but its name.
fn others(text: &str) -> Option<serde_json::Value> {
    let mut value: serde_json::Value = serde_saphyr::from_str(text).ok()?;
    let mut items = value["extensionProviders"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    for item in &mut items {
        if item["name"] == "alscope" {
            item.as_object_mut()?.remove("envoyHttpAls");
        }
    }
    items.retain(|item| *item != serde_json::json!({"name": "alscope"}));
    value["extensionProviders"] = items.into();
    Some(value)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_list_takes_the_item_and_gives_it_back(before in lists(), line in any::<bool>()) {
        let value = provider();
        let after = insert(&before, PROVIDER, &value).expect("the text is a mesh config");
        prop_assert_eq!(holds(&after, PROVIDER, &value), Ok(true));
        prop_assert_eq!(insert(&after, PROVIDER, &value), Ok(after.clone()));
        prop_assert_eq!(others(&before), others(&after));
        let head = if line { "# by hand\n" } else { "" };
        let removed = remove(&format!("{head}{after}"), &before, PROVIDER, &value).expect("the text is a mesh config");
        prop_assert_eq!(removed.text, format!("{head}{before}"), "{:?}", after);
        prop_assert_eq!(removed.kept.len(), 0);
    }
}
