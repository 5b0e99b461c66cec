//! The HTTP services: productpage, details, reviews and ratings.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use http::{HeaderMap, HeaderName, StatusCode};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::client::{self, CallError, Client, Endpoint};
use crate::echo;
use crate::failure::{self, Failure, NotAFailure, ServiceName};
use crate::shutdown::Shutdown;
use crate::tally::Tally;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The service to play
    #[arg(long, env = "BOOKINFO_SERVICE")]
    service: ServiceName,
    /// Its version, named in every answer
    #[arg(long, env = "BOOKINFO_VERSION", default_value = "v1")]
    version: String,
    /// Address to listen on; port 0 picks a free one and prints it
    #[arg(
        long,
        env = "BOOKINFO_LISTEN",
        default_value = "0.0.0.0:9080",
        value_name = "IP:PORT"
    )]
    listen: SocketAddr,
    /// productpage: the address of details
    #[arg(long, env = "BOOKINFO_DETAILS", value_name = "URL")]
    details: Option<Endpoint>,
    /// productpage: the address of reviews; of several, request N goes to the one at N mod count
    #[arg(long, env = "BOOKINFO_REVIEWS", value_name = "URL", value_delimiter = ',')]
    reviews: Vec<Endpoint>,
    /// reviews: the address of ratings; without it ratings is not called, as in v1
    #[arg(long, env = "BOOKINFO_RATINGS", value_name = "URL")]
    ratings: Option<Endpoint>,
    /// ratings: the address of the TCP service; without it no connection is opened
    #[arg(long, env = "BOOKINFO_TCP", value_name = "HOST:PORT")]
    tcp: Option<String>,
    #[command(flatten)]
    origin: client::Origin,
}

/// A service and whom it calls.
#[derive(Debug)]
enum Role {
    Productpage {
        details: Endpoint,
        reviews: Vec<Endpoint>,
    },
    Details,
    Reviews {
        ratings: Option<Endpoint>,
    },
    Ratings {
        tcp: Option<String>,
    },
}

/// One call that a request causes.
#[derive(Debug, PartialEq, Eq)]
enum Call<'a> {
    Http { to: &'a Endpoint, path: String },
    Tcp { to: &'a str, line: String },
}

/// What every service answers, failed or not.
#[derive(Debug, Serialize)]
struct Page<'a> {
    service: String,
    version: &'a str,
    id: u64,
    /// The answers of the services called, in the order of the calls.
    calls: Vec<Value>,
}

#[derive(Debug)]
struct Service {
    name: ServiceName,
    version: String,
    role: Role,
    client: Client,
    source_address: Option<IpAddr>,
    tally: Mutex<Tally>,
}

#[derive(Debug, Deserialize)]
struct Product {
    #[serde(default)]
    id: u64,
}

/// Serves until the process is asked to end, then prints what was answered.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let mut shutdown = Shutdown::listen()?;
    let listener = echo::listen(options.listen).await?;
    let service = Arc::new(Service::new(options)?);
    println!(
        "{} {} listening on {}",
        service.name,
        service.version,
        listener.local_addr()?
    );
    axum::serve(listener, router(&service))
        .with_graceful_shutdown(async move { shutdown.asked().await })
        .await
        .context("the server stopped; start it again")?;
    println!("{}", serde_json::to_string(&*service.tally.lock())?);
    Ok(())
}

fn router(service: &Arc<Service>) -> Router {
    let pages = match service.name {
        ServiceName::Productpage => Router::new().route("/productpage", get(product_page)),
        ServiceName::Details => Router::new().route("/details/{id}", get(page)),
        ServiceName::Reviews => Router::new().route("/reviews/{id}", get(page)),
        ServiceName::Ratings => Router::new().route("/ratings/{id}", get(page)),
    };
    pages
        .route("/healthz", get(|| async { "ok" }))
        .with_state(Arc::clone(service))
}

async fn product_page(state: State<Arc<Service>>, product: Query<Product>, headers: HeaderMap) -> Response {
    page(state, Path(product.id), headers).await
}

