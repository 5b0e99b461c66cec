//! The mesh that the load pretends to be: workloads with their pods and a Service each.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

/// The port that every workload listens on.
pub const PORT: u16 = 8080;

const NAMESPACES: usize = 10;

/// How large a mesh is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Size {
    /// Workloads, each with a Service.
    pub workloads: usize,
    /// Pods of a workload.
    pub replicas: usize,
}

impl Size {
    /// 10 000 pods.
    pub const LARGE: Size = Size {
        workloads: 1250,
        replicas: 8,
    };

    /// Pods of all workloads.
    pub const fn pods(self) -> usize {
        self.workloads * self.replicas
    }
}

/// A Deployment with its pods and its Service, all of one name.
#[derive(Clone, Debug)]
pub struct Workload {
    /// The name of the Deployment, the Service and the service account.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The Service's address.
    pub service_address: Ipv4Addr,
    /// Its pods.
    pub pods: Vec<Pod>,
}

/// A pod of a workload.
#[derive(Clone, Debug)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: Ipv4Addr,
}

/// One side of a call.
#[derive(Clone, Copy, Debug)]
pub struct Party<'a> {
    /// The workload.
    pub workload: &'a Workload,
    /// One of its pods.
    pub pod: &'a Pod,
}

impl Workload {
    /// The `ReplicaSet` that owns the pods.
    pub fn replica_set(&self) -> String {
        format!("{}-{}", self.name, self.template_hash())
    }

    /// The hash in the `ReplicaSet`'s name.
    pub fn template_hash(&self) -> String {
        let octets = self.service_address.octets();
        format!("7d9f{:02x}{:02x}", octets[2], octets[3])
    }

    /// The SPIFFE identity of the pods' certificates.
    pub fn principal(&self) -> String {
        format!("spiffe://cluster.local/ns/{}/sa/{}", self.namespace, self.name)
    }
}

/// All workloads, in 10 namespaces.
pub fn mesh(size: Size) -> Vec<Workload> {
    (0..size.workloads)
        .map(|number| workload(number, size.replicas))
        .collect()
}

/// A workload of which no call is: its pods are replaced while others are measured.
pub fn rolling(size: Size) -> Workload {
    workload(size.workloads, size.replicas)
}

fn workload(number: usize, replicas: usize) -> Workload {
    let name = format!("service-{number:04}");
    let [.., high, low] = (number as u32 + 1).to_be_bytes();
    let mut workload = Workload {
        namespace: format!("team-{}", number % NAMESPACES),
        service_address: Ipv4Addr::new(10, 96, high, low),
        pods: Vec::new(),
        name,
    };
    let replica_set = workload.replica_set();
    workload.pods = (0..replicas)
        .map(|replica| {
            let [.., high, low] = ((number * replicas + replica) as u32 + 1).to_be_bytes();
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
        let mesh = mesh(Size::LARGE);
        let pods = || mesh.iter().flat_map(|workload| &workload.pods);
        assert_eq!(
            pods().map(|pod| &pod.name).collect::<HashSet<_>>().len(),
            Size::LARGE.pods()
        );
        assert_eq!(
            pods().map(|pod| pod.address).collect::<HashSet<_>>().len(),
            Size::LARGE.pods()
        );
    }
}
