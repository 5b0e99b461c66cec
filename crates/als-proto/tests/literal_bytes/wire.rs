//! The wire format itself, tried on the top level of a message.

use als_proto::{Malformed, Message};
use rstest::rstest;

use crate::encode::{read_common, varint};

#[rstest]
#[case::field_number_zero(b"\x00\x01")]
#[case::field_number_zero_in_a_group(b"\x23\x00\x01\x24")]
#[case::group_number_zero_in_a_group(b"\x23\x03\x04\x24")]
#[case::wire_type_six(b"\x26")]
#[case::wire_type_seven(b"\x27")]
#[case::end_of_no_group(b"\x24")]
#[case::group_without_end(b"\x23\x28\x01")]
#[case::group_ended_by_another(b"\x23\x2c")]
#[case::key_beyond_32_bits(b"\x80\x80\x80\x80\x10\x01")]
#[case::varint_without_end(b"\x20\x80")]
#[case::varint_beyond_64_bits(b"\x20\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02")]
#[case::varint_of_eleven_bytes(b"\x20\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00")]
#[case::fixed64_cut_off(b"\x21\x01\x02\x03\x04\x05\x06\x07")]
#[case::fixed32_cut_off(b"\x25\x01\x02\x03")]
#[case::longer_than_the_message(b"\x22\x03ab")]
#[case::longer_than_memory(b"\x22\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")]
#[case::identifier_as_a_number(b"\x08\x01")]
#[case::entries_as_a_number(b"\x10\x01")]
#[case::text(b"GET / HTTP/1.1\r\n")]
fn garbage_is_malformed(#[case] bytes: &[u8]) {
    assert!(matches!(Message::read(bytes), Err(Malformed)));
}

#[rstest]
#[case::varint(b"\x20\x01")]
#[case::longest_varint(b"\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")]
#[case::varint_longer_than_needed(b"\x20\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00")]
#[case::key_longer_than_needed(b"\xa0\x80\x80\x00\x01")]
#[case::highest_field_number(b"\xf8\xff\xff\xff\x0f\x01")]
#[case::fixed64(b"\x21\x01\x02\x03\x04\x05\x06\x07\x08")]
#[case::bytes(b"\x22\x03abc")]
#[case::fixed32(b"\x25\x01\x02\x03\x04")]
#[case::empty_group(b"\x23\x24")]
#[case::group_in_a_group(b"\x23\x28\x01\x23\x2b\x2c\x24\x24")]
fn an_unknown_field_is_skipped(#[case] unknown: &[u8]) {
    let entry = b"\x12\x04\x0a\x02\x10\x05";
    let bytes = [unknown, entry, unknown].concat();
    let message = Message::read(&bytes).expect("the message is well-formed");
    assert_eq!(message.entries().flatten().count(), 1);
}

#[rstest]
#[case::as_deep_as_allowed(100, true)]
#[case::too_deep(101, false)]
fn groups_nest_to_a_limit(#[case] depth: usize, #[case] accepted: bool) {
    let bytes = [[0x23].repeat(depth), [0x24].repeat(depth)].concat();
    assert_eq!(Message::read(&bytes).is_ok(), accepted);
}

#[rstest]
#[case(0x7f)]
#[case(0x80)]
#[case(0x3fff)]
#[case(0x4000)]
#[case(0x1f_ffff)]
#[case(0x20_0000)]
#[case(0x0bcd_ef12)]
#[case(0x1000_0000)]
#[case(0x7_6543_210f)]
#[case(0x8_0000_0000)]
#[case(0x3ab_cdef_0123)]
#[case(0x400_0000_0000)]
#[case(0x1_2345_6789_abcd)]
#[case(0x2_0000_0000_0000)]
#[case(0xfe_dcba_9876_5432)]
#[case(0x100_0000_0000_0000)]
#[case(0x7654_3210_fedc_ba98)]
#[case(0x8000_0000_0000_0000)]
#[case(u64::MAX)]
fn numbers_of_any_length_are_read(#[case] number: u64) {
    let bytes = crate::encode::common([varint(29, number), varint(24, number), varint(33, number)]);
    let common = read_common(&bytes);
    assert_eq!(common.downstream_wire_bytes_sent, number);
    // A varint that is too large for its field is cut, as protobuf has it.
    assert_eq!(common.upstream_request_attempt_count, number as u32);
    assert_eq!(common.access_log_type, number as i32);
}
