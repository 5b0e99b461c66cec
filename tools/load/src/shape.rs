//! What is measured about one kind of entry: its size, and how many of them Envoy sends together.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Bytes of entries at which Envoy sends a message (`buffer_size_bytes` of `envoy.extensions.access_loggers.grpc.v3`).
const SENT_AT: usize = 16_384;

/// A kind of entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Shape {
    /// A sidecar's, of plain text, with few fields: the shortest that both parties can be found for.
    Short,
    /// A sidecar's, of mutual TLS, with all times and byte counts.
    Sidecar,
    /// A waypoint's, with the peers of both ends as Istio 1.24 and later describe them.
    TwoPeers,
}

impl Shape {
    /// Every shape, the smallest first.
    pub const ALL: [Shape; 3] = [Shape::Short, Shape::Sidecar, Shape::TwoPeers];

    /// Bytes of one entry: figures in entries can only be compared between entries of one size.
    pub const fn bytes(self) -> usize {
        match self {
            Shape::Short => 169,
            Shape::Sidecar => 497,
            Shape::TwoPeers => 1359,
        }
    }

    /// Entries of a message: the first number with which it is longer than what Envoy sends at.
    pub const fn entries(self) -> usize {
        SENT_AT / self.bytes() + 1
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} B", self.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_as_long_as_envoys() {
        assert_eq!(Shape::ALL.map(Shape::entries), [97, 33, 13]);
    }
}
