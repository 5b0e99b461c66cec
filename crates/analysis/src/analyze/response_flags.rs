//! Writes Istio's label `response_flags` with Envoy's short codes.

use als_proto::ResponseFlags;

/// The short code of each flag in the order of the proto's fields, joined by commas; `-` if there is none (istio `istio_stats`).
pub fn text(flags: ResponseFlags) -> String {
    if flags.is_empty() {
        return "-".to_owned();
    }
    flags.short_codes().collect::<Vec<_>>().join(",")
}
