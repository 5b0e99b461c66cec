//! Every refusal by its exact text: what is wrong, where, and what to do next.

use alscope_mesh_config::{read, restore, wire};
use rstest::rstest;

const ADDRESS: &str = "als.ns.svc:11800";

#[rstest]
#[case::not_yaml(
    "a: 1\nb: [1\n",
    "line 2 of the mesh config is not YAML: unclosed bracket '['; correct the line"
)]
#[case::tab(
    "defaultConfig:\n\ta: 1\n",
    "line 2 of the mesh config is indented with a tab; indent it with spaces"
)]
#[case::line_separator(
    "a: 1\n# b\u{2028}c: 1\n",
    "line 2 of the mesh config holds the character U+2028, which istiod does not read as text; take it out or write it \
     as an escape in double quotes"
)]
#[case::control(
    "a: 1\r\nb: \u{7}\r\n",
    "line 2 of the mesh config holds the character U+0007, which istiod does not read as text; take it out or write it \
     as an escape in double quotes"
)]
#[case::several_documents(
    "a: 1\n---\nb: 1\n",
    "line 2 of the mesh config starts a second YAML document; keep one document"
)]
#[case::list(
    "# c\n- a\n",
    "line 2 of the mesh config holds no keys; write it as `key: value` lines"
)]
#[case::text(
    "mesh\n",
    "line 1 of the mesh config holds no keys; write it as `key: value` lines"
)]
#[case::null(
    "~\n",
    "line 1 of the mesh config holds no keys; write it as `key: value` lines"
)]
#[case::key_twice(
    "a:\n  b: 1\n  \"b\": 2\n",
    "`b` on line 3 of the mesh config stands there for the second time; keep one of them"
)]
#[case::key_twice_in_a_list_of_braces(
    "a:\n- {b: 1, b: 2}\n",
    "`b` on line 2 of the mesh config stands there for the second time; keep one of them"
)]
#[case::key_is_a_list(
    "[a]: 1\n",
    "line 1 of the mesh config has a key that is not a plain text; write the key out"
)]
#[case::key_is_an_alias(
    "a: &a b\n*a : 1\n",
    "line 2 of the mesh config has a key that is not a plain text; write the key out"
)]
#[case::alias_of_nothing(
    "a: 1\ndefaultConfig: *b\n",
    "line 2 of the mesh config uses an anchor that no line before it sets; correct the line"
)]
#[case::anchor_with_a_colon(
    "a: 1\nb: &c: 1\n",
    "line 2 of the mesh config is not YAML: the anchor `c:` has more than letters, digits, `_` and `-`; correct the line"
)]
#[case::alias_inside_itself(
    "a: &a\n- *a\n",
    "line 2 of the mesh config is not YAML: the alias is inside of what it repeats; correct the line"
)]
fn texts_that_are_no_mesh_config(#[case] text: &str, #[case] message: &str) {
    assert_eq!(read(text).expect_err("refused").to_string(), message);
    assert_eq!(wire(text, ADDRESS).expect_err("refused").to_string(), message);
    assert_eq!(
        restore(text, "", ADDRESS).expect_err("refused").to_string(),
        message
    );
    assert_eq!(
        restore("", text, ADDRESS).expect_err("refused").to_string(),
        format!("the mesh config from before cannot be used: {message}")
    );
}

#[rstest]
#[case::proxy_is_a_list(
    "defaultConfig:\n- a\n",
    "`defaultConfig` on line 2 of the mesh config is not a mapping; istiod refuses that, so correct it"
)]
#[case::proxy_is_a_text(
    "defaultConfig: ''\n",
    "`defaultConfig` on line 1 of the mesh config is not a mapping; istiod refuses that, so correct it"
)]
#[case::service_is_a_text(
    "defaultConfig:\n  envoyAccessLogService: a:1\n",
    "`defaultConfig.envoyAccessLogService` on line 2 of the mesh config is not a mapping; istiod refuses that, so \
     correct it"
)]
#[case::address_is_a_list(
    "defaultConfig:\n  envoyAccessLogService:\n    address: [a]\n",
    "`defaultConfig.envoyAccessLogService.address` on line 3 of the mesh config is not a text; istiod refuses that, so \
     correct it"
)]
#[case::flag_in_quotes(
    "enableEnvoyAccessLogService: \"true\"\n",
    "`enableEnvoyAccessLogService` on line 1 of the mesh config is not true or false; istiod refuses that, so correct it"
)]
#[case::flag_is_a_number(
    "enableEnvoyAccessLogService: 1\n",
    "`enableEnvoyAccessLogService` on line 1 of the mesh config is not true or false; istiod refuses that, so correct it"
)]
#[case::providers_are_a_text(
    "defaultProviders: envoy\n",
    "`defaultProviders` on line 1 of the mesh config is not a mapping; istiod refuses that, so correct it"
)]
#[case::logging_is_a_text(
    "defaultProviders:\n  accessLogging: envoy\n",
    "`defaultProviders.accessLogging` on line 2 of the mesh config is not a list of names; istiod refuses that, so \
     correct it"
)]
#[case::extension_providers_are_a_mapping(
    "extensionProviders: {name: otel}\n",
    "`extensionProviders` on line 1 of the mesh config is not a list of providers; istiod refuses that, so correct it"
)]
#[case::extension_provider_is_a_text(
    "extensionProviders:\n- otel\n",
    "`extensionProviders` on line 2 of the mesh config is not a list of providers; istiod refuses that, so correct it"
)]
#[case::merged_extension_provider(
    "a: &a {envoyOtelAls: {port: 1}}\nextensionProviders:\n- name: otel\n  <<: *a\n",
    "`<<` on line 4 of the mesh config sets keys of access logging from elsewhere; write those keys out instead of \
     merging them"
)]
#[case::merged_extension_providers(
    "a: &a {extensionProviders: []}\n<<: *a\n",
    "`<<` on line 2 of the mesh config sets keys of access logging from elsewhere; write those keys out instead of \
     merging them"
)]
#[case::flag_in_snake_case(
    "a: 1\nenable_envoy_access_log_service: true\n",
    "`enable_envoy_access_log_service` on line 2 of the mesh config is in snake case; write it as \
     `enableEnvoyAccessLogService`"
)]
#[case::service_in_snake_case(
    "defaultConfig: {envoy_access_log_service: {address: a:1}}\n",
    "`envoy_access_log_service` on line 1 of the mesh config is in snake case; write it as `envoyAccessLogService`"
)]
#[case::proxy_is_an_alias(
    "a: &a {b: 1}\ndefaultConfig: *a\n",
    "`defaultConfig` on line 2 of the mesh config is an alias; write its keys out"
)]
#[case::merged_service(
    "a: &a {envoyAccessLogService: {address: a:1}}\ndefaultConfig:\n  <<: [*a]\n",
    "`<<` on line 3 of the mesh config sets keys of access logging from elsewhere; write those keys out instead of \
     merging them"
)]
#[case::merged_proxy(
    "a: &a {defaultConfig: {}}\n<<: *a\n",
    "`<<` on line 2 of the mesh config sets keys of access logging from elsewhere; write those keys out instead of \
     merging them"
)]
#[case::merged_from_what_merges(
    "a: &a {b: 1}\nb: &b {<<: *a}\n<<: *b\n",
    "`<<` on line 3 of the mesh config sets keys of access logging from elsewhere; write those keys out instead of \
     merging them"
)]
#[case::merged_into_the_service(
    "a: &a {b: 1}\ndefaultConfig: {envoyAccessLogService: {<<: *a}}\n",
    "`<<` on line 2 of the mesh config sets keys of access logging from elsewhere; write those keys out instead of \
     merging them"
)]
fn mesh_configs_that_cannot_be_read(#[case] text: &str, #[case] message: &str) {
    assert_eq!(read(text).expect_err("refused").to_string(), message);
    assert_eq!(wire(text, ADDRESS).expect_err("refused").to_string(), message);
}

