use http::Method as HttpMethod;

use super::*;

const V3: &str = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs";

fn request(method: HttpMethod, path: &str, headers: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

#[rstest]
#[case::get(HttpMethod::GET, V3, "application/grpc", Refusal::NotGrpc)]
#[case::no_grpc(HttpMethod::POST, V3, "application/json", Refusal::NotGrpc)]
#[case::another_service(
    HttpMethod::POST,
    "/envoy.service.accesslog.v4.AccessLogService/StreamAccessLogs",
    "application/grpc",
    Refusal::UnknownMethod
)]
#[case::switched_off(
    HttpMethod::POST,
    "/envoy.service.metrics.v3.MetricsService/StreamMetrics",
    "application/grpc",
    Refusal::Metrics
)]
#[case::switched_off_v2(
    HttpMethod::POST,
    "/envoy.service.metrics.v2.MetricsService/StreamMetrics",
    "application/grpc",
    Refusal::Metrics
)]
fn a_request_that_is_no_served_stream_is_refused(
    #[case] method: HttpMethod,
    #[case] path: &str,
    #[case] content_type: &str,
    #[case] expected: Refusal,
) {
    let begun = service(Limits::default()).begin(&request(method, path, &[("content-type", content_type)]));
    assert_eq!(begun.err(), Some(expected));
}

#[rstest]
#[case::none(&[], Ok(Encoding::Identity))]
#[case::gzip(&[("grpc-encoding", "gzip")], Ok(Encoding::Gzip))]
#[case::another(&[("grpc-encoding", "deflate")], Err(Refusal::Encoding))]
fn an_encoding_that_is_not_served_is_refused_and_counted(
    #[case] headers: &[(&str, &str)],
    #[case] expected: Result<Encoding, Refusal>,
) {
    let service = service(Limits::default());
    let headers = [&[("content-type", "application/grpc+proto")], headers].concat();
    let begun = service.begin(&request(HttpMethod::POST, V3, &headers));
    assert_eq!(begun.map(|((), encoding)| encoding), expected);
    let counted = usize::from(expected.is_err());
    let rejected = [Read::Rejected(Rejected::Compression)];
    assert_eq!(*service.handler.0.lock(), rejected[..counted]);
}
