//! Formats a topology as a table of text, the busiest call first.

use comfy_table::{Cell, CellAlignment, ColumnConstraint, ContentArrangement, Row, Table, presets};

use crate::terminal::printable;
use crate::topology::{Edge, Topology};

/// The width above which columns with unknown shares are shown. Narrower terminals show fewer
/// columns rather than cut names.
const WIDTH_FOR_UNKNOWN: u16 = 140;
const WIDTH_FOR_REPORTER: u16 = 125;
const WIDTH_FOR_CLIENT_ERRORS: u16 = 100;
const WIDTH_FOR_ALL_PERCENTILES: u16 = 90;

struct Column {
    title: &'static str,
    alignment: CellAlignment,
    least_width: u16,
    text: fn(&Edge) -> String,
}

const COLUMNS: [Column; 11] = [
    Column {
        title: "SOURCE",
        alignment: CellAlignment::Left,
        least_width: 0,
        text: |edge| printable(&edge.source),
    },
    Column {
        title: "DESTINATION",
        alignment: CellAlignment::Left,
        least_width: 0,
        text: |edge| printable(&edge.destination),
    },
    Column {
        title: "PROTOCOL",
        alignment: CellAlignment::Left,
        least_width: 0,
        text: |edge| printable(&edge.protocol),
    },
    number("RATE", 0, |edge| rate(edge.requests_per_second)),
    number("ERRORS", 0, |edge| known(edge.error_share, share)),
    number("CLIENT ERRORS", WIDTH_FOR_CLIENT_ERRORS, |edge| {
        known(edge.client_error_share, share)
    }),
    number("NOT KNOWN", WIDTH_FOR_UNKNOWN, |edge| share(edge.unknown_share)),
    number("P50", WIDTH_FOR_ALL_PERCENTILES, |edge| {
        known(edge.p50_milliseconds, duration)
    }),
    number("P95", 0, |edge| known(edge.p95_milliseconds, duration)),
    number("P99", WIDTH_FOR_ALL_PERCENTILES, |edge| {
        known(edge.p99_milliseconds, duration)
    }),
    Column {
        title: "REPORTED BY",
        alignment: CellAlignment::Left,
        least_width: WIDTH_FOR_REPORTER,
        text: |edge| printable(&edge.reporter),
    },
];

const fn number(title: &'static str, least_width: u16, text: fn(&Edge) -> String) -> Column {
    Column {
        title,
        alignment: CellAlignment::Right,
        least_width,
        text,
    }
}

/// Formats every call of `topology`, one line each, in at most `width` columns. A name that does
/// not fit ends in `…`.
pub fn table(topology: &Topology, width: u16) -> String {
    if topology.edges.is_empty() {
        let window = topology.window_seconds;
        return format!("no calls in the last {window} s; send a request through the mesh");
    }
    let mut edges: Vec<&Edge> = topology.edges.iter().collect();
    edges.sort_by(|one, other| {
        other
            .requests_per_second
            .total_cmp(&one.requests_per_second)
            .then_with(|| {
                (&one.source, &one.destination, &one.protocol).cmp(&(
                    &other.source,
                    &other.destination,
                    &other.protocol,
                ))
            })
    });
    let columns: Vec<&Column> = COLUMNS
        .iter()
        .filter(|column| column.least_width <= width)
        .collect();
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .force_no_tty()
        .set_truncation_indicator("…");
    table
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width);
    table.set_header(row(&columns, |column| column.title.to_owned()));
    for edge in edges {
        table.add_row(row(&columns, |column| (column.text)(edge)));
    }
    for (column, shown) in table.column_iter_mut().zip(&columns) {
        column.set_padding((0, 2));
        if !matches!(shown.title, "SOURCE" | "DESTINATION") {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table.trim_fmt()
}

fn row(columns: &[&Column], text: impl Fn(&Column) -> String) -> Row {
    let cells = columns
        .iter()
        .map(|column| Cell::new(text(column)).set_alignment(column.alignment));
    let mut row = Row::from(cells.collect::<Vec<_>>());
    row.max_height(1);
    row
}

fn known(value: Option<f64>, text: fn(f64) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), text)
}

fn rate(per_second: f64) -> String {
    match per_second {
        value if value < 10.0 => format!("{value:.2}/s"),
        value if value < 10_000.0 => format!("{value:.1}/s"),
        value => format!("{:.1}k/s", value / 1000.0),
    }
}

fn share(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn duration(milliseconds: f64) -> String {
    match milliseconds {
        value if value < 10.0 => format!("{value:.1} ms"),
        value if value < 1000.0 => format!("{value:.0} ms"),
        value => format!("{:.2} s", value / 1000.0),
    }
}
