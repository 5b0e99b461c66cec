//! Judges calls: the one definition of success, client error, failure and unknown. The page, `top`, the API, JSON lines
//! and what `persistence` keeps use it, and the recording rules in `deploy/prometheus` say the same in `PromQL`; so does every
//! exporter.
//!
//! The first row that holds decides. [`FLAG_MEANINGS`] says what a response flag tells.
//!
//! | HTTP and gRPC | verdict | why |
//! |---|---|---|
//! | code 101 | success | the connection was upgraded; how it ended is no answer |
//! | code 500 and more | failed | |
//! | code 400 to 499 | client error | the caller was answered that it asked for the wrong thing. Envoy's own 408 means that the caller did not send its request in time; if it did, Envoy says 504 |
//! | a flag of [`FlagMeaning::Refused`] | client error | Envoy answers a gRPC request that it refuses with 200, and translates the code to a gRPC status that would say otherwise (404 to `UNIMPLEMENTED`) |
//! | code 0 | failed | nobody answered, also where the caller went away (`DC`): a service that hangs shows as nothing else, because its callers give up first |
//! | gRPC with a status | by the status, [`of_grpc_status`] | |
//! | a flag of [`FlagMeaning::Undelivered`] or [`FlagMeaning::Cut`] | failed | Envoy answers a gRPC request that it can't deliver with 200, and a code of 200 is sent before its body is complete |
//! | gRPC without a status, a flag of [`FlagMeaning::CallerLeft`] | client error | gRPC's own name for it is `CANCELLED` |
//! | gRPC without a status | unknown | Istio's mesh-config logger never logs the status |
//! | any other | success | |
//!
//! A long-lived request ([`super::long_lived`]) was accepted and is a success, whatever ended it. For a TCP connection only one
//! thing is known, whether it was delivered:
//!
//! | TCP | verdict |
//! |---|---|
//! | a flag of [`FlagMeaning::Undelivered`] | failed |
//! | a flag of [`FlagMeaning::Refused`] | client error |
//! | any other | success: either side may end a connection |
//!
//! 404 `NR` is a client error, also at a gateway: strangers ask a gateway for anything, and that should wake nobody. A route that
//! is missing by mistake shows in the share of client errors.

use als_proto::ResponseFlags;

use super::measure::HttpMeasure;
use super::protocol::Protocol;

/// The part of a series' labels that says how a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The protocol, for gRPC with its status.
    pub protocol: Protocol,
    /// The response code; 0 for TCP.
    pub code: u32,
    /// Envoy's `response_flags`.
    pub flags: ResponseFlags,
}

/// The judgement on a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It was answered, or a connection was carried to its end.
    Success,
    /// It was refused because of what its caller did. This is counted apart from failures.
    ClientError,
    /// The service failed, or nobody answered.
    Failed,
    /// It is not known. Shares of the other verdicts are shares of what is known.
    Unknown,
}

impl Verdict {
    /// The verdict on the calls of a series. Long-lived ones among them are a success.
    pub fn of(outcome: Outcome) -> Self {
        let Outcome {
            protocol,
            code,
            flags,
        } = outcome;
        match (protocol, code) {
            (Protocol::Tcp, _) => Self::of_connection(flags),
            (_, 101) => Verdict::Success,
            (_, 500..) => Verdict::Failed,
            (_, 400..=499) => Verdict::ClientError,
            _ if has_any(flags, REFUSED_FLAGS) => Verdict::ClientError,
            (_, 0) => Verdict::Failed,
            (Protocol::Grpc(status), _) => of_grpc_status(status),
            _ if has_any(flags, UNDELIVERED_FLAGS | CUT_FLAGS) => Verdict::Failed,
            (Protocol::GrpcUnknown, _) if has_any(flags, CALLER_LEFT_FLAGS) => Verdict::ClientError,
            (Protocol::GrpcUnknown, _) => Verdict::Unknown,
            (Protocol::Http, _) => Verdict::Success,
        }
    }

    /// The verdict on one request.
    #[inline]
    pub fn of_request(measure: &HttpMeasure) -> Self {
        if measure.is_long_lived {
            return Verdict::Success;
        }
        Self::of(Outcome {
            protocol: measure.protocol,
            code: measure.code,
            flags: measure.flags,
        })
    }

    fn of_connection(flags: ResponseFlags) -> Self {
        if has_any(flags, UNDELIVERED_FLAGS) {
            Verdict::Failed
        } else if has_any(flags, REFUSED_FLAGS) {
            Verdict::ClientError
        } else {
            Verdict::Success
        }
    }

    /// The verdict as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Success => "success",
            Verdict::ClientError => "client-error",
            Verdict::Failed => "failed",
            Verdict::Unknown => "unknown",
        }
    }
}

/// The verdict on a gRPC status, as `OpenTelemetry`'s semantic conventions have it for servers: `UNKNOWN`, `DEADLINE_EXCEEDED`,
/// `UNIMPLEMENTED`, `INTERNAL`, `UNAVAILABLE` and `DATA_LOSS` are the server's fault. So is a number that is no status of gRPC,
/// because its libraries turn that into `UNKNOWN`.
pub fn of_grpc_status(status: u8) -> Verdict {
    match status {
        0 => Verdict::Success,
        // CANCELLED, INVALID_ARGUMENT, NOT_FOUND to OUT_OF_RANGE, UNAUTHENTICATED.
        1 | 3 | 5..=11 | 16 => Verdict::ClientError,
        2 | 4 | 12..=15 | 17.. => Verdict::Failed,
    }
}

