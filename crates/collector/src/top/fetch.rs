//! The topology from a collector's web port.

use std::time::Duration;

use ureq::http::Uri;

use crate::topology::Topology;

/// Short enough that a hanging collector does not make the keyboard feel dead.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why there is no topology.
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
    /// Somebody answered, but not as a collector's web port does.
    #[error("{url} answered with status {status}; check that it is a collector's web port, by default 8080")]
    Status {
        /// The collector's address.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The answer is no topology.
    #[error(
        "{url} answered with something else than a topology; use a collector and a top of the same version"
    )]
    NotTopology {
        /// The collector's address.
        url: String,
        /// What is wrong with the answer.
        source: Box<ureq::Error>,
    },
}

/// A collector's web port.
#[derive(Debug)]
pub(super) struct Collector {
    agent: ureq::Agent,
    url: String,
}

impl Collector {
    pub(super) fn at(address: &str) -> Result<Self, FetchError> {
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
            .timeout_global(Some(PATIENCE))
            .proxy(None)
            .build();
        Ok(Self {
            agent: config.into(),
            url: url.to_owned(),
        })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn topology(&self) -> Result<Topology, FetchError> {
        let url = self.url.clone();
        let answer = self.agent.get(format!("{url}/api/v1/topology?window=60s")).call();
        match answer.and_then(|mut response| response.body_mut().read_json()) {
            Ok(topology) => Ok(topology),
            Err(ureq::Error::StatusCode(status)) => Err(FetchError::Status { url, status }),
            Err(source @ ureq::Error::Json(_)) => Err(FetchError::NotTopology {
                url,
                source: Box::new(source),
            }),
            Err(ureq::Error::Io(problem)) => Err(FetchError::Unreachable {
                url,
                problem: problem.to_string(),
            }),
            Err(problem) => Err(FetchError::Unreachable {
                url,
                problem: problem.to_string(),
            }),
        }
    }
}
