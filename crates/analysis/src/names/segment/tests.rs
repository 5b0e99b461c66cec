use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn text_of(segment: &str) -> &str {
    match Placeholder::of(segment.as_bytes()) {
        Some(placeholder) => placeholder.text(),
        None => segment,
    }
}

#[rstest]
#[case::zero("0")]
#[case::year("2024")]
#[case::compact_date("20240512")]
#[case::long("123456789012345678901234567890")]
fn digits_are_an_int(#[case] segment: &str) {
    assert_eq!(text_of(segment), "{int}");
}

#[rstest]
#[case::version("v1")]
#[case::beta_version("v2beta1")]
#[case::dotted_version("1.0")]
#[case::address("10.0.0.1")]
#[case::negative("-5")]
#[case::ordinal("2nd")]
#[case::protocol("oauth2")]
#[case::prefixed("order-12345")]
#[case::arabic_digits("١٢٣")]
fn words_with_digits_are_no_int(#[case] segment: &str) {
    assert_eq!(Placeholder::of(segment.as_bytes()), None);
}

#[rstest]
#[case::version_4("9f1b6a3e-52d4-4c8b-9d07-0e6a7f1c2b3d")]
#[case::upper("9F1B6A3E-52D4-4C8B-9D07-0E6A7F1C2B3D")]
#[case::nil("00000000-0000-0000-0000-000000000000")]
fn uuids_are_known_by_their_groups(#[case] segment: &str) {
    assert_eq!(text_of(segment), "{uuid}");
}

#[rstest]
#[case::one_digit_less("9f1b6a3e-52d4-4c8b-9d07-0e6a7f1c2b3")]
#[case::groups_moved("9f1b6a3e5-2d4-4c8b-9d07-0e6a7f1c2b3d")]
#[case::no_hex("9f1b6a3g-52d4-4c8b-9d07-0e6a7f1c2b3d")]
fn other_groups_are_no_uuid(#[case] segment: &str) {
    assert_ne!(text_of(segment), "{uuid}");
}

#[rstest]
#[case::short_hash("a1b2c3d4")]
#[case::object_id("507f1f77bcf86cd799439011")]
#[case::uuid_without_dashes("9f1b6a3e52d44c8b9d070e6a7f1c2b3d")]
#[case::sha1("da39a3ee5e6b4b0d3255bfef95601890afd80709")]
#[case::upper("A1B2C3D4E5F60718")]
#[case::two_runs("aaaaaaaa00000000")]
#[case::prefixed("0xdeadbeef")]
#[case::prefixed_short("0x1")]
fn hexadecimal_numbers_are_mixed(#[case] segment: &str) {
    assert_eq!(text_of(segment), "{hex}");
}

#[rstest]
#[case::cafe("cafe")]
#[case::deadbeef("deadbeef")]
#[case::facade("facade")]
#[case::effaced("effaced")]
#[case::long_letters("deadbeefcafebabe")]
#[case::face2face("face2face")]
#[case::feed2024("feed2024")]
#[case::decade80("decade80")]
#[case::seven("a1b2c3d")]
#[case::other_letter("a1b2c3g4")]
#[case::only_prefix("0x")]
fn words_of_hexadecimal_letters_stay(#[case] segment: &str) {
    assert_eq!(Placeholder::of(segment.as_bytes()), None);
}

#[rstest]
#[case::month("2024-05")]
#[case::date("2024-05-12")]
#[case::leap_second("2016-12-31T23:59:60Z")]
#[case::minutes("2024-05-12T10:30")]
#[case::fraction("2024-05-12T10:30:00.123456Z")]
#[case::offset("2024-05-12T10:30:00+02:00")]
#[case::compact_offset("2024-05-12t10:30:00-0930")]
#[case::space("2024-05-12 10:30:00")]
fn iso_dates_are_dates(#[case] segment: &str) {
    assert_eq!(text_of(segment), "{date}");
}

