use proptest::prelude::*;
use rstest::rstest;

use super::request::MAX_QUERY_KEY_BYTES;
use super::*;

fn target(target: &[u8]) -> String {
    let mut output = String::new();
    Redaction::default().target(target, &mut output);
    output
}

fn authority(authority: &[u8]) -> String {
    let mut output = String::new();
    Redaction::default().authority(authority, &mut output);
    output
}

fn header(name: &str, value: &[u8]) -> String {
    let mut output = String::new();
    Redaction::with_headers(["X-Customer"]).header(name.as_bytes(), value, &mut output);
    output
}

#[rstest]
#[case::plain(b"/products/42", "/products/42")]
#[case::uuid(
    b"/orders/9f1b6a3e-52d4-4c8b-9d07-0e6a7f1c2b3d/",
    "/orders/9f1b6a3e-52d4-4c8b-9d07-0e6a7f1c2b3d/"
)]
#[case::short_hex(b"/products/507f1f77bcf86cd799439011", "/products/507f1f77bcf86cd799439011")]
#[case::slashes(b"//a//b/", "//a//b/")]
#[case::query(b"/a?b=c&d=e", "/a?b={redacted}&d={redacted}")]
#[case::semicolons(b"/a?b=c;d=e", "/a?b={redacted};d={redacted}")]
#[case::empty_value(b"/a?b=&c=d", "/a?b=&c={redacted}")]
#[case::empty_pairs(b"/a?&&b=c&", "/a?&&b={redacted}&")]
#[case::no_pairs(b"/a?", "/a?")]
#[case::bare(b"/a?hunter2", "/a?{redacted}")]
#[case::bare_before_a_pair(b"/a?hunter2?b=c", "/a?{redacted}={redacted}")]
#[case::equals_in_a_value(b"/a?b=c=d", "/a?b={redacted}")]
#[case::key_with_brackets(b"/a?filter[name]=c", "/a?filter[name]={redacted}")]
#[case::escaped_key(b"/a?filter%5Bname%5D=c", "/a?filter[name]={redacted}")]
#[case::padded_key(b"/a?aHVudGVyMg==", "/a?{redacted}")]
#[case::email_key(b"/a?alice@example.com=1", "/a?{email}={redacted}")]
#[case::fragment(b"/a#access_token=x", "/a")]
#[case::fragment_before_query(b"/a#x?y=z", "/a")]
#[case::absolute(b"https://user:pass@shop:8443/a?b=c", "https://shop:8443/a?b={redacted}")]
#[case::matrix(b"/a;jsessionid=1A2B/b", "/a;{redacted}/b")]
#[case::pair_in_a_segment(b"/year=2024/b", "/year={redacted}/b")]
#[case::email(b"/users/alice%40example.com/x", "/users/{email}/x")]
#[case::jwt(b"/reset/eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", "/reset/{redacted}")]
#[case::session_id(b"/s/9f1b6a3e52d44c8b9d070e6a7f1c2b3d", "/s/{redacted}")]
#[case::bearer(b"/auth/Bearer%20hunter2", "/auth/{redacted}")]
#[case::url_in_a_path(b"/proxy/http://user:pass@internal/x", "/proxy/http://internal/x")]
#[case::escaped_url_in_a_path(b"/proxy/http%3A%2F%2Fuser%3Apass%40internal%2Fx", "/proxy/{redacted}")]
#[case::escaped_url_with_a_token(b"/proxy/http%3A%2F%2Ftoken%40internal", "/proxy/{redacted}")]
#[case::escaped_url(b"/proxy/http%3a%2f%2Finternal", "/proxy/http%3A%2F%2Finternal")]
#[case::version(b"/npm/react@18.2.0", "/npm/react@18.2.0")]
#[case::escaped_query(b"/a%3Fb=c", "/a{redacted}")]
#[case::escaped_escape(b"/users/alice%2540example.com", "/users/{email}")]
#[case::authority_form(b"db.example.com:5432", "db.example.com:5432")]
#[case::authority_form_with_password(b"user:pass@db:5432", "{redacted}")]
#[case::asterisk(b"*", "*")]
#[case::nothing(b"", "")]
#[case::line_break(b"/a\r\nb", "/a%0D%0Ab")]
fn targets_keep_their_words_and_keys(#[case] input: &[u8], #[case] expected: &str) {
    assert_eq!(target(input), expected);
}

#[test]
fn a_key_beyond_the_bound_is_hidden() {
    let key = "k".repeat(MAX_QUERY_KEY_BYTES);
    assert_eq!(
        target(format!("?{key}=1").as_bytes()),
        format!("?{key}={{redacted}}")
    );
    assert_eq!(target(format!("?{key}k=1").as_bytes()), "?{redacted}={redacted}");
}

