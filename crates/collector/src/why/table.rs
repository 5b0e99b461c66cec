//! Formats the answer to `why` as text: what it is about, one row for each rule, and
//! the entries without an observation.

use std::collections::BTreeMap;

use comfy_table::{Cell, CellAlignment, ColumnConstraint, ContentArrangement, Row, Table, presets};

use crate::evidence::{Entries, Evidence, Example, Why};
use crate::terminal::printable;

const TITLES: [&str; 8] = [
    "REPORTED BY",
    "PARTY",
    "ANALYZER",
    "RULE",
    "UNKNOWN",
    "COUNT",
    "SHARE",
    "EXAMPLE",
];
const COUNT_COLUMN: usize = 5;
const EXAMPLE_COLUMN: usize = 7;

/// Formats the answer in at most `width` columns. An example that does not fit ends in `…`.
pub fn text(why: &Why, width: u16) -> String {
    let mut parts = vec![head(why)];
    if !why.evidence.is_empty() {
        parts.push(table(&why.evidence, width));
    }
    if why.overflowed > 0 {
        parts.push(format!(
            "{} further observations can't be shown by edge and rule, because the collector keeps only so many edges and rules",
            why.overflowed
        ));
    }
    if why.source.is_none() && why.expired > 0 {
        parts.push(format!(
            "{} further observations belong to edges that were idle for so long that they are forgotten",
            why.expired
        ));
    }
    if let Some(entries) = &why.entries {
        parts.push(came_to_nothing(entries));
    }
    parts.join("\n\n")
}

fn head(why: &Why) -> String {
    let since = printable(&why.since);
    let counted = match why.observations {
        1 => "1 observation".to_owned(),
        count => format!("{count} observations"),
    };
    match (&why.source, &why.destination) {
        (Some(source), Some(destination)) => format!(
            "{} → {}: {counted} since {since}",
            printable(source),
            printable(destination)
        ),
        _ if why.observations == 0 => {
            format!("no calls since {since}; send a request through the mesh")
        }
        _ => format!("all edges: {counted} since {since}"),
    }
}

fn table(evidence: &[Evidence], width: u16) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .force_no_tty()
        .set_truncation_indicator("…")
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width)
        .set_header(row(TITLES.map(str::to_owned)));
    for one in evidence {
        table.add_row(row([
            printable(&one.reporter),
            printable(&one.party),
            printable(&one.analyzer),
            printable(&one.rule),
            one.unattributed.as_deref().map_or("-".to_owned(), printable),
            one.observations.to_string(),
            format!("{:.1} %", one.share * 100.0),
            one.example.as_ref().map_or("-".to_owned(), example),
        ]));
    }
    for (place, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if place != EXAMPLE_COLUMN {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table.trim_fmt()
}

fn row(texts: [String; 8]) -> Row {
    let cells = texts.into_iter().enumerate().map(|(place, text)| {
        let is_number = (COUNT_COLUMN..EXAMPLE_COLUMN).contains(&place);
        let alignment = if is_number {
            CellAlignment::Right
        } else {
            CellAlignment::Left
        };
        Cell::new(text).set_alignment(alignment)
    });
    let mut row = Row::from(cells.collect::<Vec<_>>());
    row.max_height(1);
    row
}

/// Formats an entry in one line: the request, then the properties by which the parties were found.
fn example(entry: &Example) -> String {
    let request = match &entry.method {
        Some(method) => format!(
            "{method} {}{} {}",
            entry.authority.as_deref().unwrap_or_default(),
            entry.path.as_deref().unwrap_or_default(),
            entry.response_code.unwrap_or(0)
        ),
        None => "TCP".to_owned(),
    };
    let flags = entry.response_flags.as_deref().filter(|flags| *flags != "-");
    let from = entry.downstream_direct_remote_address.as_deref();
    let parts = [
        ("flags", flags),
        ("from", from.or(entry.downstream_remote_address.as_deref())),
        ("to", entry.downstream_local_address.as_deref()),
        ("upstream", entry.upstream_remote_address.as_deref()),
        ("cluster", entry.upstream_cluster.as_deref()),
        ("downstream peer", entry.downstream_peer.as_deref()),
        ("upstream peer", entry.upstream_peer.as_deref()),
        ("logged by", entry.proxy.as_deref()),
        ("at", Some(entry.start_time.as_str())),
    ];
    let known = parts
        .iter()
        .filter_map(|(name, value)| Some(format!("{name} {}", (*value)?)));
    let pieces: Vec<String> = std::iter::once(request).chain(known).collect();
    printable(&pieces.join(", "))
}

fn came_to_nothing(entries: &Entries) -> String {
    let counted = |counts: &BTreeMap<String, u64>| {
        let some = counts.iter().filter(|(_, count)| **count > 0);
        let some: Vec<String> = some
            .map(|(reason, count)| format!("{} {count}", printable(reason)))
            .collect();
        if some.is_empty() {
            "none".to_owned()
        } else {
            some.join(", ")
        }
    };
    format!(
        "entries: {} received, {} observed; rejected: {}; skipped: {}",
        entries.received,
        entries.observed,
        counted(&entries.rejected),
        counted(&entries.skipped)
    )
}