#[rstest]
#[case::month_13("2024-13-01")]
#[case::month_0("2024-00-01")]
#[case::day_32("2024-01-32")]
#[case::day_0("2024-01-00")]
#[case::hour_24("2024-05-12T24:00")]
#[case::minute_60("2024-05-12T10:60")]
#[case::second_61("2024-05-12T10:30:61")]
#[case::no_fraction("2024-05-12T10:30:00.Z")]
#[case::zone("2024-05-12T10:30:00+2")]
#[case::year_1234("1234-05-12")]
#[case::year_2200("2200-05")]
#[case::slug("2024-05-12-release-notes")]
#[case::short("2024-5-1")]
#[case::range("2024-2025")]
fn other_dashed_numbers_are_no_date(#[case] segment: &str) {
    assert_eq!(Placeholder::of(segment.as_bytes()), None);
}

#[rstest]
#[case::uuid_bytes("n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=")]
#[case::url_safe("VGhpcyBpcyBh-IHNlY3JldCB0_b2tlbg")]
#[case::ksuid("0ujtsYcgvSTl8PAuAdqWYSMnLOv")]
#[case::ulid("01ARZ3NDEKTSV4RRFFQ69G5FAV")]
#[case::github_token("ghp_16C7e42F292c6912E7710c838347Ae178B4a")]
#[case::stripe_key("sk_live_4eC39HqLyjWDarjtT1zdp7dc")]
#[case::padded("YWxpY2U=")]
#[case::padded_twice("dXNlcjpwYXNzdw==")]
#[case::jwt("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P")]
#[case::unsigned_jwt("eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.")]
fn random_text_is_base64(#[case] segment: &str) {
    assert_eq!(text_of(segment), "{base64}");
}

#[rstest]
#[case::long_word("internationalization")]
#[case::longest_word("pneumonoultramicroscopicsilicovolcanoconiosis")]
#[case::camel_case("getUserProfileSettingsV2")]
#[case::pascal_case("GetProductRecommendations2")]
#[case::acronyms("OAuth2AuthorizationCodeGrantHTTP")]
#[case::x509("X509v3CRLDistributionPoints")]
#[case::title_slug("My-Great-Post-About-Rust-In-2024")]
#[case::kebab_slug("how-to-use-base64-in-2024-and-later")]
#[case::snake_slug("Quarterly_Report_Q3_2024_Final_v2")]
#[case::upper_constant("MAX_CONNECTIONS_PER_HOST_2")]
#[case::lower_and_digits("iphone15promax256gbblue")]
#[case::no_lower("AKIAIOSFODNN7EXAMPLEX")]
#[case::pod("reviews-v1-5d4f8b6c9-x7k2p")]
#[case::short_random("dQw4w9WgXcQ")]
#[case::nineteen("n4bQgYhMfWWaL1qgxVr")]
#[case::letter_outside_base32("01ARZ3NDEKTSV4RRFFQ69G5FAU")]
#[case::short_ulid("01ARZ3NDEKTSV4RRFFQ69G5FA")]
#[case::long_ulid("01ARZ3NDEKTSV4RRFFQ69G5FAVA")]
#[case::ulid_out_of_range("81ARZ3NDEKTSV4RRFFQ69G5FAV")]
#[case::file("eyJ.min.j$s")]
fn words_and_slugs_are_no_base64(#[case] segment: &str) {
    assert_eq!(Placeholder::of(segment.as_bytes()), None);
}

#[rstest]
#[case::no_group_of_four("YWxpY2V4Y=")]
#[case::short("aBc=")]
#[case::small_letters("orderby=")]
#[case::capitals("ORDERBY=")]
#[case::digits_and_padding("1234567=")]
#[case::three_times("YWxpY===")]
#[case::other_letter("YWxp!2U=")]
fn pairs_without_a_value_are_no_base64(#[case] segment: &str) {
    assert_eq!(text_of(segment), "{any}");
}

