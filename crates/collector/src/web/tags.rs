//! Entity tags: a client that already has an answer is told so in a few bytes.

use std::sync::Arc;

use alscope_analysis::aggregate::totals::Snapshot;
use axum::extract::{Request, State};
use axum::http::header::{ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

/// Returns the tag of a content, which is its hash.
pub fn of_content(content: &[u8]) -> HeaderValue {
    let digest = Sha256::digest(content);
    let digits: Vec<String> = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::try_from(format!("\"{}\"", digits.concat())).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Returns whether the client already has what `tag` names (RFC 9110, 13.1.2: the weak comparison).
pub fn has(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let known = headers.get_all(IF_NONE_MATCH).iter();
    let mut known = known
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','));
    known.any(|known| {
        let known = known.trim();
        known == "*" || known.strip_prefix("W/").unwrap_or(known).as_bytes() == tag.as_bytes()
    })
}

/// Builds the answer to a client that already has the content: 304.
pub fn not_modified(tag: HeaderValue) -> Response {
    (StatusCode::NOT_MODIFIED, [(ETAG, tag)]).into_response()
}

/// Tags each answer that depends only on the published snapshot and the request's target.
pub async fn of_snapshot(
    State(published): State<watch::Receiver<Arc<Snapshot>>>,
    request: Request,
    next: Next,
) -> Response {
    // The tag is taken before the answer is made. If a newer snapshot comes between, the answer has an
    // older tag and is asked for again.
    let taken = published.borrow().taken.0;
    let target = request
        .uri()
        .path_and_query()
        .map_or("", |target| target.as_str());
    let tag = of_content(format!("{taken} {target}").as_bytes());
    if has(request.headers(), &tag) {
        return not_modified(tag);
    }
    let mut response = next.run(request).await;
    if response.status() == StatusCode::OK {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::same(&["\"a\""], true)]
    #[case::weak(&["W/\"a\""], true)]
    #[case::among_others(&["\"b\", W/\"a\""], true)]
    #[case::in_another_line(&["\"b\"", "\"a\""], true)]
    #[case::anything(&["*"], true)]
    #[case::other(&["\"b\""], false)]
    #[case::without_quotes(&["a"], false)]
    #[case::part(&["\"a"], false)]
    #[case::none(&[], false)]
    fn a_tag_is_found_among_those_of_the_client(#[case] known: &[&'static str], #[case] expected: bool) {
        let mut headers = HeaderMap::new();
        for value in known {
            headers.append(IF_NONE_MATCH, HeaderValue::from_static(value));
        }
        assert_eq!(has(&headers, &HeaderValue::from_static("\"a\"")), expected);
    }

    #[test]
    fn contents_have_tags_of_their_own() {
        let tag = of_content(b"abc");
        assert_eq!(tag, "\"ba7816bf8f01cfea414140de5dae2223\"");
        assert_ne!(tag, of_content(b"abd"));
    }
}
