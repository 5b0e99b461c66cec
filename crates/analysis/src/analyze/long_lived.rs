//! Finds long-lived requests, whose duration is how long a connection was open and not how long an answer took. They are counted
//! like any other, also in the histogram of durations, where Istio counts them too. The percentiles of an edge leave them out.
//!
//! | which | how an entry tells |
//! |---|---|
//! | a websocket, or another upgrade | code 101; of HTTP/2 and HTTP/3, too, because Envoy takes their extended CONNECT for an upgrade |
//! | a tunnel | a CONNECT that was answered with 2xx |
//! | an event stream | a response of the type `text/event-stream`, where the proxy logs that header |
//!
//! A gRPC stream can't be distinguished from a single call, nor long polling from a slow answer: no field of an entry says it.

use als_proto::{HttpRequest, HttpResponse, Malformed};

/// `RequestMethod.CONNECT`.
pub(super) const METHOD_CONNECT: i32 = 6;
const STATUS_SWITCHING_PROTOCOLS: u32 = 101;
const EVENT_STREAM_MEDIA_TYPE: &[u8] = b"text/event-stream";

/// Whether a request is long-lived: its duration is how long a connection was open.
#[inline]
pub fn is_long_lived(request: &HttpRequest<'_>, response: &HttpResponse<'_>) -> Result<bool, Malformed> {
    match response.code {
        Some(STATUS_SWITCHING_PROTOCOLS) => Ok(true),
        Some(200..=299) if request.method == METHOD_CONNECT => Ok(true),
        Some(200) => Ok(response.header(b"content-type")?.is_some_and(is_event_stream)),
        _ => Ok(false),
    }
}

/// The media type before its parameters, in any case (RFC 9110, 8.3.1).
fn is_event_stream(content_type: &[u8]) -> bool {
    let media_type = content_type
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default();
    media_type
        .trim_ascii()
        .eq_ignore_ascii_case(EVENT_STREAM_MEDIA_TYPE)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const GET: i32 = 1;

    fn is_long_lived_with(method: i32, code: Option<u32>) -> bool {
        let (mut request, mut response) = (HttpRequest::default(), HttpResponse::default());
        (request.method, response.code) = (method, code);
        is_long_lived(&request, &response).unwrap()
    }

    #[rstest]
    // proves: lasting/upgrade
    #[case::upgrade(GET, Some(101), true)]
    #[case::refused_upgrade(GET, Some(403), false)]
    // proves: lasting/tunnel
    #[case::tunnel(METHOD_CONNECT, Some(200), true)]
    // proves: lasting/tunnel
    #[case::refused_tunnel(METHOD_CONNECT, Some(503), false)]
    #[case::tunnel_without_answer(METHOD_CONNECT, None, false)]
    #[case::request(GET, Some(200), false)]
    #[case::continue_(GET, Some(100), false)]
    fn what_was_opened_lasts(#[case] method: i32, #[case] code: Option<u32>, #[case] expected: bool) {
        assert_eq!(is_long_lived_with(method, code), expected);
    }

    #[rstest]
    // proves: lasting/event-stream
    #[case("text/event-stream", true)]
    // proves: lasting/event-stream
    #[case("Text/Event-Stream; charset=utf-8", true)]
    #[case("text/event-stream-of-mine", false)]
    #[case("text/html", false)]
    #[case("", false)]
    fn an_event_stream_has_its_media_type(#[case] content_type: &str, #[case] expected: bool) {
        assert_eq!(is_event_stream(content_type.as_bytes()), expected);
    }
}
