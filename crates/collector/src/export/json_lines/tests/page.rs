//! The page of the lines is what the table of keys says.
//!
//! `make gen` runs this test with `ALSCOPE_REGENERATE=1`, which writes the page instead of comparing it.

use std::collections::BTreeSet;
use std::path::Path;
use std::{env, fs};

use super::CLIENT_SIDE;
use crate::export::entry_fields::FIELDS;

const HEAD: &str = "<!-- Generated from crates/collector/src/export/json_lines by `make gen`: change it there. -->

# JSON lines

With the analyzer `persistence` in `analysis.http` or `analysis.tcp`, as in `k8s-mesh,persistence`, the collector prints single entries
to standard output, one JSON object a line. Its own log goes to standard error. Where lines go from there is up to whatever takes a
container's output.

## What is kept

The first of these that holds; [Configuration](configuration.md#analysis) has the keys under `analysis.persistence`.

| `kept` | which entries |
|---|---|
| `error` | failed calls and client errors, as in [Outcomes](outcomes.md) |
| `flag` | any other with a response flag of Envoy |
| `slow` | any other request that took `slowMilliseconds` or more, but none that lasts as long as a connection |
| `sampled` | `sampledShare` of all the others, chosen by the request id: all proxies of a request keep it, or none |

Of one service at most `entriesPerMinute` are kept in a minute for one reason and one response code, or the same flags; the rest is
counted in `alscope_entries_over_rate_total`. A call that two proxies report is two lines with one `request_id`. A gateway's entry is
one line.

Lines that standard output does not take in time are dropped and counted in `alscope_exporter_entries_dropped_total`; they slow nothing
down.

## What is hidden

Unless `analysis.redaction.enabled` is `false`, no line holds the values of a query, the fragment, userinfo, tokens, keys and e-mail
addresses that are known by their form, nor the headers `authorization`, `proxy-authorization`, `cookie`, `set-cookie`, any whose name speaks of a
secret, and those in `analysis.redaction.headers`. `{redacted}` or `{email}` stands in their place. What is not text, and characters
that control a terminal, become the replacement character.

## Keys

A request that a proxy could not deliver, as its caller's proxy reports it:

```json
LINE```

A key without a value is left out. Keys that metrics have as labels mean the same. A text of more than 4096 bytes is cut and ends in
`…`.

| key | meaning |
|---|---|
";

#[test]
fn page_is_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/json-lines.md");
    let rows = FIELDS
        .iter()
        .map(|key| format!("| `{}` | {} |\n", key.name, key.meaning));
    let page = HEAD.replace("LINE", CLIENT_SIDE) + &rows.collect::<String>();
    if env::var_os("ALSCOPE_REGENERATE").is_some() {
        fs::write(&path, &page).expect("the page is writable");
    }
    let present = fs::read_to_string(&path).expect("the page is readable");
    assert!(
        present == page,
        "docs/json-lines.md is not up to date: run `make gen`"
    );
}

#[test]
fn keys_are_names_and_meanings_are_sentences() {
    let names: BTreeSet<&str> = FIELDS.iter().map(|key| key.name).collect();
    assert_eq!(names.len(), FIELDS.len());
    for key in &FIELDS {
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        assert!(key.name.bytes().all(is_name), "{}", key.name);
        assert!(
            key.meaning.ends_with('.') && !key.meaning.contains('|'),
            "{}",
            key.meaning
        );
    }
}
