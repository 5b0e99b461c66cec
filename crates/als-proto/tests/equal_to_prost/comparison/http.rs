//! Requests and responses.

use als_proto::messages::envoy::data::accesslog::v3::{HttpRequestProperties, HttpResponseProperties};
use als_proto::{HttpRequest, HttpResponse};

use super::{both, compare_headers, compare_map};

pub(super) fn compare_request(request: Option<&HttpRequest<'_>>, expected: Option<&HttpRequestProperties>) {
    let Some((request, expected)) = both(request, expected, "request") else {
        return;
    };
    let HttpRequest {
        method,
        scheme,
        authority,
        port,
        path,
        user_agent,
        ..
    } = *request;
    assert_eq!(method, expected.request_method);
    assert_eq!(scheme, expected.scheme.as_bytes());
    assert_eq!(authority, expected.authority.as_bytes());
    assert_eq!(port, expected.port);
    assert_eq!(path, expected.path.as_bytes());
    assert_eq!(user_agent, expected.user_agent.as_bytes());
    let HttpRequest {
        referer,
        forwarded_for,
        request_id,
        original_path,
        headers_bytes,
        body_bytes,
        ..
    } = *request;
    assert_eq!(referer, expected.referer.as_bytes());
    assert_eq!(forwarded_for, expected.forwarded_for.as_bytes());
    assert_eq!(request_id, expected.request_id.as_bytes());
    assert_eq!(original_path, expected.original_path.as_bytes());
    assert_eq!(headers_bytes, expected.request_headers_bytes);
    assert_eq!(body_bytes, expected.request_body_bytes);
    compare_map(|name| request.header(name), &expected.request_headers);
    compare_headers(request.headers(), &expected.request_headers);
}

pub(super) fn compare_response(
    response: Option<&HttpResponse<'_>>,
    expected: Option<&HttpResponseProperties>,
) {
    let Some((response, expected)) = both(response, expected, "response") else {
        return;
    };
    let HttpResponse {
        code,
        headers_bytes,
        body_bytes,
        code_details,
        ..
    } = *response;
    assert_eq!(code, expected.response_code);
    assert_eq!(headers_bytes, expected.response_headers_bytes);
    assert_eq!(body_bytes, expected.response_body_bytes);
    assert_eq!(code_details, expected.response_code_details.as_bytes());
    compare_map(|name| response.header(name), &expected.response_headers);
    compare_headers(response.headers(), &expected.response_headers);
    compare_map(|name| response.trailer(name), &expected.response_trailers);
    compare_headers(response.trailers(), &expected.response_trailers);
}