async fn page(State(service): State<Arc<Service>>, Path(id): Path<u64>, headers: HeaderMap) -> Response {
    let failure = headers.get(failure::HEADER).map(|value| {
        value
            .to_str()
            .map_err(|_| NotAFailure)
            .and_then(str::parse::<Failure>)
    });
    let failure = match failure.transpose() {
        Ok(failure) => failure,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    let failure = failure.filter(|failure| failure.service == service.name);
    service.tally.lock().count_request(failure.is_some());
    let (status, calls) = match failure {
        Some(failure) => (failure.status, Vec::new()),
        None => service.call_everyone(id, &headers).await,
    };
    service.tally.lock().count_answer(status.as_u16());
    let page = Page {
        service: service.name.to_string(),
        version: &service.version,
        id,
        calls,
    };
    (status, Json(page)).into_response()
}

impl Service {
    fn new(options: Options) -> anyhow::Result<Self> {
        let role = match options.service {
            ServiceName::Productpage => match (options.details, options.reviews) {
                (Some(details), reviews) if !reviews.is_empty() => Role::Productpage { details, reviews },
                _ => bail!("productpage calls details and reviews; give it --details URL and --reviews URL"),
            },
            ServiceName::Details => Role::Details,
            ServiceName::Reviews => Role::Reviews {
                ratings: options.ratings,
            },
            ServiceName::Ratings => Role::Ratings { tcp: options.tcp },
        };
        Ok(Self {
            name: options.service,
            version: options.version,
            role,
            client: Client::new(&options.origin),
            source_address: options.origin.source_address,
            tally: Mutex::default(),
        })
    }

    /// Makes every call of the role; the first that failed decides the status.
    async fn call_everyone(&self, id: u64, headers: &HeaderMap) -> (StatusCode, Vec<Value>) {
        let mut status = StatusCode::OK;
        let mut answers = Vec::new();
        for call in self.role.calls(id) {
            let (answered, answer) = match self.make(&call, headers).await {
                Ok(answer) => answer,
                Err(error) => {
                    eprintln!(
                        "bookinfo: {} {id} {call:?}: {:#}",
                        self.name,
                        anyhow::Error::from(error)
                    );
                    (StatusCode::BAD_GATEWAY, Value::Null)
                }
            };
            if status.is_success() {
                status = answered;
            }
            answers.push(answer);
        }
        (status, answers)
    }

    async fn make(&self, call: &Call<'_>, headers: &HeaderMap) -> Result<(StatusCode, Value), CallError> {
        match call {
            Call::Tcp { to, line } => {
                client::echo(to, self.source_address, line).await?;
                Ok((StatusCode::OK, Value::from(line.trim_end())))
            }
            Call::Http { to, path } => {
                let answer = self.client.get(to, path, handed_on(headers)).await?;
                // A proxy's own answer is plain text.
                let body = serde_json::from_slice(&answer.body)
                    .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&answer.body)));
                Ok((answer.status, body))
            }
        }
    }
}

impl Role {
    /// The calls that request `id` causes, in their order.
    fn calls(&self, id: u64) -> Vec<Call<'_>> {
        let http = |to, service| Call::Http {
            to,
            path: format!("/{service}/{id}"),
        };
        match self {
            Self::Productpage { details, reviews } => {
                let picked = reviews.get(id as usize % reviews.len().max(1));
                let reviews = picked.map(|reviews| http(reviews, ServiceName::Reviews));
                [http(details, ServiceName::Details)]
                    .into_iter()
                    .chain(reviews)
                    .collect()
            }
            Self::Details => Vec::new(),
            Self::Reviews { ratings } => ratings.iter().map(|to| http(to, ServiceName::Ratings)).collect(),
            Self::Ratings { tcp } => tcp
                .iter()
                .map(|to| Call::Tcp {
                    to,
                    line: format!("rating {id}\n"),
                })
                .collect(),
        }
    }
}

/// The headers that a service copies from the request it got to those it sends.
fn handed_on(received: &HeaderMap) -> HeaderMap {
    let keep = [failure::HEADER, REQUEST_ID];
    keep.into_iter()
        .filter_map(|name| received.get(&name).cloned().map(|value| (name, value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn endpoint(name: &str) -> Endpoint {
        format!("http://{name}:9080").parse().unwrap()
    }

    fn called(role: &Role, id: u64) -> Vec<String> {
        role.calls(id).iter().map(|call| format!("{call:?}")).collect()
    }

    #[rstest]
    #[case(0, "reviews-v1")]
    #[case(1, "reviews-v2")]
    #[case(2, "reviews-v3")]
    #[case(3, "reviews-v1")]
    #[case(u64::MAX, "reviews-v1")]
    fn product_n_goes_to_reviews_n_mod_3(#[case] id: u64, #[case] picked: &str) {
        let reviews = ["reviews-v1", "reviews-v2", "reviews-v3"].map(endpoint).to_vec();
        let role = Role::Productpage {
            details: endpoint("details"),
            reviews,
        };
        let (details, reviews) = (endpoint("details"), endpoint(picked));
        assert_eq!(
            role.calls(id),
            [
                Call::Http {
                    to: &details,
                    path: format!("/details/{id}")
                },
                Call::Http {
                    to: &reviews,
                    path: format!("/reviews/{id}")
                },
            ]
        );
    }

    #[test]
    fn details_and_reviews_without_ratings_call_nobody() {
        assert_eq!(called(&Role::Details, 7), Vec::<String>::new());
        assert_eq!(called(&Role::Reviews { ratings: None }, 7), Vec::<String>::new());
    }

    #[test]
    fn ratings_opens_one_connection() {
        let role = Role::Ratings {
            tcp: Some("mongodb:27017".to_owned()),
        };
        assert_eq!(
            role.calls(7),
            [Call::Tcp {
                to: "mongodb:27017",
                line: "rating 7\n".to_owned()
            }]
        );
    }
}