#[rstest]
#[case::plain("alice@example.com")]
#[case::tagged("alice.b+tag@mail.example.co.uk")]
#[case::digits("bob@163.com")]
#[case::with_scheme("mailto:alice@example.com")]
#[case::in_a_pair("user=alice@example.com")]
#[case::followed("alice@example.com,later")]
#[case::two_ats("a@b@example.org")]
#[case::final_dot("alice@example.com.")]
#[case::punycode("alice@xn--bcher-kva.xn--p1ai")]
#[case::unicode("alice@bücher.de")]
#[case::domain_2x("bob@2x.com")]
#[case::in_braces("{alice@example.com}")]
#[case::after_a_star("*alice@example.com")]
fn email_addresses_are_found(#[case] segment: &str) {
    assert_eq!(text_of(segment), "{email}");
}

#[rstest]
#[case::scope("@angular")]
#[case::scoped("@types.node")]
#[case::version("react@18.2.0")]
#[case::version_of_a_file("jquery@3.6.0.min.js")]
#[case::tag("react@latest")]
#[case::pixel_density("logo@2x.png")]
#[case::host("root@localhost")]
#[case::empty_label("alice@example..com")]
#[case::one_letter("alice@example.c")]
#[case::spaced("follow @example.com")]
fn other_ats_are_no_email(#[case] segment: &str) {
    assert_eq!(Placeholder::of(segment.as_bytes()), None);
}

#[rstest]
#[case("token=abc", Some(Placeholder::Any))]
#[case("x?token", Some(Placeholder::Any))]
#[case("x#token", Some(Placeholder::Any))]
#[case("a&b", Some(Placeholder::Any))]
#[case("user:password@host", Some(Placeholder::Any))]
#[case("npm:react@18", Some(Placeholder::Any))]
#[case("a:b", None)]
#[case("a@b:c", None)]
#[case("products", None)]
#[case("Orders('x')", None)]
#[case("", None)]
fn what_is_written_like_a_query_is_a_value(#[case] segment: &str, #[case] expected: Option<Placeholder>) {
    assert_eq!(Placeholder::of(segment.as_bytes()), expected);
}

#[rstest]
#[case::access_key("AKIAIOSFODNN7EXAMPLE")]
#[case::bearer("Bearer hunter2")]
#[case::basic("basic:hunter2")]
#[case::with_a_name("session:n4bQgYhMfWWaL1qgxVrQ")]
#[case::within_dots("file.n4bQgYhMfWWaL1qgxVrQ.key")]
#[case::personal_token("glpat-abcdefghijkl")]
#[case::json("eyJpZCI6MX0")]
#[case::half_a_jwt("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0")]
#[case::json_after_a_word("cursor-eyJpZCI6MX0")]
fn credentials_are_values(#[case] segment: &str) {
    assert_eq!(text_of(segment), "{any}");
}

#[rstest]
#[case::bearer_alone("bearer")]
#[case::bearer_of_nothing("bearer:")]
#[case::bearer_of_a_name("bearer-tokens")]
#[case::basic_word("basics")]
#[case::prefix_alone("ghp_")]
#[case::word_with_a_prefix("npm_config_registry_url")]
#[case::short_rest("ghp_settings")]
#[case::prefix_within("my-glpat-abcdefghijkl")]
#[case::lower_case_key("akiaiosfodnn7example")]
#[case::short_json("eyJ.min.js")]
fn words_near_credentials_stay(#[case] segment: &str) {
    assert_eq!(Placeholder::of(segment.as_bytes()), None);
}

#[test]
fn every_placeholder_is_itself() {
    for placeholder in Placeholder::ALL {
        assert_eq!(Placeholder::of(placeholder.text().as_bytes()), Some(placeholder));
    }
    assert_eq!(Placeholder::of(b"{other}"), None);
}

proptest! {
    #[test]
    fn any_number_is_an_int(number: u128) {
        prop_assert_eq!(Placeholder::of(number.to_string().as_bytes()), Some(Placeholder::Int));
    }

    #[test]
    fn lower_case_words_are_never_values(word in "[a-z]{1,40}(-[a-z]{1,20}){0,4}") {
        prop_assert_eq!(Placeholder::of(word.as_bytes()), None);
    }

    #[test]
    fn any_bytes_are_read(segment: Vec<u8>) {
        let placeholder = Placeholder::of(&segment);
        prop_assert!(placeholder.is_none() || !segment.is_empty());
    }
}