/// Whether anybody answered the calls of a series; for TCP, whether they were delivered.
pub fn is_answered(outcome: Outcome) -> bool {
    let Outcome {
        protocol,
        code,
        flags,
    } = outcome;
    match (protocol, code) {
        (Protocol::Tcp, _) => !has_any(flags, UNDELIVERED_FLAGS | REFUSED_FLAGS),
        (_, 101) => true,
        (_, 0) => false,
        _ => !has_any(
            flags,
            UNDELIVERED_FLAGS | CUT_FLAGS | REFUSED_FLAGS | CALLER_LEFT_FLAGS,
        ),
    }
}

/// What a response flag says about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagMeaning {
    /// Envoy reached no upstream, or answered in place of the service.
    Undelivered,
    /// The call ended before its answer was complete.
    Cut,
    /// Envoy refused the call for what its caller sent or who its caller is.
    Refused,
    /// The caller went away before the answer was complete.
    CallerLeft,
    /// Nothing about how the call ended.
    Nothing,
}

/// The meaning of every flag, by the number of its field in `envoy.data.accesslog.v3.ResponseFlags` (Envoy's documentation of
/// `%RESPONSE_FLAGS%`, and where its sources set them). `DO` and `UDO`, for overload, have no field; the code 503 says it.
pub const FLAG_MEANINGS: [(u32, FlagMeaning); 28] = [
    (1, FlagMeaning::Undelivered), // LH: 503, because this Envoy failed its own health check
    (2, FlagMeaning::Undelivered), // UH: 503, no healthy host
    (3, FlagMeaning::Cut),         // UT: 504, the upstream took too long
    (4, FlagMeaning::Cut),         // LR: reset by Envoy
    (5, FlagMeaning::Cut),         // UR: reset by the upstream
    (6, FlagMeaning::Undelivered), // UF: 503, no connection to the upstream
    (7, FlagMeaning::Cut),         // UC: the upstream closed the connection
    (8, FlagMeaning::Undelivered), // UO: 503, circuit breaker
    (9, FlagMeaning::Refused),     // NR: 404, no route; of a connection no filter chain
    (10, FlagMeaning::Nothing),    // DI: delayed on purpose, then carried on
    (11, FlagMeaning::Undelivered), // FI: aborted on purpose
    (12, FlagMeaning::Refused),    // RL: 429, rate limit
    (13, FlagMeaning::Refused),    // UAEX: 403, external authorization
    (14, FlagMeaning::Nothing),    // RLSE: the rate limit service failed; 500 tells where that stops requests
    (15, FlagMeaning::CallerLeft), // DC: the caller closed the connection
    (16, FlagMeaning::Undelivered), // URX: the last of several attempts failed
    (17, FlagMeaning::Cut),        // SI: no byte for too long; 504, or 408 if the request was not complete
    (18, FlagMeaning::Refused),    // IH: 400, a header that Envoy takes for its own has no good value
    (19, FlagMeaning::Refused),    // DPE: 400 or a reset, the caller spoke no proper HTTP
    (20, FlagMeaning::Cut), // UMSDR: longer than a node may last; 504, or 408 if the request was not complete
    (21, FlagMeaning::Nothing), // RFCF: answered out of the cache, with the answer of the service
    (22, FlagMeaning::Undelivered), // NFCF: 500, a filter has no configuration yet
    (23, FlagMeaning::Cut), // DT: longer than a connection may last
    (24, FlagMeaning::Cut), // UPE: 502, the upstream spoke no proper HTTP
    (25, FlagMeaning::Undelivered), // NC: 503, the route's cluster does not exist
    (26, FlagMeaning::Undelivered), // OM: 503, this Envoy is overloaded
    (27, FlagMeaning::Undelivered), // DF: 503, the upstream's name did not resolve
    (28, FlagMeaning::CallerLeft), // DR: the caller reset the node
];

const UNDELIVERED_FLAGS: u64 = flags_meaning(FlagMeaning::Undelivered);
const CUT_FLAGS: u64 = flags_meaning(FlagMeaning::Cut);
const REFUSED_FLAGS: u64 = flags_meaning(FlagMeaning::Refused);
const CALLER_LEFT_FLAGS: u64 = flags_meaning(FlagMeaning::CallerLeft);

/// The set of flags with this meaning: bit n is the field with number n.
const fn flags_meaning(what: FlagMeaning) -> u64 {
    let (mut bits, mut rest): (u64, &[(u32, FlagMeaning)]) = (0, &FLAG_MEANINGS);
    while let [(number, tells), tail @ ..] = rest {
        if *tells as u8 == what as u8 {
            bits |= 1 << *number;
        }
        rest = tail;
    }
    bits
}

#[inline]
fn has_any(flags: ResponseFlags, bits: u64) -> bool {
    flags.bits() & bits != 0
}

#[cfg(test)]
mod tests;
