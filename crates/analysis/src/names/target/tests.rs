use proptest::prelude::*;
use rstest::rstest;

use super::*;

pub(in crate::names) fn read(method: Method, path: &[u8], is_grpc: bool) -> Target {
    let mut target = Target::default();
    target.read(&Request {
        method,
        path,
        is_grpc,
    });
    target
}

/// The target as a name would show it.
fn shown(target: &Target) -> String {
    let segments: Vec<&str> = target
        .segments()
        .map(|(text, placeholder)| match placeholder {
            Some(placeholder) => placeholder.text(),
            None => text,
        })
        .collect();
    format!("/{}", segments.join("/"))
}

#[rstest]
#[case::plain(b"/products/mug", "/products/mug")]
#[case::root(b"/", "/")]
#[case::nothing(b"", "/")]
#[case::query(b"/products?id=1", "/products")]
#[case::only_a_query(b"?id=1", "/")]
#[case::fragment(b"/products#top", "/products")]
#[case::query_in_fragment(b"/products#a?b", "/products")]
#[case::absolute(b"http://shop.example.com/products?x=1", "/products")]
#[case::absolute_without_path(b"https://shop.example.com", "/")]
#[case::absolute_with_query(b"https://shop.example.com?a=/b", "/")]
#[case::absolute_with_credentials(b"http://user:pass@shop/products", "/products")]
#[case::url_within_a_path(b"/http://shop/products", "/http:/shop/products")]
#[case::no_scheme(b"1://shop/products", "/1:/shop/products")]
#[case::no_slash(b"products/mug", "/products/mug")]
#[case::asterisk_of_get(b"*", "/*")]
#[case::double_slash(b"//products///mug", "/products/mug")]
#[case::last_slash(b"/products/", "/products")]
#[case::only_slashes(b"///", "/")]
#[case::matrix(b"/cars;color=red/x;jsessionid=1A2B;y", "/cars/x")]
#[case::only_matrix(b"/;a=b/products", "/products")]
#[case::escaped_semicolon(b"/a%3Bb", "/a%3Bb")]
#[case::needless_escapes(b"/%70roducts", "/products")]
#[case::escaped_slash(b"/a%2fb", "/a%2Fb")]
#[case::escaped_query(b"/a%3Fb", "/{any}")]
#[case::escaped_escape(b"/a%253Fb", "/{any}")]
#[case::escaped_percent(b"/100%25", "/100%25")]
#[case::escaped_email(b"/users/alice%40example.com", "/users/{email}")]
#[case::escaped_date(b"/at/2024-05-12T10%3A30%3A00Z", "/at/{date}")]
#[case::not_utf8(b"/a\xff", "/a%FF")]
#[case::unicode("/café".as_bytes(), "/caf%C3%A9")]
#[case::line_break(b"/a\r\nb", "/a%0D%0Ab")]
#[case::forged_placeholder(b"/{other}", "/%7Bother%7D")]
#[case::placeholder(b"/users/{int}", "/users/{int}")]
#[case::dots(b"/a/./../b", "/a/./../b")]
#[case::values(b"/v1/users/42/orders/2024-05-12", "/v1/users/{int}/orders/{date}")]
fn paths_are_read_in_one_spelling(#[case] path: &[u8], #[case] expected: &str) {
    assert_eq!(shown(&read(Method::Get, path, false)), expected);
}

#[rstest]
#[case::longest_word(MAX_SEGMENT_BYTES, false)]
#[case::longer(MAX_SEGMENT_BYTES + 1, true)]
fn a_long_segment_is_a_value(#[case] length: usize, #[case] is_value: bool) {
    let word = "x".repeat(length);
    let target = read(Method::Get, format!("/{word}/y").as_bytes(), false);
    let expected = if is_value {
        "/{any}/y".to_owned()
    } else {
        format!("/{word}/y")
    };
    assert_eq!(shown(&target), expected);
}

#[test]
fn the_bound_of_a_word_is_that_of_its_spelling() {
    let word = "x".repeat(MAX_SEGMENT_BYTES);
    let escaped = format!("/%78{}", "x".repeat(MAX_SEGMENT_BYTES - 1));
    assert_eq!(
        shown(&read(Method::Get, escaped.as_bytes(), false)),
        format!("/{word}")
    );
    let longer = format!("/%78{word}");
    assert_eq!(shown(&read(Method::Get, longer.as_bytes(), false)), "/{any}");
}

