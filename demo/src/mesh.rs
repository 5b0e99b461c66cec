//! What exists in the demo's mesh: pods, services, who calls whom, and where they listen.
//!
//! Everything else follows from this page: the proxies' bootstraps, the directory file, the processes to start and
//! the rows that the table must have.

use std::net::Ipv4Addr;

use crate::claims::{Block, Claims};

/// The namespace of the services.
const DEMO: &str = "demo";
/// The namespace of the gateway, as Istio's own installation has it.
const GATEWAYS: &str = "istio-system";

/// How the calls of a service are logged: an entry a request, or an entry a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/1.1.
    Http,
    /// Bytes.
    Tcp,
}

/// What runs beside or in a pod's network, as Istio names the node type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proxy {
    /// A sidecar, in front of the application and behind it.
    Sidecar,
    /// A gateway: the proxy is the pod.
    Gateway,
    /// No proxy: a client from outside the mesh.
    Absent,
}

/// The part that `bookinfo` plays in a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// One of its HTTP services, by name.
    Http(&'static str),
    /// Its TCP service.
    Tcp,
    /// Its generator of requests.
    Load,
    /// Nothing: the proxy is the pod.
    Nothing,
}

/// One pod, the only one of its workload.
#[derive(Debug, Clone)]
pub(crate) struct Pod {
    /// Its namespace.
    pub(crate) namespace: &'static str,
    /// The Deployment it belongs to.
    pub(crate) workload: &'static str,
    /// Its label `app`, which the Services select.
    pub(crate) app: &'static str,
    /// Its label `version`, if it has one.
    pub(crate) version: Option<&'static str>,
    /// Its proxy.
    pub(crate) proxy: Proxy,
    /// What it runs.
    pub(crate) program: Program,
    /// The Services that it calls.
    pub(crate) calls: &'static [&'static str],
    /// Its own loopback address.
    pub(crate) address: Ipv4Addr,
}

/// One Service: all pods with its label `app`.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its namespace, that of its pods.
    pub(crate) namespace: &'static str,
    /// The label `app` that it selects.
    pub(crate) app: &'static str,
    /// What its port speaks.
    pub(crate) protocol: Protocol,
    /// The port of the Service.
    pub(crate) port: u16,
    /// The port of its pods.
    pub(crate) target_port: u16,
    /// Its cluster address: in the directory only, since no packet is redirected in the demo.
    pub(crate) cluster_address: Ipv4Addr,
}

/// The ports that every pod uses alike, each on its own address.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    /// The sidecar's inbound listener of an HTTP service.
    pub(crate) http: u16,
    /// The sidecar's inbound listener of the TCP service, and its callers' outbound one.
    pub(crate) tcp: u16,
    /// The gateway's listener.
    pub(crate) gateway: u16,
    /// The sidecar's outbound listener for HTTP.
    pub(crate) outbound: u16,
    /// Envoy's administration.
    pub(crate) admin: u16,
    /// The application behind the sidecar.
    pub(crate) application: u16,
}

/// A call that the table must show.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edge {
    /// `namespace/workload` of the caller.
    pub(crate) source: String,
    /// `namespace/workload` of the called.
    pub(crate) destination: String,
    /// `http` or `tcp`.
    pub(crate) protocol: String,
}

/// The whole mesh.
#[derive(Debug, Clone)]
pub(crate) struct Mesh {
    /// Every pod.
    pub(crate) pods: Vec<Pod>,
    /// Every Service.
    pub(crate) services: Vec<Service>,
    /// The pods' ports.
    pub(crate) ports: Ports,
    /// The address of the only Node.
    pub(crate) node_address: Ipv4Addr,
}

impl Mesh {
    /// The bookinfo-shaped mesh in a block of addresses, on ports that are free there.
    pub(crate) fn bookinfo(block: Block, claims: &mut Claims) -> anyhow::Result<Self> {
        let mut port = |preferred| claims.port(block.address(1), preferred);
        let ports = Ports {
            http: port(9080)?,
            tcp: port(27017)?,
            gateway: port(8080)?,
            outbound: port(15001)?,
            admin: port(15000)?,
            application: port(19080)?,
        };
        Ok(Self {
            pods: pods(block),
            services: services(block, ports),
            ports,
            node_address: block.address(254),
        })
    }

    /// The Services that a pod calls.
    pub(crate) fn called_by<'a>(&'a self, pod: &'a Pod) -> impl Iterator<Item = &'a Service> {
        self.services
            .iter()
            .filter(|service| pod.calls.contains(&service.name))
    }

    /// The Services that a pod is behind.
    pub(crate) fn served_by<'a>(&'a self, pod: &'a Pod) -> impl Iterator<Item = &'a Service> {
        self.services.iter().filter(|service| service.selects(pod))
    }

    /// The pods behind a Service.
    pub(crate) fn pods_of<'a>(&'a self, service: &'a Service) -> impl Iterator<Item = &'a Pod> {
        self.pods.iter().filter(|pod| service.selects(pod))
    }

    /// Every call that happens, sorted.
    pub(crate) fn edges(&self) -> Vec<Edge> {
        let mut edges = Vec::new();
        for source in &self.pods {
            for service in self.called_by(source) {
                edges.extend(self.pods_of(service).map(|destination| Edge {
                    source: source.id(),
                    destination: destination.id(),
                    protocol: service.protocol.name().to_owned(),
                }));
            }
        }
        edges.sort();
        edges
    }
}

