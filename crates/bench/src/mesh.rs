//! The mesh that the bench pretends to be: workloads with their pods and a Service each.

use std::net::Ipv4Addr;

/// The port that every workload listens on.
pub(crate) const PORT: u16 = 8080;

pub(crate) const WORKLOADS: usize = 1250;
/// Pods of a workload.
pub(crate) const REPLICAS: usize = 8;
/// Pods of all workloads.
pub(crate) const PODS: usize = WORKLOADS * REPLICAS;
const NAMESPACES: usize = 10;

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

/// All workloads: 10 000 pods in 10 namespaces.
pub(crate) fn mesh() -> Vec<Workload> {
    (0..WORKLOADS).map(workload).collect()
}

fn workload(number: usize) -> Workload {
    let name = format!("service-{number:04}");
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
    fn no_two_pods_share_a_name_or_an_address() {
        let mesh = mesh();
        let pods = || mesh.iter().flat_map(|workload| &workload.pods);
        assert_eq!(pods().map(|pod| &pod.name).collect::<HashSet<_>>().len(), PODS);
        assert_eq!(pods().map(|pod| pod.address).collect::<HashSet<_>>().len(), PODS);
    }
}
