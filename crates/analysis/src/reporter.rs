//! The proxy that reports a call, by Istio's label `reporter`.

/// The proxy that reported an observation. The names are Istio's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reporter {
    /// A client-side proxy, or a gateway for its upstream side.
    Source,
    /// A server-side proxy, or a gateway for its downstream side.
    Destination,
    /// An ambient waypoint, which stands between caller and called party.
    Waypoint,
}

impl Reporter {
    /// Every reporter, in the order of the counters.
    pub const ALL: &[Reporter] = &[Reporter::Source, Reporter::Destination, Reporter::Waypoint];

    /// The value of Istio's label `reporter`.
    pub fn as_str(self) -> &'static str {
        match self {
            Reporter::Source => "source",
            Reporter::Destination => "destination",
            Reporter::Waypoint => "waypoint",
        }
    }
}
