//! The flags of an entry.

use super::*;

#[rstest]
#[case(1, "LH")]
#[case(2, "UH")]
#[case(3, "UT")]
#[case(4, "LR")]
#[case(5, "UR")]
#[case(6, "UF")]
#[case(7, "UC")]
#[case(8, "UO")]
#[case(9, "NR")]
#[case(10, "DI")]
#[case(11, "FI")]
#[case(12, "RL")]
#[case(14, "RLSE")]
#[case(15, "DC")]
#[case(16, "URX")]
#[case(17, "SI")]
#[case(18, "IH")]
#[case(19, "DPE")]
#[case(20, "UMSDR")]
#[case(21, "RFCF")]
#[case(22, "NFCF")]
#[case(23, "DT")]
#[case(24, "UPE")]
#[case(25, "NC")]
#[case(26, "OM")]
#[case(27, "DF")]
#[case(28, "DR")]
fn each_response_flag_has_envoys_short_code(#[case] number: u32, #[case] code: &str) {
    let bytes = common([message(16, [varint(number, 1)])]);
    let flags = read_common(&bytes).response_flags;
    assert_eq!(flags.bits(), 1 << number);
    assert!(flags.contains(number));
    assert_eq!(flags.short_codes().collect::<Vec<_>>(), [code]);
}

#[rstest]
#[case::unauthorized_details_by_presence(vec![message(13, [])], &["UAEX"])]
#[case::with_a_reason(vec![message(13, [varint(1, 1)])], &["UAEX"])]
#[case::in_the_order_of_their_numbers(vec![varint(28, 1), message(13, []), varint(2, 1)], &["UH", "UAEX", "DR"])]
#[case::false_is_not_set(vec![varint(2, 0)], &[])]
#[case::last_wins(vec![varint(2, 1), varint(4, 1), varint(2, 0)], &["LR"])]
#[case::newer_flags_are_ignored(vec![varint(29, 1), varint(63, 1), varint(64, 1), varint(3, 2)], &["UT"])]
fn response_flags_are_a_set(#[case] fields: Vec<Vec<u8>>, #[case] codes: &[&str]) {
    let bytes = common([string(16, fields.concat())]);
    let flags = read_common(&bytes).response_flags;
    assert_eq!(flags.short_codes().collect::<Vec<_>>(), codes);
    assert_eq!(flags.is_empty(), codes.is_empty());
    assert!(
        ![0, 29, 63, 64, u32::MAX]
            .into_iter()
            .any(|number| flags.contains(number))
    );
}

#[test]
fn flags_of_all_occurrences_are_one_set() {
    let flags = [
        message(16, [varint(2, 1), varint(4, 1)]),
        message(16, [varint(2, 0), varint(3, 1)]),
    ];
    let pieces = flags.clone().map(|flags| message(1, [flags]));
    for bytes in [common(flags), http_entry(pieces)] {
        let codes: Vec<&str> = read_common(&bytes).response_flags.short_codes().collect();
        assert_eq!(codes, ["UT", "LR"]);
    }
}
