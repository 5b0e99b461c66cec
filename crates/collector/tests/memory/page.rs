//! Holds docs/memory.md to the terms, and their sum to the bound of the design.
//!
//! `make gen` runs this test with `ALSCOPE_REGENERATE=1`, which writes the page instead of comparing it.

use std::path::Path;
use std::{env, fs};

use alscope_analysis::aggregate::registry::RegistryBounds;
use alscope_analysis::aggregate::series::{Counts, HttpCounts};
use alscope_analysis::names::endpoint;
use alscope_analysis::node::MAX_OWN_LABELS;
use alscope_collector::export::json_lines;
use alscope_collector::receive::{admission, buffer_budget};
use alscope_collector_config::Limits;

use crate::terms::{CONNECTIONS, OUTCOMES, PODS, SERIES, Term, terms};

/// Bytes that the terms may add up to under the load, with every window full.
const MOST: usize = 600 << 20;

fn mebibytes(bytes: usize) -> String {
    format!("{:.1}", bytes as f64 / f64::from(1 << 20))
}

fn row(term: &Term) -> String {
    let Term {
        what,
        bytes,
        each,
        load,
        most,
    } = term;
    let most = most.map_or("as many as there are".to_owned(), |most| {
        format!("{most}, {} MiB", mebibytes(bytes * most))
    });
    format!(
        "| {what} | {bytes} | {each} | {load} | {} | {most} |\n",
        mebibytes(bytes * load)
    )
}

fn sum(terms: &[Term]) -> usize {
    terms.iter().map(|term| term.bytes * term.load).sum()
}

fn page() -> String {
    let terms = terms();
    let rows: String = terms.iter().map(row).collect();
    let sum = mebibytes(sum(&terms));
    let own_labels = mebibytes(2 * MAX_OWN_LABELS * Limits::default().string_bytes * CONNECTIONS);
    let names = mebibytes(endpoint::EndpointBounds::default().bytes);
    let queue = mebibytes(json_lines::QUEUE_BOUNDS.bytes);
    let sets = 2 * OUTCOMES;
    let edges = RegistryBounds::default().samples / HttpCounts::SAMPLES_PER_SERIES / sets;
    let (places, places_of_peer, objects) = (
        admission::MAX_CONCURRENT_HANDSHAKES,
        admission::MAX_CONCURRENT_HANDSHAKES_PER_ADDRESS,
        alscope_watch::PAGE_OBJECTS,
    );
    let [grace, patience, longest] = [
        buffer_budget::GRACE,
        buffer_budget::MAX_WAIT_BESIDE_PENDING,
        admission::HANDSHAKE_TIMEOUT,
    ]
    .map(|time| time.as_millis());
    let deadline = buffer_budget::MESSAGE_DEADLINE.as_secs();
    format!(
        "<!-- Generated from crates/collector/tests/memory/terms.rs by `make gen`: change it there. -->

# Memory

This page adds up the memory that the collector takes with its default configuration: bytes × how many there are. The load is
{CONNECTIONS} proxies, {PODS} pods, {SERIES} series (label sets of four families) and one worker. Each proxy has a connection and a stream
whose windows are full because no message ends. The last column says how many there may be at most, if the collector limits that, and
their MiB.

| what | bytes | of each | under the load | MiB | at most |
|---|---|---|---|---|---|
{rows}| sum | | | | {sum} | |

The bound of samples allows as many label sets of HTTP as the table says or as many of TCP, not both. A label set is one reporter's view of
one edge with one outcome. An edge with a proxy at both ends and {OUTCOMES} outcomes (a code with its flags) takes {sets} label sets, so
the bound is some {edges} edges. A further worker has rows of its own, and counters of its own for each label set.

A series without a call for `limits.idleSeries` is removed and makes room for others. So the bounds apply to what is in use within that
time, not to everything since the start. Tables keep the size that they once had.

The table leaves out:

- `mx-mesh`, which is not in the default chain, stores what each proxy says about itself: at most {own_labels} MiB under the load.
- `persistence`, which is not in it either, stores names of endpoints ({names} MiB) and entries that wait to be written ({queue} MiB).
- A malicious client can take memory with needless frames between data that is not read yet. The collector ends its connection after some
  500 of them. Let only proxies reach the port.
- When a watch begins, Kubernetes lists the kind: the text of {objects} objects at a time, however large they are. A directory file is in
  memory as text while it is read.

An unfinished message takes room in `limits.bufferedBytes` for the bytes that have come in, not for those that it announces. One connection
may hold a sixteenth of the room, and one address a quarter. A stream that finds no room waits, and so does its proxy, until another
message is whole or gives way. A message gives way if it has been unfinished for {grace} ms and does not go on: its stream is ended
(`alscope_messages_rejected_total`, reason `no-room`). If another stream of the same connection has room, the one that waits is refused
after {patience} ms, because what it sent may fill the window that the other needs. No message may take longer than {deadline} s. Where
memory is short, lower `limits.bufferedBytes`, `limits.connections` or `limits.streamsPerPeer`.

When the collector restarts, all proxies come back at once, and each begins with about 62 KB about itself. This makes no peak, because a
worker reads only {places} connections at a time, {places_of_peer} of one address. It reads the next one when a message of one of them has
been read, or after {longest} ms. A connection that has sent nothing yet takes none of these places.
"
    )
}

fn path() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/memory.md")
}

#[test]
fn the_page_is_what_the_terms_say() {
    let page = page();
    if env::var_os("ALSCOPE_REGENERATE").is_some() {
        fs::write(path(), &page).unwrap();
    }
    let present = fs::read_to_string(path()).unwrap();
    assert!(
        present == page,
        "docs/memory.md is not up to date: run `make gen`"
    );
}

#[test]
fn the_sum_is_within_the_bound() {
    let sum = sum(&terms());
    assert!(sum <= MOST, "{} MiB", mebibytes(sum));
}
