//! Holds docs/json-lines.md to the table of fields.
//!
//! `make gen` runs this test with `ALSCOPE_REGENERATE=1`, which writes the page instead of comparing it.

use std::collections::BTreeSet;
use std::path::Path;
use std::{env, fs};

use super::CLIENT_SIDE;
use crate::export::entry_fields::FIELDS;

const HEAD: &str = "<!-- Generated from crates/collector/src/export/json_lines by `make gen`: change it there. -->

# JSON lines

If `analysis.http` or `analysis.tcp` lists the analyzer `persistence`, as in `k8s-mesh,persistence`, the collector prints single
[entries](glossary.md) to standard output, one JSON object a line. Its own log goes to standard error. The log collector of your cluster
decides where the lines go from there.

## What is kept

The first row that applies decides. [Configuration](configuration.md#analysis) lists the keys under `analysis.persistence`.

| `kept` | which entries |
|---|---|
| `error` | failed calls and client errors, as in [Outcomes](outcomes.md) |
| `flag` | any other call with a response flag of Envoy |
| `slow` | any other request that took `slowMilliseconds` or more, unless it lasts as long as a connection |
| `sampled` | a share (`sampledShare`) of all other entries, chosen by the request id: all proxies of a request keep it, or none |

The collector keeps at most `entriesPerMinute` entries a minute for one reason, one service and one response code or set of flags. It
counts the others in `alscope_entries_over_rate_total`. A call that two proxies report gives two lines with the same `request_id`. A
gateway's entry gives one line.

If standard output does not take lines in time, the collector drops them and counts them in `alscope_exporter_entries_dropped_total`. They
slow nothing down.

## What is hidden

Unless `analysis.redaction.enabled` is `false`, no line holds the values of a query, a fragment, userinfo, or tokens, keys and e-mail
addresses that can be recognized by their form. Nor does it hold the headers `authorization`, `proxy-authorization`, `cookie`,
`set-cookie`, any header whose name suggests a secret, or those in `analysis.redaction.headers`. `{redacted}` or `{email}` stands in their
place. Bytes that are not text, and characters that control a terminal, become the replacement character.

## Keys

This is a request that a proxy could not deliver, as its caller's proxy reports it:

```json
LINE```

A key without a value is left out. A key that is also a label of the metrics means the same there. A text of more than 4096 bytes is cut
and ends in `…`.

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
