//! Finds how many messages a gRPC call had. Istio's `grpc_stats` filter counts them, and a proxy logs the count if the filter's object
//! is listed in `filterStateObjectsToLog`; Istio's mesh-config logger does not list it.

use als_proto::{CommonProperties, GrpcMessages};

/// The filter's name, under which it keeps its count (envoy `grpc_stats_filter`).
const GRPC_STATS: &[u8] = b"envoy.filters.http.grpc_stats";

/// The messages of a gRPC call; none if the proxy does not log them, or logs something else in their place.
pub fn grpc_messages(common: &CommonProperties<'_>) -> GrpcMessages {
    let objects = common.filter_state_objects().flatten();
    objects
        .filter(|object| object.key == GRPC_STATS)
        .last()
        .filter(|object| object.is_of_type(GrpcMessages::TYPE_NAME))
        .and_then(|object| GrpcMessages::read(object.value).ok())
        .unwrap_or_default()
}
