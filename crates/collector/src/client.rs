//! The API of a running collector, as commands ask for it.

use std::time::Duration;

use serde::de::DeserializeOwned;
use ureq::http::{StatusCode, Uri, header};

/// Short enough that a hanging collector does not make the keyboard feel dead.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The address is none.
    #[error("`{url}` is not the address of a collector; write it like http://127.0.0.1:8080")]
    Address {
        /// The address as written.
        url: String,
    },
    /// Nobody answered.
    #[error(
        "cannot reach the collector at {url} ({problem}); check that it runs, and for one in a cluster run kubectl port-forward \
         --namespace alscope-system deployment/alscope-collector 8080:8080"
    )]
    Unreachable {
        /// The collector's address.
        url: String,
        /// What went wrong on the way; inside the sentence, because a command to copy ends it.
        problem: String,
    },
    /// The collector says what is wrong with the question.
    #[error("{0}")]
    Refused(String),
    /// Somebody answered, but not as a collector's web port does.
    #[error("{url} answered with status {status}; check that it is a collector's web port, by default 8080")]
    Status {
        /// The collector's address.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The answer is another one than was asked for.
    #[error(
        "{url} answered with something else than was asked for; use a collector and a command of the same version"
    )]
    Other {
        /// The collector's address.
        url: String,
        /// What is wrong with the answer.
        source: Box<ureq::Error>,
    },
}

/// A collector's web port.
#[derive(Debug)]
pub struct Collector {
    agent: ureq::Agent,
    url: String,
}

impl Collector {
    /// The collector whose web port is at `address`.
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

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it answers to `path` with a query.
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
