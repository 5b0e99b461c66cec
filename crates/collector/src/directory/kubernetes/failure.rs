//! The reasons why a list or a watch failed, and what to do about each.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use kube::core::Status;

/// The longest part of the API server's message that is shown, in characters.
const MAX_SHOWN_CHARACTERS: usize = 300;
/// The reason with which an API server refuses a version that it has yet to reach, because its store
/// was restored from a backup.
const RESOURCE_VERSION_TOO_LARGE: &str = "ResourceVersionTooLarge";

/// The verb of a request, as Kubernetes RBAC names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    List,
    Watch,
}

impl fmt::Display for Verb {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Verb::List => "list",
            Verb::Watch => "watch",
        })
    }
}

/// The reason why a list or a watch failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum WatchFailure {
    /// The collector may not read the resource (403).
    #[error("the API server refuses the request (403: {0}); give the collector's service account this right")]
    Refused(String),
    /// The API server does not know the resource (404).
    #[error(
        "the API server does not know the resource (404: {0}); check that directory.kubernetes leads to the right one"
    )]
    Absent(String),
    /// The list must begin anew, because the API server has forgotten the version to go on
    /// from, or never knew it.
    #[error("the API server can't go on from the last known version ({0}); all objects are listed anew")]
    Expired(String),
    /// The API server does not accept the credentials (401).
    #[error("the API server does not accept the credentials (401: {0}); renew them")]
    Unknown(String),
    /// The API server answers with another error status.
    #[error("the API server answers with status {0}: {1}; look at its log")]
    Answered(u16, String),
    /// No answer came, or only a part of one.
    #[error("the API server can't be reached: {0}; look at its address, the network and the credentials")]
    Unreachable(String),
    /// No answer came in time.
    #[error("the API server sent nothing for {} s; check whether it hangs", .0.as_secs())]
    Silent(Duration),
    /// The watch ended too soon to have been of use.
    #[error("the API server ended the watch after {} ms; check the proxies between it and the collector", .0.as_millis())]
    Ended(Duration),
    /// The answer does not come from a Kubernetes API server.
    #[error(
        "the answer does not come from a Kubernetes API server; check that directory.kubernetes leads to one"
    )]
    Unreadable,
}

impl From<kube::Error> for WatchFailure {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::from(*status),
            // The answer may hold secrets, so the error does not show it.
            kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => WatchFailure::Unreadable,
            error => WatchFailure::Unreachable(shown(&with_causes(&error))),
        }
    }
}

impl From<Status> for WatchFailure {
    fn from(status: Status) -> Self {
        let message = shown(&status.message);
        let mut causes = status.details.iter().flat_map(|details| &details.causes);
        let is_expired = causes.any(|cause| cause.reason == RESOURCE_VERSION_TOO_LARGE);
        match status.code {
            _ if is_expired => WatchFailure::Expired(message),
            400 | 410 => WatchFailure::Expired(message),
            401 => WatchFailure::Unknown(message),
            403 => WatchFailure::Refused(message),
            404 => WatchFailure::Absent(message),
            code => WatchFailure::Answered(code, message),
        }
    }
}

/// Returns an error's text followed by those of its causes, each only once.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

fn shown(message: &str) -> String {
    message.chars().take(MAX_SHOWN_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use std::io;

    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn api(status: Value) -> kube::Error {
        kube::Error::Api(serde_json::from_value(status).unwrap())
    }

    fn service() -> kube::Error {
        kube::Error::Service(io::Error::other(io::Error::other("nobody listens")).into())
    }

    fn serde() -> kube::Error {
        kube::Error::SerdeError(serde_json::from_str::<u8>("\"secret\"").unwrap_err())
    }

    #[rstest]
    #[case::refused(api(json!({"code": 403, "message": "no"})), "refuses the request (403: no); give the collector's service account this right")]
    #[case::absent(api(json!({"code": 404, "message": "no"})), "does not know the resource (404: no); ")]
    #[case::unknown(api(json!({"code": 401, "message": "no"})), "does not accept the credentials (401: no); renew them")]
    #[case::expired(api(json!({"code": 410, "message": "old"})), "can't go on from the last known version (old); ")]
    #[case::no_version(api(json!({"code": 400, "message": "odd"})), "can't go on from the last known version (odd); ")]
    #[case::of_the_future(
        api(json!({"code": 504, "message": "new", "details": {"causes": [{"reason": "ResourceVersionTooLarge"}]}})),
        "can't go on from the last known version (new); "
    )]
    #[case::out_of_time(api(json!({"code": 504, "message": "slow"})), "answers with status 504: slow; look at its log")]
    #[case::unreachable(service(), "can't be reached: ServiceError: nobody listens; look at ")]
    fn a_failure_says_what_is_wrong_and_what_to_do(#[case] error: kube::Error, #[case] expected: &str) {
        let said = WatchFailure::from(error).to_string();
        let said = said.strip_prefix("the API server ").unwrap();
        assert!(said.starts_with(expected), "{said}");
    }

    #[test]
    fn what_cannot_be_read_is_not_shown() {
        let said = WatchFailure::from(serde()).to_string();
        assert_eq!(
            said,
            "the answer does not come from a Kubernetes API server; check that directory.kubernetes leads to one"
        );
    }

    #[test]
    fn a_long_message_is_cut() {
        let message = "é".repeat(1000);
        let WatchFailure::Answered(500, shown) =
            WatchFailure::from(api(json!({"code": 500, "message": message})))
        else {
            panic!("no answer")
        };
        assert_eq!(shown, "é".repeat(300));
    }
}
