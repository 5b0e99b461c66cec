//! The connections of one HTTP port: how many there are, and which one gives way when there are too many.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// The largest number of connections of a port. Scrapers, probes and people need some ten.
pub const MAX_CONNECTIONS: usize = 64;

/// The reasons for which the collector ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutReason {
    /// The client did not read its response in time.
    TooSlow,
    /// Another connection needed the place.
    TooMany,
}

impl CutReason {
    /// Every reason, in the order of the counters.
    pub const ALL: [CutReason; 2] = [CutReason::TooSlow, CutReason::TooMany];

    /// The value of the label `reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            CutReason::TooSlow => "too-slow",
            CutReason::TooMany => "too-many",
        }
    }
}

/// The counts of a port's connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// How many connections are open.
    pub open: usize,
    cut: [u64; CutReason::ALL.len()],
}

impl Counts {
    /// How many connections were ended for `reason`.
    pub fn cut(&self, reason: CutReason) -> u64 {
        self.cut[reason as usize]
    }
}

/// The connections of a port.
#[derive(Debug, Default)]
pub struct Connections(Mutex<OpenConnections>);

#[derive(Debug, Default)]
struct OpenConnections {
    /// The open connections, sorted by age, the oldest first.
    places: BTreeMap<u64, (IpAddr, CancellationToken)>,
    came: u64,
    cut: [u64; CutReason::ALL.len()],
}

/// The place of one connection. Dropping it frees the place.
#[derive(Debug)]
pub struct ConnectionSlot {
    connections: Arc<Connections>,
    number: u64,
    needed: CancellationToken,
}

impl Connections {
    /// Takes a place for a new connection from `peer`. If none is free, another connection loses its place.
    pub fn place(self: &Arc<Self>, peer: IpAddr) -> ConnectionSlot {
        let mut open = self.0.lock();
        while open.places.len() >= MAX_CONNECTIONS
            && let Some(number) = gives_way(&open.places)
            && let Some((_, place)) = open.places.remove(&number)
        {
            place.cancel();
        }
        open.came += 1;
        let (number, needed) = (open.came, CancellationToken::new());
        open.places.insert(number, (peer, needed.clone()));
        ConnectionSlot {
            connections: self.clone(),
            number,
            needed,
        }
    }

    /// Returns the counts at this moment.
    pub fn counts(&self) -> Counts {
        let open = self.0.lock();
        Counts {
            open: open.places.len(),
            cut: open.cut,
        }
    }
}

/// Returns the connection that gives way: the oldest one of the address with the most connections. If
/// several addresses have as many, the one whose connection came first gives way.
fn gives_way(places: &BTreeMap<u64, (IpAddr, CancellationToken)>) -> Option<u64> {
    let mut held: HashMap<IpAddr, (usize, u64)> = HashMap::new();
    for (number, (peer, _)) in places {
        held.entry(*peer).or_insert((0, *number)).0 += 1;
    }
    let most = held
        .into_values()
        .max_by_key(|(count, oldest)| (*count, u64::MAX - oldest));
    most.map(|(_, oldest)| oldest)
}

impl ConnectionSlot {
    /// Waits until another connection needs the place.
    pub async fn is_needed(&self) {
        self.needed.cancelled().await;
    }

    /// Counts that the collector ends the connection.
    pub fn count(&self, reason: CutReason) {
        self.connections.0.lock().cut[reason as usize] += 1;
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.connections.0.lock().places.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn peer(last: u8) -> IpAddr {
        Ipv4Addr::new(10, 0, 0, last).into()
    }

    fn is_needed(place: &ConnectionSlot) -> bool {
        place.needed.is_cancelled()
    }

    #[test]
    fn the_oldest_connection_of_who_has_the_most_gives_way() {
        let connections = Arc::new(Connections::default());
        let probe = connections.place(peer(1));
        let strangers: Vec<ConnectionSlot> =
            (1..MAX_CONNECTIONS).map(|_| connections.place(peer(2))).collect();
        assert_eq!(connections.counts().open, MAX_CONNECTIONS);
        assert!(!strangers.iter().any(is_needed));

        let scrape = connections.place(peer(3));
        let needed: Vec<bool> = strangers.iter().map(is_needed).collect();
        assert_eq!((needed[0], needed[1..].contains(&true)), (true, false));
        let another = connections.place(peer(2));
        assert!(is_needed(&strangers[1]) && !is_needed(&strangers[2]));
        assert!(![&probe, &scrape, &another].into_iter().any(is_needed));
        assert_eq!(connections.counts().open, MAX_CONNECTIONS);
    }

    #[test]
    fn of_many_addresses_the_one_that_came_first_gives_way() {
        let connections = Arc::new(Connections::default());
        let places: Vec<ConnectionSlot> = (0..MAX_CONNECTIONS)
            .map(|number| connections.place(peer(number as u8)))
            .collect();
        let newest = connections.place(peer(255));
        assert!(is_needed(&places[0]) && !is_needed(&places[1]) && !is_needed(&newest));
    }

    #[test]
    fn a_place_is_free_when_its_connection_ends() {
        let connections = Arc::new(Connections::default());
        let place = connections.place(peer(1));
        place.count(CutReason::TooSlow);
        drop(place);
        let counts = connections.counts();
        assert_eq!(
            (
                counts.open,
                counts.cut(CutReason::TooSlow),
                counts.cut(CutReason::TooMany)
            ),
            (0, 1, 0)
        );
    }
}
