//! Whole messages: where the identifier is, which entries count, what happens to broken ones.

use als_proto::{Entry, Malformed, Message, Unreadable};
use rstest::rstest;

use crate::encode::{message, string, varint};

/// `identifier { node { id: "node" cluster: "cluster" } log_name: "log" }`
const IDENTIFIER: &[u8] = b"\x0a\x16\x0a\x0f\x0a\x04node\x12\x07cluster\x12\x03log";

/// An HTTP entry that its protocol version tells from others.
fn http(version: u64) -> Vec<u8> {
    message(1, [varint(2, version)])
}

/// A TCP entry that its received bytes tell from others.
fn tcp(received_bytes: u64) -> Vec<u8> {
    message(1, [message(2, [varint(1, received_bytes)])])
}

/// What tells the entries of a message from each other, or why they cannot be read.
fn entries(bytes: &[u8]) -> Vec<Result<u64, Unreadable>> {
    let message = Message::read(bytes).expect("the message is well-formed");
    let tell = |entry| match entry {
        Entry::Http(entry) => u64::from(entry.protocol_version.cast_unsigned()),
        Entry::Tcp(entry) => entry.received_bytes,
    };
    message.entries().map(|entry| entry.map(tell)).collect()
}

#[rstest]
#[case::first([IDENTIFIER, &message(2, [http(1)])])]
#[case::behind_entries([&message(2, [http(1)]), IDENTIFIER])]
fn identifier_is_found_wherever_it_is(#[case] parts: [&[u8]; 2]) {
    let bytes = parts.concat();
    let message = Message::read(&bytes).expect("the message is well-formed");
    let identifier = message
        .identifier()
        .expect("it is well-formed")
        .expect("there is one");
    assert_eq!(identifier.node_id(), b"node");
    assert_eq!(identifier.node_cluster(), b"cluster");
    assert_eq!(identifier.log_name(), b"log");
    assert_eq!(message.entries().count(), 1);
}

#[test]
fn pieces_of_the_identifier_are_merged() {
    let first = message(
        1,
        [
            message(1, [string(1, "node"), string(2, "old")]),
            string(2, "log"),
        ],
    );
    let second = message(1, [message(1, [string(2, "cluster")])]);
    let bytes = [first, message(2, [http(1)]), second].concat();
    let identifier = Message::read(&bytes)
        .expect("well-formed")
        .identifier()
        .expect("well-formed");
    let identifier = identifier.expect("there is one");
    assert_eq!(identifier.node_id(), b"node");
    assert_eq!(identifier.node_cluster(), b"cluster");
    assert_eq!(identifier.log_name(), b"log");
}

#[test]
fn a_message_without_anything_is_well_formed() {
    let message = Message::read(b"").expect("the message is well-formed");
    assert!(matches!(message.identifier(), Ok(None)));
    assert_eq!(message.entries().count(), 0);
}

#[test]
fn a_broken_identifier_leaves_the_entries() {
    let bytes = [message(1, [vec![0x0a, 0x05]]), message(2, [http(7)])].concat();
    let message = Message::read(&bytes).expect("the top level is well-formed");
    assert!(matches!(message.identifier(), Err(Malformed)));
    assert_eq!(entries(&bytes), [Ok(7)]);
}

#[rstest]
#[case::one_list(&[message(2, [http(1), http(2)])], &[1, 2])]
#[case::tcp(&[message(3, [tcp(5), tcp(300)])], &[5, 300])]
#[case::lists_of_one_kind_are_one(&[message(2, [http(1)]), message(2, [http(2)])], &[1, 2])]
#[case::even_around_the_identifier(&[message(2, [http(1)]), IDENTIFIER.to_vec(), message(2, [http(2)])], &[1, 2])]
#[case::the_last_kind_wins(&[message(2, [http(1)]), message(3, [tcp(2)])], &[2])]
#[case::and_starts_anew(&[message(2, [http(1)]), message(3, [tcp(2)]), message(2, [http(3)])], &[3])]
#[case::even_if_empty(&[message(2, [http(1)]), message(3, [])], &[])]
fn entries_are_those_of_the_list_that_wins(#[case] parts: &[Vec<u8>], #[case] expected: &[u64]) {
    let expected: Vec<_> = expected.iter().copied().map(Ok).collect();
    assert_eq!(entries(&parts.concat()), expected);
}

#[test]
fn a_broken_entry_is_rejected_alone() {
    let broken = message(1, [vec![0x10]]);
    let bytes = message(2, [http(1), broken, http(2)]);
    assert_eq!(entries(&bytes), [Ok(1), Err(Unreadable::Entry), Ok(2)]);
}

#[rstest]
#[case::entry_longer_than_its_list(vec![0x0a, 0x7f, 0x10])]
#[case::invalid_key(vec![0x00, 0x01])]
#[case::entry_that_is_a_number(varint(1, 3))]
fn a_broken_list_ends_the_entries(#[case] broken: Vec<u8>) {
    let bytes = [message(2, [http(1), broken]), message(2, [http(2)])].concat();
    assert_eq!(entries(&bytes), [Ok(1), Err(Unreadable::Rest)]);
}

#[test]
fn a_truncated_message_is_malformed_unless_cut_between_fields() {
    let bytes = [IDENTIFIER, &message(2, [http(1)]), &message(2, [http(2)])].concat();
    let ends = [0, IDENTIFIER.len(), IDENTIFIER.len() + 6, IDENTIFIER.len() + 12];
    for length in 0..=bytes.len() {
        let read = Message::read(&bytes[..length]);
        assert_eq!(read.is_ok(), ends.contains(&length), "the first {length} bytes");
    }
}

#[test]
fn entries_can_be_put_aside_and_resumed() {
    let bytes = message(2, [http(1), http(2), http(3)]);
    let mut entries = Message::read(&bytes)
        .expect("the message is well-formed")
        .entries();
    assert!(entries.next().is_some());
    let aside = entries.clone();
    assert_eq!(entries.count(), 2);
    assert_eq!(aside.count(), 2);
}

#[test]
fn errors_say_what_is_wrong() {
    assert_eq!(
        Malformed.to_string(),
        "bytes are not the protobuf message they should be"
    );
    assert_eq!(
        Unreadable::Entry.to_string(),
        "bytes are not the access-log entry they should be"
    );
    assert_eq!(
        Unreadable::Rest.to_string(),
        "the list of access-log entries is broken"
    );
}
