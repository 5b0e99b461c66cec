//! Messages that prost rejects: whatever can be found in them is used.

use std::hint::black_box;

use als_proto::{CommonProperties, Entry, HttpEntry, Malformed, Message, StructValue};

/// Calls everything that a message offers.
pub(super) fn read_all(bytes: &[u8]) {
    let Ok(message) = Message::read(bytes) else { return };
    if let Ok(Some(identifier)) = message.identifier() {
        black_box([
            identifier.node_id(),
            identifier.node_cluster(),
            identifier.log_name(),
        ]);
        read(identifier.visit_metadata(read_value).map(Some));
    }
    let mut entries = message.entries();
    // Every entry takes two bytes of the message, and what ends the iterator takes none.
    for entry in entries.by_ref().take(bytes.len()) {
        match entry {
            Ok(Entry::Http(entry)) => read_http(&entry, bytes.len()),
            Ok(Entry::Tcp(entry)) => read_common(entry.common_properties(), bytes.len()),
            Err(_) => {}
        }
    }
    assert!(entries.next().is_none(), "the iterator ends");
}

fn read_http(entry: &HttpEntry<'_>, most: usize) {
    read_common(entry.common_properties(), most);
    if let Some(request) = &entry.request {
        read(request.header(b"a"));
        assert!(request.headers().count() <= most);
    }
    if let Some(response) = &entry.response {
        read(response.header(b"a"));
        assert!(response.headers().count() <= most);
        read(response.trailer(b"a"));
        assert!(response.trailers().count() <= most);
    }
}

fn read_common(common: Option<&CommonProperties<'_>>, most: usize) {
    let Some(common) = common else { return };
    for address in [
        common.downstream_remote_address(),
        common.downstream_local_address(),
        common.upstream_remote_address(),
        common.upstream_local_address(),
        common.downstream_direct_remote_address(),
    ] {
        read(address);
    }
    for duration in [
        common.time_to_last_rx_byte(),
        common.time_to_first_upstream_tx_byte(),
        common.time_to_last_upstream_tx_byte(),
        common.time_to_first_upstream_rx_byte(),
        common.time_to_last_upstream_rx_byte(),
        common.time_to_first_downstream_tx_byte(),
        common.time_to_last_downstream_tx_byte(),
        common.duration(),
    ] {
        read(duration);
    }
    read(common.start_time());
    read(common.tls_properties());
    read(common.certificates_as_sent());
    read(common.server_name().map(Some));
    black_box([
        common.downstream_local_address_as_sent(),
        common.upstream_remote_address_as_sent(),
    ]);
    assert!(common.filter_state_objects().count() <= most, "the iterator ends");
    assert_eq!(
        common.response_flags.short_codes().count() as u32,
        common.response_flags.bits().count_ones()
    );
}

fn read_value(name: &[u8], value: StructValue<'_>) {
    black_box(name);
    if let StructValue::Struct(inner) = value {
        read(inner.visit(read_value).map(Some));
    }
}

/// Takes a value that was read, or the error instead of it: both are fine.
fn read<T>(value: Result<Option<T>, Malformed>) {
    drop(black_box(value));
}