#[rstest]
#[case::repeated_proxy(
    "defaultConfig: &a\n  b: 1\nc: *a\n",
    "`defaultConfig.envoyAccessLogService` of the mesh config cannot change alone, because the alias on line 3 repeats it; \
     write the alias out"
)]
#[case::repeated_service(
    "defaultConfig:\n  envoyAccessLogService: &a\n    address: b:1\n    c: 1\nd: 1\ne: *a\n",
    "`defaultConfig.envoyAccessLogService` of the mesh config cannot change alone, because the alias on line 6 repeats it; \
     write the alias out"
)]
#[case::repeated_address(
    "defaultConfig:\n  envoyAccessLogService:\n    c: 1\n    address: &a b:1\nd: 1\ne: *a\n",
    "`defaultConfig.envoyAccessLogService` of the mesh config cannot change alone, because the alias on line 6 repeats it; \
     write the alias out"
)]
#[case::anchor_that_hides_another(
    "a: &a 1\ndefaultConfig:\n  envoyAccessLogService:\n    address: &a b:1\ne: *a\n",
    "`defaultConfig.envoyAccessLogService` of the mesh config cannot change alone, because the alias on line 5 repeats it; \
     write the alias out"
)]
#[case::repeated_flag(
    "defaultConfig:\n  c: 1\nenableEnvoyAccessLogService: &a false\nb: *a\n",
    "`enableEnvoyAccessLogService` of the mesh config cannot change alone, because the alias on line 4 repeats it; write \
     the alias out"
)]
#[case::key_without_colon(
    "{defaultConfig}",
    "`defaultConfig.envoyAccessLogService` near line 1 of the mesh config cannot be changed without changing something \
     else; change it by hand"
)]
fn mesh_configs_that_cannot_be_changed(#[case] text: &str, #[case] message: &str) {
    assert!(read(text).is_ok());
    assert_eq!(wire(text, ADDRESS).expect_err("refused").to_string(), message);
}

#[rstest]
#[case::brackets("a: ", "[", "]")]
#[case::braces("", "{a: ", "}")]
#[case::dashes("a:\n", "- ", "b")]
fn depth_is_limited(#[case] start: &str, #[case] open: &str, #[case] close: &str) {
    let nested = |levels: usize| {
        let close = if close == "b" {
            "b".to_owned()
        } else {
            close.repeat(levels)
        };
        format!("{start}{}{close}\n", open.repeat(levels))
    };
    assert!(read(&nested(63)).is_ok());
    let line = if start.contains('\n') { 2 } else { 1 };
    let message = format!("line {line} of the mesh config is nested deeper than 64 levels; make it flatter");
    assert_eq!(read(&nested(65)).expect_err("refused").to_string(), message);
    assert_eq!(read(&nested(100_000)).expect_err("refused").to_string(), message);
}

/// Expanded, the last value would be nine to the ninth power of texts.
#[test]
fn aliases_are_not_expanded() {
    let level = |number: u32| {
        let below = format!("*a{}, ", number.saturating_sub(1)).repeat(9);
        format!("a{number}: &a{number} [{below}]\n")
    };
    let laughs: String = (1..=9).map(level).collect();
    let text = format!("a0: &a0 lol\n{laughs}");
    let wired = wire(&text, ADDRESS).expect("the text is a mesh config");
    assert_eq!(
        wired,
        format!(
            "{text}defaultConfig:\n  envoyAccessLogService:\n    address: {ADDRESS}\nenableEnvoyAccessLogService: true\n"
        )
    );
}