#[test]
fn a_long_token_keeps_its_type() {
    let jwt = format!("/reset/eyJ{}.eyJ{}.sig", "a".repeat(300), "b".repeat(300));
    assert_eq!(
        shown(&read(Method::Get, jwt.as_bytes(), false)),
        "/reset/{base64}"
    );
}

#[test]
fn a_long_escaped_segment_is_a_value() {
    let escaped = format!("/{}%41", "1".repeat(MAX_ESCAPED_SEGMENT_BYTES));
    assert_eq!(shown(&read(Method::Get, escaped.as_bytes(), false)), "/{any}");
}

#[test]
fn segments_beyond_the_bound_are_one() {
    let path = "/a".repeat(MAX_SEGMENTS);
    assert_eq!(shown(&read(Method::Get, path.as_bytes(), false)), path);
    let longer = format!("{path}/b/c?x");
    assert_eq!(
        shown(&read(Method::Get, longer.as_bytes(), false)),
        format!("{path}/**")
    );
}

#[rstest]
#[case(Method::Options, b"*", TargetForm::Asterisk)]
#[case(Method::Options, b"/*", TargetForm::Path)]
#[case(Method::Get, b"*", TargetForm::Path)]
#[case(Method::Connect, b"db.example.com:5432", TargetForm::Authority)]
#[case(Method::Connect, b"", TargetForm::Authority)]
#[case(Method::Connect, b"/chat", TargetForm::Path)]
#[case(Method::Get, b"db.example.com:5432", TargetForm::Path)]
fn forms_without_a_path_belong_to_their_methods(
    #[case] method: Method,
    #[case] path: &[u8],
    #[case] expected: TargetForm,
) {
    assert_eq!(read(method, path, false).form, expected);
}

#[rstest]
#[case::usual(b"/hipstershop.CartService/GetCart", true)]
#[case::no_package(b"/Greeter/SayHello", true)]
#[case::query(b"/shop.Cart/Get?token=x", true)]
#[case::digits(b"/shop.v1.Cart/123", false)]
#[case::hash(b"/verify/9f1b6a3e52d44c8b9d070e6a7f1c2b3d", false)]
#[case::one_segment(b"/Greeter", false)]
#[case::three_segments(b"/a/b/c", false)]
#[case::empty_method(b"/shop.Cart/", false)]
#[case::no_slash(b"shop.Cart/Get", false)]
#[case::dash(b"/shop-v1.Cart/Get", false)]
#[case::token(b"/reset/eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.c2ln", false)]
fn grpc_paths_are_two_names(#[case] path: &[u8], #[case] is_grpc: bool) {
    let form = if is_grpc {
        TargetForm::Grpc
    } else {
        TargetForm::Path
    };
    assert_eq!(read(Method::Post, path, true).form, form);
    assert_eq!(read(Method::Post, path, false).form, TargetForm::Path);
}

#[test]
fn a_grpc_path_is_kept_as_it_is() {
    let long = format!("/{}.Cart/Get123", "shop".repeat(40));
    assert_eq!(read(Method::Post, long.as_bytes(), true).text(), long);
    let longer = format!("/{}.Cart/Get", "shop".repeat(70));
    assert_eq!(read(Method::Post, longer.as_bytes(), true).form, TargetForm::Path);
}

#[test]
fn a_target_forgets_what_it_read_before() {
    let mut target = read(Method::Get, b"/a/b/c", false);
    target.read(&Request {
        method: Method::Connect,
        path: b"host:1",
        is_grpc: false,
    });
    assert_eq!(
        (target.form, shown(&target)),
        (TargetForm::Authority, "/".to_owned())
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_and_reading_again_changes_nothing(path: Vec<u8>) {
        let name = shown(&read(Method::Get, &path, false));
        prop_assert!(!name.contains(['?', '#', ';']), "{}", name);
        prop_assert_eq!(shown(&read(Method::Get, name.as_bytes(), false)), name);
    }

    #[test]
    fn likely_bytes_too(path in "[a-zA-Z0-9/%?#;:@{}*.=&_-]{0,120}") {
        let name = shown(&read(Method::Get, path.as_bytes(), false));
        prop_assert!(!name.contains(['?', '#', ';']), "{}", name);
        prop_assert_eq!(shown(&read(Method::Get, name.as_bytes(), false)), name);
    }
}
