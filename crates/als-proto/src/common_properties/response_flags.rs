//! `envoy.data.accesslog.v3.ResponseFlags`: what went wrong, or was done on purpose, on the way of a call.

use crate::Malformed;
use crate::occurrences::Merge;
use crate::wire::{Fields, field_number, length_delimited, varint};

/// The one field that is a message.
const UNAUTHORIZED_DETAILS: u32 = length_delimited(UNAUTHORIZED_DETAILS_NUMBER);
const UNAUTHORIZED_DETAILS_NUMBER: u32 = 13;
const LAST_KNOWN_FIELD: u32 = 28;

/// Envoy's short names of the flags, those of `%RESPONSE_FLAGS%` in its text logs (`ResponseFlagUtils` in
/// Envoy's `source/common/stream_info/utility.h`), by field number. Its `DO`, drop overload, has no field.
const SHORT_CODES: [(u32, &str); 28] = [
    (1, "LH"),     // failed_local_healthcheck
    (2, "UH"),     // no_healthy_upstream
    (3, "UT"),     // upstream_request_timeout
    (4, "LR"),     // local_reset
    (5, "UR"),     // upstream_remote_reset
    (6, "UF"),     // upstream_connection_failure
    (7, "UC"),     // upstream_connection_termination
    (8, "UO"),     // upstream_overflow
    (9, "NR"),     // no_route_found
    (10, "DI"),    // delay_injected
    (11, "FI"),    // fault_injected
    (12, "RL"),    // rate_limited
    (13, "UAEX"),  // unauthorized_details
    (14, "RLSE"),  // rate_limit_service_error
    (15, "DC"),    // downstream_connection_termination
    (16, "URX"),   // upstream_retry_limit_exceeded
    (17, "SI"),    // stream_idle_timeout
    (18, "IH"),    // invalid_envoy_request_headers
    (19, "DPE"),   // downstream_protocol_error
    (20, "UMSDR"), // upstream_max_stream_duration_reached
    (21, "RFCF"),  // response_from_cache_filter
    (22, "NFCF"),  // no_filter_config_found
    (23, "DT"),    // duration_timeout
    (24, "UPE"),   // upstream_protocol_error
    (25, "NC"),    // no_cluster_found
    (26, "OM"),    // overload_manager
    (27, "DF"),    // dns_resolution_failure
    (28, "DR"),    // downstream_remote_reset
];

/// `envoy.data.accesslog.v3.ResponseFlags` as a set of field numbers. `unauthorized_details`, the one field
/// that is a message, is in the set when it is present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ResponseFlags(u64);

impl Merge<'_> for ResponseFlags {
    #[inline]
    fn merge(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let mut fields = Fields::new(bytes);
        while let Some(key) = fields.key()? {
            match key {
                UNAUTHORIZED_DETAILS => {
                    fields.bytes()?;
                    self.set(key, true);
                }
                _ if is_flag(key) => {
                    let value = fields.boolean()?;
                    self.set(key, value);
                }
                _ => fields.skip_unknown(key, LAST_KNOWN_FIELD)?,
            }
        }
        Ok(())
    }
}

impl ResponseFlags {
    #[inline]
    fn set(&mut self, key: u32, value: bool) {
        let bit = field_number(key);
        self.0 = self.0 & !(1 << bit) | u64::from(value) << bit;
    }

    /// Whether no flag is set.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The set as a number: bit n stands for the field with number n.
    #[inline]
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Whether the field with this number is set.
    #[inline]
    pub fn contains(self, field_number: u32) -> bool {
        self.0.checked_shr(field_number).is_some_and(|bits| bits & 1 == 1)
    }

    /// Envoy's short names of the flags that are set, such as `UH` and `URX`, in the order of their field
    /// numbers.
    pub fn short_codes(self) -> impl Iterator<Item = &'static str> {
        SHORT_CODES
            .into_iter()
            .filter(move |&(number, _)| self.contains(number))
            .map(|(_, code)| code)
    }
}

/// Whether the key is that of a `bool` field.
const fn is_flag(key: u32) -> bool {
    let number = field_number(key);
    key == varint(number)
        && number >= 1
        && number <= LAST_KNOWN_FIELD
        && number != UNAUTHORIZED_DETAILS_NUMBER
}
