//! The answer to a stream: an empty message if all of it was read, otherwise a gRPC status whose
//! message says what to do.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::{Body, Frame};

use super::encoding::ACCEPTED;
use super::method::METHODS;

/// The reasons for which a stream is answered with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The request is not gRPC.
    NotGrpc,
    /// The port does not serve the method.
    UnknownMethod,
    /// The method is for metrics, and `acceptMetricsService` is off.
    Metrics,
    /// The stream's `grpc-encoding` is not served.
    Encoding,
    /// The client's address already has as many streams as it may.
    TooManyStreams,
    /// The stream ended in the middle of a message.
    WithinMessage,
    /// A message took longer than the deadline to come in.
    TooSlow,
    /// The rest of a message found no room in the buffers.
    NoRoom,
}

impl Refusal {
    /// Every reason, in the order of the counters.
    pub const ALL: [Self; 8] = [
        Self::NotGrpc,
        Self::UnknownMethod,
        Self::Metrics,
        Self::Encoding,
        Self::TooManyStreams,
        Self::WithinMessage,
        Self::TooSlow,
        Self::NoRoom,
    ];

    /// The value of the label `reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotGrpc => "not-grpc",
            Self::UnknownMethod => "unknown-method",
            Self::Metrics => "metrics-not-accepted",
            Self::Encoding => "encoding",
            Self::TooManyStreams => "too-many-of-peer",
            Self::WithinMessage => "within-message",
            Self::TooSlow => "too-slow",
            Self::NoRoom => "no-room",
        }
    }

    /// The gRPC status code (see `statuscodes` of the gRPC documentation).
    fn code(self) -> u16 {
        match self {
            Refusal::NotGrpc | Refusal::UnknownMethod | Refusal::Metrics | Refusal::Encoding => 12,
            Refusal::TooManyStreams | Refusal::NoRoom => 8,
            Refusal::WithinMessage | Refusal::TooSlow => 3,
        }
    }

    fn message(self) -> String {
        match self {
            Refusal::NotGrpc => "this port serves gRPC".to_owned(),
            Refusal::UnknownMethod => {
                let served = METHODS.map(|(name, _)| name.trim_start_matches('/'));
                format!("no such method; this port serves {}", served.join(", "))
            }
            Refusal::Metrics => {
                "acceptMetricsService is false; set it to true, or let Envoy send its metrics elsewhere"
                    .to_owned()
            }
            Refusal::Encoding => "this grpc-encoding is not served; send gzip or identity".to_owned(),
            Refusal::TooManyStreams => {
                "this client has too many streams; raise limits.streamsPerPeer".to_owned()
            }
            Refusal::WithinMessage => {
                "the stream ended in the middle of a message; send whole messages".to_owned()
            }
            Refusal::TooSlow => {
                "a message took longer than 30 s to arrive; send it faster, or send smaller messages"
                    .to_owned()
            }
            Refusal::NoRoom => {
                "there was no room for the rest of a message; send it at once, or raise limits.bufferedBytes"
                    .to_owned()
            }
        }
    }

    /// Builds the HTTP response: trailers only, and HTTP status 415 for a request that is not gRPC.
    pub fn response(self) -> Response<Answer> {
        let mut response = grpc(Answer::default());
        if self == Refusal::NotGrpc {
            *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        }
        let headers = response.headers_mut();
        headers.insert("grpc-status", self.code().into());
        if let Ok(message) = HeaderValue::try_from(self.message()) {
            headers.insert("grpc-message", message);
        }
        response
    }
}

/// Builds the answer to a stream that was read to its end: an empty `StreamAccessLogsResponse`
/// or `StreamMetricsResponse`, with status 0.
pub fn empty() -> Response<Answer> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", 0.into());
    grpc(Answer {
        message: Some(Bytes::from_static(&[0; 5])),
        trailers: Some(trailers),
    })
}

fn grpc(body: Answer) -> Response<Answer> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-accept-encoding", ACCEPTED);
    response
}

/// A body of one message and trailers, or an empty one.
#[derive(Debug, Default)]
pub struct Answer {
    message: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let message = self.message.take().map(Frame::data);
        let frame = message.or_else(|| self.trailers.take().map(Frame::trailers));
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.message.is_none() && self.trailers.is_none()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::receive::limits::Usage;

    #[test]
    fn every_refusal_has_a_counter_and_a_word_of_its_own_and_says_what_to_do() {
        let usage = Usage::new(alscope_collector_config::Limits::default());
        for (place, reason) in Refusal::ALL.into_iter().enumerate() {
            for _ in 0..=place {
                usage.refuse_stream(reason);
            }
            let headers = reason.response().headers().clone();
            assert!(headers.contains_key("grpc-message"), "{reason:?}");
        }
        assert_eq!(usage.streams_refused(), [1, 2, 3, 4, 5, 6, 7, 8]);
        let words: BTreeSet<&str> = Refusal::ALL.map(Refusal::as_str).into();
        assert_eq!(words.len(), Refusal::ALL.len());
    }
}
