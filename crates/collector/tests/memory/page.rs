//! The page of the collector's memory is what the terms say, and their sum is within the design's bound.
//!
//! `make gen` runs this test with `ALSCOPE_REGENERATE=1`, which writes the page instead of comparing it.

use std::path::Path;
use std::{env, fs};

use alscope_analysis::aggregate::registry::RegistryBounds;
use alscope_analysis::aggregate::series::{Counts, HttpCounts};
use alscope_analysis::names::endpoint;
use alscope_analysis::node::MAX_OWN_LABELS;
use alscope_collector::directory::kubernetes;
use alscope_collector::export::deliver::queue;
use alscope_collector::receive::{admission, buffer_budget};
use alscope_collector_config::Limits;

use crate::terms::{CONNECTIONS, OUTCOMES, PODS, SERIES, Term, terms};

/// Every window full, under the load.
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
    let queue = mebibytes(queue::MAX_WAITING_BYTES);
    let sets = 2 * OUTCOMES;
    let edges = RegistryBounds::default().samples / HttpCounts::SAMPLES_PER_SERIES / sets;
    let (places, places_of_peer, objects) = (
        admission::MAX_CONCURRENT_HANDSHAKES,
        admission::MAX_CONCURRENT_HANDSHAKES_PER_ADDRESS,
        kubernetes::PAGE_OBJECTS,
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

What the collector holds with its default configuration is the sum of bytes × how many there are. The load is {CONNECTIONS} proxies, each
with a connection and a stream whose windows are full because no message ends, {PODS} pods, {SERIES} series (label sets of four
families) and one worker. The last column is how many there may be, where the collector bounds that, and then MiB.

| what | bytes | of each | under the load | MiB | at most |
|---|---|---|---|---|---|
{rows}| sum | | | | {sum} | |

The bound of samples lets there be as many label sets of HTTP as the table says or as many of TCP, not both. A label set is one reporter's
view of one edge with one outcome: with a proxy at both ends and {OUTCOMES} outcomes (a code with its flags) an edge takes {sets} of
them, so the bound is some {edges} edges. A further worker has rows of its own, and counters of its own for each label set.

What had no call for `limits.idleSeries` goes and leaves its place to others, so these are what is in use within that time, not since the
start. The tables stay as large as they once were.

Not in it:

- `mx-mesh`, which is not in the default chain, keeps what each proxy says about itself, under the load at most {own_labels} MiB.
- `persistence`, which is not either, keeps names of endpoints ({names} MiB) and what waits to be written ({queue} MiB).
- A client that means harm: needless frames between data that nobody reads yet take memory, too. A connection is ended after some 500 of
  them. Let only proxies reach the port.
- Kubernetes lists a kind when its watch begins: the text of {objects} objects at a time, as large as they are. A directory file is in
  memory as text while it is read.

An unfinished message takes room in `limits.bufferedBytes` for what of it came in, not for what it announces. One connection may hold a
sixteenth of that, and one address a quarter. A stream that finds no room waits, and with it its proxy, until another message is
whole or gives way: one that is unfinished for {grace} ms and does not go on is ended (`alscope_messages_rejected_total`, reason
`no-room`). If another stream of its own connection has room, one that waits is refused after {patience} ms: what it sent may fill the window
that the other needs. No message may take longer than {deadline} s. Where memory is short, lower that key, `limits.connections` or
`limits.streamsPerPeer`.

When the collector starts again, all proxies come back at once, and each begins with about 62 KB about itself. That makes no peak: a worker
reads {places} connections at a time, {places_of_peer} of one address, and the next one when a message of one of them was read, or after {longest} ms. A
connection that has sent nothing yet takes none of these places.
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
