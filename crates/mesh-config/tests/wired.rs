//! Mesh configs and what they become, by the byte: `wired/*.txt` holds the pairs. There, `␍` is a carriage return, `␂` a byte
//! order mark, and `␄` the end of a text without a last line break.

#![expect(clippy::expect_used, reason = "a test may fail")]

use alscope_mesh_config::{is_wired, read, restore, wire};
use rstest::rstest;

const ADDRESS: &str = "als.ns.svc:11800";

struct Pair {
    name: String,
    before: String,
    after: String,
}

fn pairs(file: &str) -> Vec<Pair> {
    let decoded = |text: &str| {
        let text = text.replace('␍', "\r").replace('␂', "\u{feff}");
        text.strip_suffix("␄\n").map(str::to_owned).unwrap_or(text)
    };
    let pair = |part: &str| {
        let (name, texts) = part.split_once('\n').expect("a name");
        let (before, after) = texts.split_once("--->\n").expect("two texts");
        Pair {
            name: name.to_owned(),
            before: decoded(before),
            after: decoded(after),
        }
    };
    file.split("=== ")
        .filter(|part| !part.is_empty())
        .map(pair)
        .collect()
}

#[rstest]
#[case::block(include_str!("wired/block.txt"), 34)]
#[case::flow(include_str!("wired/flow.txt"), 16)]
fn texts_become_what_they_should(#[case] file: &str, #[case] count: usize) {
    let pairs = pairs(file);
    assert_eq!(pairs.len(), count);
    for Pair { name, before, after } in pairs {
        assert_eq!(wire(&before, ADDRESS).as_ref(), Ok(&after), "{name}");
        assert_eq!(is_wired(&before, ADDRESS), Ok(false), "{name}");
        assert_eq!(is_wired(&after, ADDRESS), Ok(true), "{name}");
        assert_eq!(wire(&after, ADDRESS).as_ref(), Ok(&after), "{name}");
        let settings = read(&after).expect("the text is a mesh config");
        assert_eq!(settings.enabled, Some(true), "{name}");
        assert_eq!(settings.address(), Some(ADDRESS), "{name}");
        let restored = restore(&after, &before, ADDRESS).expect("the text is a mesh config");
        assert_eq!(restored.text, before, "{name}");
        assert_eq!(restored.kept.len(), 0, "{name}");
    }
}

/// The way back by the document's structure, not by comparing texts: an unrelated first line is in between.
#[rstest]
#[case::block(include_str!("wired/block.txt"), 28)]
#[case::flow(include_str!("wired/flow.txt"), 9)]
fn a_line_that_came_on_top_meanwhile_stays(#[case] file: &str, #[case] count: usize) {
    let mut tried = 0;
    for Pair { name, before, after } in pairs(file) {
        if after.starts_with(['-', '%', '{', ' ', '\u{feff}']) {
            continue;
        }
        let line_break = if before.contains('\r') { "\r\n" } else { "\n" };
        let current = format!("unrelated: 1{line_break}{after}");
        let restored = restore(&current, &before, ADDRESS).expect("the text is a mesh config");
        assert_eq!(
            restored.text,
            format!("unrelated: 1{line_break}{before}"),
            "{name}"
        );
        assert_eq!(restored.kept.len(), 0, "{name}");
        tried += 1;
    }
    assert_eq!(tried, count);
}

#[rstest]
#[case::name("als.ns.svc:1", "als.ns.svc:1")]
#[case::dot_at_the_end("als.ns.svc.cluster.local.:1", "als.ns.svc.cluster.local.:1")]
#[case::ipv4("10.0.0.1:11800", "10.0.0.1:11800")]
#[case::ipv6_needs_quotes("[fd00::1]:11800", "\"[fd00::1]:11800\"")]
fn an_address_is_quoted_only_where_yaml_needs_it(#[case] address: &str, #[case] written: &str) {
    let block = wire("a: 1\n", address).expect("the text is a mesh config");
    let expected = format!(
        "a: 1\ndefaultConfig:\n  envoyAccessLogService:\n    address: {written}\nenableEnvoyAccessLogService: true\n"
    );
    assert_eq!(block, expected);
    let flow = wire("{a: 1}", address).expect("the text is a mesh config");
    let expected = format!(
        "{{a: 1, defaultConfig: {{envoyAccessLogService: {{address: {written}}}}}, enableEnvoyAccessLogService: true}}"
    );
    assert_eq!(flow, expected);
    assert_eq!(read(&block).expect("valid").address(), Some(address));
    assert_eq!(read(&flow).expect("valid").address(), Some(address));
}

#[rstest]
#[case::yes("yes")]
#[case::on("ON")]
#[case::y("y")]
#[case::tagged("!!bool \"true\"")]
fn what_istiod_takes_for_true_stays_as_it_is(#[case] spelling: &str) {
    let text = format!(
        "defaultConfig: {{envoyAccessLogService: {{address: '{ADDRESS}', tlsSettings: ~}}}}\n\
         enableEnvoyAccessLogService: {spelling}\n"
    );
    assert_eq!(wire(&text, ADDRESS), Ok(text.clone()));
}
