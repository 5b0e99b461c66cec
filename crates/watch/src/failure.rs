//! The reasons why a list or a watch fails.

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
pub enum Verb {
    /// A list of all objects.
    List,
    /// A watch of the changes after a list.
    Watch,
}

impl Verb {
    /// Returns the name in RBAC.
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::List => "list",
            Verb::Watch => "watch",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The reason why a list or a watch failed. The text says what happened; what to do depends on the program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WatchFailure {
    /// The program may not read the resource (403).
    #[error("the API server refuses the request (403: {0})")]
    Refused(String),
    /// The API server does not serve the resource (404).
    #[error("the API server does not know the resource (404: {0})")]
    Absent(String),
    /// The list must begin anew, because the API server has forgotten the version to go on
    /// from, or never knew it.
    #[error("the API server can't go on from the last known version ({0})")]
    Expired(String),
    /// The API server does not accept the credentials (401).
    #[error("the API server does not accept the credentials (401: {0})")]
    Unauthorized(String),
    /// The API server answers with another error status.
    #[error("the API server answers with status {0}: {1}")]
    Answered(u16, String),
    /// No answer came, or only a part of one.
    #[error("the API server can't be reached: {0}")]
    Unreachable(String),
    /// No answer came in time.
    #[error("the API server sent nothing for {} s", .0.as_secs())]
    Silent(Duration),
    /// The watch ended too soon to have been of use.
    #[error("the API server ended the watch after {} ms", .0.as_millis())]
    Ended(Duration),
    /// The answer does not come from a Kubernetes API server.
    #[error("the answer does not come from a Kubernetes API server")]
    Unreadable,
}

impl From<kube::Error> for WatchFailure {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::from(*status),
            // The answer may hold secrets, so the error does not show it.
            kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => WatchFailure::Unreadable,
            error => WatchFailure::Unreachable(shown(&error_text(&error))),
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
            401 => WatchFailure::Unauthorized(message),
            403 => WatchFailure::Refused(message),
            404 => WatchFailure::Absent(message),
            code => WatchFailure::Answered(code, message),
        }
    }
}

/// Returns an error's text followed by those of its causes, each only once.
fn error_text(error: &dyn Error) -> String {
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
    #[case::refused(api(json!({"code": 403, "message": "no"})), "the API server refuses the request (403: no)")]
    #[case::absent(api(json!({"code": 404, "message": "no"})), "the API server does not know the resource (404: no)")]
    #[case::unauthorized(
        api(json!({"code": 401, "message": "no"})),
        "the API server does not accept the credentials (401: no)"
    )]
    #[case::expired(
        api(json!({"code": 410, "message": "old"})),
        "the API server can't go on from the last known version (old)"
    )]
    #[case::no_version(
        api(json!({"code": 400, "message": "odd"})),
        "the API server can't go on from the last known version (odd)"
    )]
    #[case::of_the_future(
        api(json!({"code": 504, "message": "new", "details": {"causes": [{"reason": "ResourceVersionTooLarge"}]}})),
        "the API server can't go on from the last known version (new)"
    )]
    #[case::out_of_time(api(json!({"code": 504, "message": "slow"})), "the API server answers with status 504: slow")]
    #[case::unreachable(service(), "the API server can't be reached: ServiceError: nobody listens")]
    #[case::unreadable(serde(), "the answer does not come from a Kubernetes API server")]
    fn a_failure_says_what_is_wrong_and_shows_no_secret(#[case] error: kube::Error, #[case] expected: &str) {
        assert_eq!(WatchFailure::from(error).to_string(), expected);
    }

    #[test]
    fn a_long_message_is_cut() {
        let message = "é".repeat(1000);
        let failure = WatchFailure::from(api(json!({"code": 500, "message": message})));
        assert_eq!(failure, WatchFailure::Answered(500, "é".repeat(300)));
    }
}
