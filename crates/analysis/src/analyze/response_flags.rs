//! Istio's label `response_flags`: Envoy's short codes.

use als_proto::ResponseFlags;

/// Every flag's short code in the order of the proto's fields, joined by commas; `-` if none (istio `istio_stats`).
pub fn text(flags: ResponseFlags) -> String {
    if flags.is_empty() {
        return "-".to_owned();
    }
    flags.short_codes().collect::<Vec<_>>().join(",")
}