impl Pod {
    /// `namespace/workload`, as the collector names it.
    pub(crate) fn id(&self) -> String {
        format!("{}/{}", self.namespace, self.workload)
    }

    /// The `ReplicaSet`, named as a Deployment names it.
    pub(crate) fn replica_set(&self) -> String {
        format!("{}-6d8f7c5b94", self.workload)
    }

    /// The pod's name, as a `ReplicaSet` names it.
    pub(crate) fn name(&self) -> String {
        format!("{}-x7k2p", self.replica_set())
    }
}

impl Service {
    /// The full name in the cluster's DNS.
    pub(crate) fn host(&self) -> String {
        format!("{}.{}.svc.cluster.local", self.name, self.namespace)
    }

    fn selects(&self, pod: &Pod) -> bool {
        self.namespace == pod.namespace && self.app == pod.app
    }
}

impl Protocol {
    /// `http` or `tcp`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Tcp => "tcp",
        }
    }
}

fn pods(block: Block) -> Vec<Pod> {
    let gateway = Pod {
        namespace: GATEWAYS,
        workload: "istio-ingressgateway",
        app: "istio-ingressgateway",
        version: None,
        proxy: Proxy::Gateway,
        program: Program::Nothing,
        calls: &["productpage"],
        address: block.address(10),
    };
    let load = Pod {
        namespace: DEMO,
        workload: "load-generator",
        app: "load-generator",
        version: None,
        proxy: Proxy::Absent,
        program: Program::Load,
        calls: &["istio-ingressgateway"],
        address: block.address(11),
    };
    let sidecar = |host, workload, app, version, calls| Pod {
        namespace: DEMO,
        workload,
        app,
        version: Some(version),
        proxy: Proxy::Sidecar,
        program: if app == "mongodb" {
            Program::Tcp
        } else {
            Program::Http(app)
        },
        calls,
        address: block.address(host),
    };
    vec![
        gateway,
        load,
        sidecar(20, "productpage-v1", "productpage", "v1", &["details", "reviews"]),
        sidecar(21, "details-v1", "details", "v1", &[]),
        sidecar(22, "reviews-v1", "reviews", "v1", &[]),
        sidecar(23, "reviews-v2", "reviews", "v2", &["ratings"]),
        sidecar(24, "reviews-v3", "reviews", "v3", &["ratings"]),
        sidecar(25, "ratings-v1", "ratings", "v1", &["mongodb"]),
        sidecar(26, "mongodb-v1", "mongodb", "v1", &[]),
    ]
}

fn services(block: Block, ports: Ports) -> Vec<Service> {
    let http = |host, name| Service {
        name,
        namespace: DEMO,
        app: name,
        protocol: Protocol::Http,
        port: ports.http,
        target_port: ports.http,
        cluster_address: block.address(host),
    };
    let gateway = Service {
        namespace: GATEWAYS,
        port: 80,
        target_port: ports.gateway,
        ..http(100, "istio-ingressgateway")
    };
    let mongodb = Service {
        protocol: Protocol::Tcp,
        port: ports.tcp,
        target_port: ports.tcp,
        ..http(101, "mongodb")
    };
    let bookinfo = [
        (102, "productpage"),
        (103, "details"),
        (104, "reviews"),
        (105, "ratings"),
    ];
    [gateway, mongodb]
        .into_iter()
        .chain(bookinfo.map(|(host, name)| http(host, name)))
        .collect()
}

#[cfg(test)]
pub(crate) mod testing {
    use super::{Claims, Mesh};

    /// The mesh in a block that the test holds.
    pub(crate) fn mesh() -> (Mesh, Claims) {
        let mut claims = Claims::default();
        let block = claims.block().unwrap();
        (Mesh::bookinfo(block, &mut claims).unwrap(), claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edges_are_those_of_bookinfo() {
        let (mesh, _claims) = testing::mesh();
        let edges: Vec<String> = mesh
            .edges()
            .iter()
            .map(|e| format!("{} {} {}", e.source, e.protocol, e.destination))
            .collect();
        assert_eq!(
            edges,
            [
                "demo/load-generator http istio-system/istio-ingressgateway",
                "demo/productpage-v1 http demo/details-v1",
                "demo/productpage-v1 http demo/reviews-v1",
                "demo/productpage-v1 http demo/reviews-v2",
                "demo/productpage-v1 http demo/reviews-v3",
                "demo/ratings-v1 tcp demo/mongodb-v1",
                "demo/reviews-v2 http demo/ratings-v1",
                "demo/reviews-v3 http demo/ratings-v1",
                "istio-system/istio-ingressgateway http demo/productpage-v1",
            ]
        );
    }

    #[test]
    fn no_two_pods_share_an_address() {
        let (mesh, _claims) = testing::mesh();
        let mut addresses: Vec<Ipv4Addr> = mesh.pods.iter().map(|pod| pod.address).collect();
        addresses.extend(mesh.services.iter().map(|service| service.cluster_address));
        addresses.push(mesh.node_address);
        let all = addresses.len();
        addresses.sort();
        addresses.dedup();
        assert_eq!(addresses.len(), all);
    }
}
