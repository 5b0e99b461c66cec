//! What the demo prints at its end, and whether that is what the mesh really did.

use comfy_table::{CellAlignment, LineStyle, Table, presets};

use crate::collector::{Entries, Row, Topology};
use crate::mesh::Edge;

const HEADER: [&str; 8] = [
    "source",
    "destination",
    "protocol",
    "rate/s",
    "errors",
    "p50 ms",
    "p95 ms",
    "p99 ms",
];

/// The table of who calls whom, sorted by caller.
pub(crate) fn table(topology: &Topology) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()))
        .set_header(HEADER);
    for column in table.column_iter_mut().skip(3).take(5) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut rows: Vec<&Row> = topology.edges.iter().collect();
    rows.sort_by_key(|row| (&row.source, &row.destination, &row.protocol));
    table.add_rows(rows.into_iter().map(cells));
    table.to_string()
}

fn cells(row: &Row) -> [String; 8] {
    let milliseconds =
        |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
    [
        row.source.clone(),
        row.destination.clone(),
        row.protocol.clone(),
        format!("{:.1}", row.requests_per_second),
        row.error_share
            .map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", share * 100.0)),
        milliseconds(row.p50_milliseconds),
        milliseconds(row.p95_milliseconds),
        milliseconds(row.p99_milliseconds),
    ]
}

/// The one line about entries.
pub(crate) fn entries_line(entries: Entries) -> String {
    let Entries {
        received,
        attributed,
        unattributed,
    } = entries;
    format!("entries received {received} / attributed {attributed} / unattributed {unattributed}")
}

/// What differs from the mesh as it is built; nothing if all is as it should be.
pub(crate) fn differences(topology: &Topology, entries: Entries, expected: &[Edge]) -> Vec<String> {
    let shown: Vec<Edge> = topology.edges.iter().map(Edge::from).collect();
    let missing = expected
        .iter()
        .filter(|edge| !shown.contains(edge))
        .map(|edge| format!("{edge} is missing"));
    let wrong = shown
        .iter()
        .filter(|edge| !expected.contains(edge))
        .map(|edge| format!("{edge} was never made"));
    let mut differences: Vec<String> = missing.chain(wrong).collect();
    if entries.received == 0 {
        differences.push("no entry was received".to_owned());
    }
    if entries.unattributed > 0 {
        differences.push(format!("{} entries are unattributed", entries.unattributed));
    }
    differences
}

impl From<&Row> for Edge {
    fn from(row: &Row) -> Self {
        Self {
            source: row.source.clone(),
            destination: row.destination.clone(),
            protocol: row.protocol.clone(),
        }
    }
}

impl std::fmt::Display for Edge {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "the {} call {} -> {}",
            self.protocol, self.source, self.destination
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(source: &str, destination: &str, protocol: &str) -> Row {
        let percentile = (protocol != "tcp").then_some(1.25);
        Row {
            source: source.to_owned(),
            destination: destination.to_owned(),
            protocol: protocol.to_owned(),
            requests_per_second: 16.66,
            error_share: Some(0.033),
            p50_milliseconds: percentile,
            p95_milliseconds: percentile,
            p99_milliseconds: percentile,
        }
    }

    const ALL: Entries = Entries {
        received: 10,
        attributed: 10,
        unattributed: 0,
    };

    #[test]
    fn a_row_reads_as_one_line() {
        let topology = Topology {
            edges: vec![row("demo/b", "demo/c", "tcp"), row("demo/a", "demo/b", "http")],
        };
        let table = table(&topology);
        let lines: Vec<&str> = table.lines().filter(|line| line.contains("demo/")).collect();
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words(lines[0]), "demo/a demo/b http 16.7 3.3 % 1.2 1.2 1.2");
        assert_eq!(words(lines[1]), "demo/b demo/c tcp 16.7 3.3 % - - -");
    }

    #[test]
    fn what_the_mesh_did_is_no_difference() {
        let topology = Topology {
            edges: vec![row("demo/a", "demo/b", "http")],
        };
        let expected = [Edge::from(&row("demo/a", "demo/b", "http"))];
        assert_eq!(differences(&topology, ALL, &expected), Vec::<String>::new());
    }

    #[test]
    fn every_difference_is_named() {
        let topology = Topology {
            edges: vec![row("unknown", "demo/b", "http")],
        };
        let expected = [Edge::from(&row("demo/a", "demo/b", "http"))];
        let entries = Entries {
            received: 10,
            attributed: 8,
            unattributed: 2,
        };
        assert_eq!(
            differences(&topology, entries, &expected),
            [
                "the http call demo/a -> demo/b is missing",
                "the http call unknown -> demo/b was never made",
                "2 entries are unattributed",
            ]
        );
        assert_eq!(
            differences(&topology, Entries::default(), &[]).last().unwrap(),
            "no entry was received"
        );
    }
}
