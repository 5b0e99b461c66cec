//! Failures that a request asks for.

use std::fmt;
use std::str::FromStr;

use http::{HeaderName, StatusCode};

/// The header that carries a [`Failure`] from the generator down to the service it names.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-bookinfo-fail");

/// One of the HTTP services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ServiceName {
    Productpage,
    Details,
    Reviews,
    Ratings,
}

impl fmt::Display for ServiceName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Productpage => "productpage",
            Self::Details => "details",
            Self::Reviews => "reviews",
            Self::Ratings => "ratings",
        })
    }
}

/// "This service answers with this status", written `SERVICE=STATUS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) service: ServiceName,
    pub(crate) status: StatusCode,
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}={}", self.service, self.status.as_u16())
    }
}

/// The text is not `SERVICE=STATUS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a failure is SERVICE=STATUS with a status from 400 to 599; write for example ratings=503, with one of the \
     services productpage, details, reviews and ratings"
)]
pub(crate) struct NotAFailure;

impl FromStr for Failure {
    type Err = NotAFailure;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (service, status) = text.split_once('=').ok_or(NotAFailure)?;
        let service = <ServiceName as clap::ValueEnum>::from_str(service, false).map_err(|_| NotAFailure)?;
        let status = status.parse::<StatusCode>().map_err(|_| NotAFailure)?;
        if status.is_client_error() || status.is_server_error() {
            Ok(Self { service, status })
        } else {
            Err(NotAFailure)
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn a_failure_reads_what_it_writes() {
        let failure = Failure {
            service: ServiceName::Ratings,
            status: StatusCode::SERVICE_UNAVAILABLE,
        };
        assert_eq!(failure.to_string(), "ratings=503");
        assert_eq!("ratings=503".parse(), Ok(failure));
    }

    #[rstest]
    #[case::no_status("ratings")]
    #[case::unknown_service("mongodb=503")]
    #[case::not_a_failing_status("ratings=200")]
    #[case::not_a_number("ratings=many")]
    #[case::empty("")]
    fn anything_else_is_refused(#[case] text: &str) {
        assert_eq!(text.parse::<Failure>(), Err(NotAFailure));
    }
}
