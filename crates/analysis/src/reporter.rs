//! Who reports a call: each proxy on its way does.

/// The proxy that reported an observation, with Istio's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reporter {
    /// A client-side proxy, or a gateway for its upstream side.
    Source,
    /// A server-side proxy, or a gateway for its downstream side.
    Destination,
    /// An ambient waypoint.
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
