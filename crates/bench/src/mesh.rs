//! The mesh that the bench pretends to be: workloads with a Service each, and which of them calls which.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Streams that send at once, each on a connection of its own as an Envoy's are.
pub(crate) const CONNECTIONS: usize = 8;
/// The port that every workload listens on.
pub(crate) const PORT: u16 = 8080;

const WORKLOADS: usize = 125;
const REPLICAS: usize = 8;
const NAMESPACES: usize = 10;
/// Series of one HTTP label set: a counter and three histograms.
pub(crate) const FAMILIES: usize = 4;

/// Codes that calls end with.
const CODES: [u32; 5] = [200, 201, 304, 404, 503];

/// A Deployment with its pods and its Service, all of one name.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    pub(crate) name: String,
    pub(crate) namespace: String,
    /// The Service's address.
    pub(crate) service_address: Ipv4Addr,
    pub(crate) pods: Vec<Pod>,
}

#[derive(Clone, Debug)]
pub(crate) struct Pod {
    pub(crate) name: String,
    pub(crate) address: Ipv4Addr,
}

/// One side of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Party<'a> {
    pub(crate) workload: &'a Workload,
    pub(crate) pod: &'a Pod,
}

/// A call as it can be seen in a series' labels and in an identity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) caller: Party<'a>,
    pub(crate) called: Party<'a>,
    pub(crate) code: u32,
}

/// What tells the label sets of calls apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LabelSet {
    /// The caller's workload and namespace.
    pub(crate) caller: String,
    /// The called workload and its namespace.
    pub(crate) called: String,
    pub(crate) code: u32,
}

/// Calls by label set.
pub(crate) type Tally = BTreeMap<LabelSet, u64>;

impl Call<'_> {
    pub(crate) fn label_set(&self) -> LabelSet {
        let name = |party: Party<'_>| format!("{}.{}", party.workload.name, party.workload.namespace);
        LabelSet {
            caller: name(self.caller),
            called: name(self.called),
            code: self.code,
        }
    }
}

/// Who calls whom: the first so many workloads call, with all their pods, the first so many others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Traffic {
    callers: usize,
    called: usize,
}

impl Traffic {
    /// 100 series.
    pub(crate) const FEW: Traffic = Traffic {
        callers: 5,
        called: 1,
    };
    /// 20 000 series.
    pub(crate) const MANY: Traffic = Traffic {
        callers: WORKLOADS,
        called: CONNECTIONS,
    };

    /// How many series the calls come to.
    pub(crate) const fn series(self) -> usize {
        self.callers * self.called * CODES.len() * FAMILIES
    }

    /// How many pairs of pods call one another.
    pub(crate) const fn pairs(self) -> usize {
        self.callers * REPLICAS * CONNECTIONS
    }

    /// The pod whose side-car sends on a connection.
    pub(crate) fn reporter(self, mesh: &[Workload], connection: usize) -> Option<Party<'_>> {
        let workload = mesh.get(connection % self.called)?;
        let pod = workload.pods.get(connection / self.called)?;
        Some(Party { workload, pod })
    }

    /// Every call that the side-car of `called` reports.
    pub(crate) fn calls<'a>(self, mesh: &'a [Workload], called: Party<'a>) -> Vec<Call<'a>> {
        let callers = mesh
            .iter()
            .take(self.callers)
            .flat_map(|workload| workload.pods.iter().map(move |pod| Party { workload, pod }));
        callers
            .flat_map(|caller| CODES.map(|code| Call { caller, called, code }))
            .collect()
    }
}

impl Workload {
    /// The `ReplicaSet` that owns the pods.
    pub(crate) fn replica_set(&self) -> String {
        format!("{}-{}", self.name, self.template_hash())
    }

    /// The hash in the `ReplicaSet`'s name.
    pub(crate) fn template_hash(&self) -> String {
        let octets = self.service_address.octets();
        format!("7d9f{:02x}{:02x}", octets[2], octets[3])
    }

    /// The SPIFFE identity of the pods' certificates.
    pub(crate) fn principal(&self) -> String {
        format!("spiffe://cluster.local/ns/{}/sa/{}", self.namespace, self.name)
    }
}

/// All workloads: 1 000 pods in 10 namespaces.
pub(crate) fn mesh() -> Vec<Workload> {
    (0..WORKLOADS).map(workload).collect()
}

fn workload(number: usize) -> Workload {
    let name = format!("service-{number:03}");
    let [.., high, low] = (number as u32 + 1).to_be_bytes();
    let mut workload = Workload {
        namespace: format!("team-{}", number % NAMESPACES),
        service_address: Ipv4Addr::new(10, 96, high, low),
        pods: Vec::new(),
        name,
    };
    let replica_set = workload.replica_set();
    workload.pods = (0..REPLICAS)
        .map(|replica| {
            let [.., high, low] = ((number * REPLICAS + replica) as u32 + 1).to_be_bytes();
            Pod {
                name: format!("{replica_set}-{high:02x}{low:02x}x"),
                address: Ipv4Addr::new(10, 244, high, low),
            }
        })
        .collect();
    workload
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn series_are_label_sets_of_four_families() {
        assert_eq!((Traffic::FEW.series(), Traffic::MANY.series()), (100, 20_000));
        assert_eq!((Traffic::FEW.pairs(), Traffic::MANY.pairs()), (320, 8_000));
    }

    #[test]
    fn every_connection_has_a_reporter_of_its_own() {
        let mesh = mesh();
        for traffic in [Traffic::FEW, Traffic::MANY] {
            let reporters: HashSet<Ipv4Addr> = (0..CONNECTIONS)
                .map(|connection| traffic.reporter(&mesh, connection).unwrap().pod.address)
                .collect();
            assert_eq!(reporters.len(), CONNECTIONS);
        }
    }

    #[test]
    fn no_two_pods_share_a_name_or_an_address() {
        let mesh = mesh();
        let pods = || mesh.iter().flat_map(|workload| &workload.pods);
        assert_eq!(pods().map(|pod| &pod.name).collect::<HashSet<_>>().len(), 1000);
        assert_eq!(pods().map(|pod| pod.address).collect::<HashSet<_>>().len(), 1000);
    }
}