#[rstest]
#[case::host(b"shop.example.com:8443", "shop.example.com:8443")]
#[case::userinfo(b"user:pass@shop", "shop")]
#[case::two_ats(b"user:p@ss@shop:80", "shop:80")]
#[case::escaped_at(b"user%40shop", "shop")]
#[case::ipv6(b"user@[fd00::1]:80", "[fd00::1]:80")]
#[case::path(b"shop/secret", "shop{redacted}")]
#[case::nothing(b"", "")]
fn authorities_lose_their_userinfo(#[case] input: &[u8], #[case] expected: &str) {
    assert_eq!(authority(input), expected);
}

#[rstest]
#[case("authorization")]
#[case("Authorization")]
#[case("proxy-authorization")]
#[case("cookie")]
#[case("Set-Cookie")]
#[case("x-customer")]
#[case("X-CUSTOMER")]
#[case("x-api-key")]
#[case("x-auth-token")]
#[case("x_auth")]
#[case("x-amz-security-token")]
#[case("x-sessionid")]
#[case("x-csrf")]
fn headers_of_secrets_are_never_shown(#[case] name: &str) {
    assert_eq!(header(name, b"a value"), REDACTED);
}

#[rstest]
#[case::text(
    "user-agent",
    b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"
)]
#[case::request_id(
    "x-request-id",
    b"9f1b6a3e-52d4-4c8b-9d07-0e6a7f1c2b3d",
    "9f1b6a3e-52d4-4c8b-9d07-0e6a7f1c2b3d"
)]
#[case::trace_parent(
    "traceparent",
    b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
)]
#[case::trace_id(
    "x-b3-traceid",
    b"0af7651916cd43dd8448eb211c80319c",
    "0af7651916cd43dd8448eb211c80319c"
)]
#[case::types(
    "accept",
    b"text/html, application/json;q=0.8",
    "text/html, application/json;q=0.8"
)]
#[case::cache("cache-control", b"max-age=3600", "max-age=3600")]
#[case::author("x-author", b"alice", "alice")]
#[case::monkey("x-monkey", b"george", "george")]
#[case::path(":path", b"/a?b=c", "/a?b={redacted}")]
#[case::original_path("x-envoy-original-path", b"a;b", "a;{redacted}")]
#[case::authority(":authority", b"user:pass@shop", "shop")]
#[case::host("Host", b"user@shop", "shop")]
#[case::referer("referer", b"https://user:pass@shop/a?b=c", "https://shop/a?b={redacted}")]
#[case::link(
    "link",
    b"<https://shop/a?token=c>; rel=\"next\"",
    "<https://shop/a?token={redacted}; rel=\"next\""
)]
#[case::location("location", b"/login?next=/a", "/login?next={redacted}")]
#[case::scheme("x-forwarded-credentials-of", b"Bearer hunter2", "{redacted}")]
#[case::bearer("x-original", b"Bearer hunter2, gzip", "Bearer {redacted}, gzip")]
#[case::relative_url("x-note", b"a?b=hunter2", "a?b={redacted}")]
#[case::pair("x-note", b"token=hunter2 a=b", "token={redacted} a=b")]
#[case::json("x-note", b"{\"password\":\"hunter2\"}", "{\"password\":{redacted}")]
#[case::spaced_json("x-note", b"{\"password\": \"hunter2\"}", "{\"password\": {redacted}")]
#[case::email("from", b"Alice <alice@example.com>", "Alice <{email}")]
#[case::token("x-note", b"is eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", "is {redacted}")]
#[case::password("x-note", b"user:hunter2@shop", "{redacted}@shop")]
#[case::pair_of_words("x-note", b"Sort:orderby=", "Sort:orderby=")]
#[case::version("x-note", b"react@18", "react@18")]
#[case::controls("x-note", b"a\r\nb\xff", "a\u{fffd}\u{fffd}b\u{fffd}")]
fn other_headers_are_shown_without_secrets(#[case] name: &str, #[case] value: &[u8], #[case] expected: &str) {
    assert_eq!(header(name, value), expected);
}

#[test]
fn nothing_is_hidden_when_redaction_is_off_but_controls() {
    let mut output = String::new();
    Redaction::Off.target(b"/a?b=c\n", &mut output);
    Redaction::Off.authority(b"user:pass@shop ", &mut output);
    Redaction::Off.header(b"cookie", b"a=b", &mut output);
    assert_eq!(output, "/a?b=c\u{fffd}user:pass@shop a=b");
}

proptest! {
    #[test]
    fn any_bytes_are_redacted_into_printable_text(bytes: Vec<u8>, name: String) {
        for text in [target(&bytes), authority(&bytes), header(&name, &bytes)] {
            prop_assert!(!text.chars().any(char::is_control), "{}", text);
        }
    }
}
