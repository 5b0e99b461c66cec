//! A client of a running collector's API, for the commands `top` and `why`.

use std::time::Duration;

use serde::de::DeserializeOwned;
use ureq::http::{StatusCode, Uri, header};

/// The time after which a request fails. It is short, so that a hanging collector does not
/// make the keyboard feel dead.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// The errors of a request to a collector's API.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The text is not an address.
    #[error("`{url}` is not the address of a collector; write it like http://127.0.0.1:8080")]
    Address {
        /// The address as the user wrote it.
        url: String,
    },
    /// No collector answers at the address.
    #[error(
        "cannot reach the collector at {url} ({problem}); check that it runs, and for one in a cluster run kubectl port-forward \
         --namespace alscope-system deployment/alscope-collector 8080:8080"
    )]
    Unreachable {
        /// The collector's address.
        url: String,
        /// The connection's error. It stands inside the sentence, because a command to copy ends it.
        problem: String,
    },
    /// The collector refuses the question; the text is its answer, which says what is wrong.
    #[error("{0}")]
    Refused(String),
    /// Something answers, but not as a collector's web port does.
    #[error("{url} answered with status {status}; check that it is a collector's web port, by default 8080")]
    Status {
        /// The collector's address.
        url: String,
        /// The HTTP status of the answer.
        status: u16,
    },
    /// The answer does not have the form that this command expects.
    #[error("{url} answered in an unexpected form; use a collector and a command of the same version")]
    Other {
        /// The collector's address.
        url: String,
        /// The parser's error.
        source: Box<ureq::Error>,
    },
}

/// A collector's web port, with the client that talks to it.
#[derive(Debug)]
pub struct Collector {
    agent: ureq::Agent,
    url: String,
}

impl Collector {
    /// Connects to no one yet; checks that `address` is a web address.
    pub fn at(address: &str) -> Result<Self, FetchError> {
        let url = address.trim_end_matches('/');
        let is_http =
            |uri: Uri| uri.scheme_str() == Some("http") && uri.host().is_some_and(|host| !host.is_empty());
        if !url.parse::<Uri>().is_ok_and(is_http) {
            return Err(FetchError::Address {
                url: address.to_owned(),
            });
        }
        // A collector is on this machine or behind a port-forward; a proxy of the environment would not find it.
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(REQUEST_TIMEOUT))
            .http_status_as_error(false)
            .proxy(None)
            .build();
        Ok(Self {
            agent: config.into(),
            url: url.to_owned(),
        })
    }

    /// The collector's web address, as error messages show it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sends a GET request for `path` with the query and parses the JSON answer.
    pub fn get<Answer: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Answer, FetchError> {
        let url = self.url.clone();
        let unreachable = |problem: ureq::Error| FetchError::Unreachable {
            url: self.url.clone(),
            problem: match problem {
                ureq::Error::Io(problem) => problem.to_string(),
                problem => problem.to_string(),
            },
        };
        let request = self.agent.get(format!("{url}{path}"));
        let mut response = request
            .query_pairs(query.iter().copied())
            .call()
            .map_err(unreachable)?;
        if response.status() != StatusCode::OK {
            let status = response.status().as_u16();
            let content_type = response.headers().get(header::CONTENT_TYPE);
            let is_sentence = content_type.is_some_and(|value| value.as_bytes().starts_with(b"text/plain"));
            return match response.body_mut().read_to_string() {
                Ok(sentence) if is_sentence => Err(FetchError::Refused(sentence.trim_end().to_owned())),
                _ => Err(FetchError::Status { url, status }),
            };
        }
        match response.body_mut().read_json() {
            Err(source @ ureq::Error::Json(_)) => Err(FetchError::Other {
                url,
                source: Box::new(source),
            }),
            answer => answer.map_err(unreachable),
        }
    }
}
