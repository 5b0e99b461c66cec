//! The table of rights, each with its reason.

// A watch lists first and then follows: no object is ever asked for alone.
const READ: &[&str] = &["list", "watch"];
const RECORD: &[&str] = &["create", "patch"];
// A server-side apply is a patch, and a creation where the object is absent.
const APPLY: &[&str] = &["list", "watch", "create", "patch", "delete"];

/// The account that has a right, and where it has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The operator, in the whole cluster.
    Cluster,
    /// The operator, in the whole cluster, when the installation lets it restart workloads.
    Restarts,
    /// The operator, in its own namespace.
    OwnNamespace,
    /// The operator, in the mesh's namespace.
    Mesh,
    /// The operator, in the mesh's namespace, when the installation names a shared mesh config.
    SharedMesh,
    /// The collector, in the whole cluster.
    Collector,
    /// The job that runs before the operator is uninstalled, in the whole cluster.
    Drain,
}

impl Scope {
    /// All scopes, in the order of the table.
    pub const ALL: [Self; 7] = [
        Self::Cluster,
        Self::Restarts,
        Self::OwnNamespace,
        Self::Mesh,
        Self::SharedMesh,
        Self::Collector,
        Self::Drain,
    ];

    /// The name of the chart's file with its rules.
    pub const fn file(self) -> &'static str {
        match self {
            Self::Cluster => "operator-cluster.yaml",
            Self::Restarts => "operator-restarts.yaml",
            Self::OwnNamespace => "operator-namespace.yaml",
            Self::Mesh => "operator-mesh.yaml",
            Self::SharedMesh => "operator-shared-mesh.yaml",
            Self::Collector => "collector.yaml",
            Self::Drain => "drain.yaml",
        }
    }
}

/// The objects that a right is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ObjectNames {
    /// All objects of the resource.
    Any,
    /// The operator's Lease.
    Lease,
    /// The `ConfigMap`s of the installation's revisions.
    Revisions,
    /// The installation's shared mesh config.
    Shared,
}

/// One right of one account.
pub(super) struct Right {
    pub(super) scope: Scope,
    pub(super) group: &'static str,
    pub(super) resources: &'static [&'static str],
    pub(super) names: ObjectNames,
    pub(super) verbs: &'static [&'static str],
    pub(super) why: &'static str,
}

impl Right {
    const fn new(
        scope: Scope,
        group: &'static str,
        resources: &'static [&'static str],
        verbs: &'static [&'static str],
        why: &'static str,
    ) -> Self {
        Self {
            scope,
            group,
            resources,
            names: ObjectNames::Any,
            verbs,
            why,
        }
    }

    const fn only(mut self, names: ObjectNames) -> Self {
        self.names = names;
        self
    }
}

/// The rights of the operator outside the namespace of the mesh.
pub(super) const OPERATOR: [Right; 19] = [
    Right::new(
        Scope::Cluster,
        "",
        &["pods"],
        READ,
        "Pods tell which proxies have the collector's address.",
    ),
    Right::new(
        Scope::Cluster,
        "apps",
        &["deployments"],
        READ,
        "istiod's Deployments name the revision and mesh config; managed gateways are Deployments.",
    ),
    Right::new(
        Scope::Cluster,
        "telemetry.istio.io",
        &["telemetries"],
        READ,
        "A Telemetry can shadow mesh config's access-log switch and providers.",
    ),
    Right::new(
        Scope::Cluster,
        "networking.istio.io",
        &["sidecars"],
        READ,
        "A Sidecar can keep the collector's Service from proxies that reach it by a provider.",
    ),
    Right::new(
        Scope::Cluster,
        "alscope.dev",
        &["meshobservabilities"],
        &["list", "watch", "patch"],
        "Reads what users ask for. The operator writes only the finalizer of a resource, and never deletes a resource.",
    ),
    Right::new(
        Scope::Cluster,
        "alscope.dev",
        &["meshobservabilities/status"],
        &["patch"],
        "Reports the state of the mesh and its collector.",
    ),
    Right::new(
        Scope::Cluster,
        "alscope.dev",
        &["meshobservabilities/finalizers"],
        &["update"],
        "Lets the collector's objects name their resource as owner where the API server checks that right.",
    ),
    Right::new(
        Scope::Cluster,
        "events.k8s.io",
        &["events"],
        RECORD,
        "Publishes changes of the status as events of a resource that has no namespace.",
    ),
    Right::new(
        Scope::Cluster,
        "",
        &["events"],
        RECORD,
        "The same, where the API server serves events in the core group.",
    ),
    Right::new(
        Scope::OwnNamespace,
        "",
        &["configmaps"],
        &["list", "watch", "create", "update", "patch", "delete"],
        "Holds the collector's configuration, and the backup of mesh config, which is replaced as a whole.",
    ),
    Right::new(
        Scope::OwnNamespace,
        "",
        &["services"],
        APPLY,
        "The Service is the collector's address.",
    ),
    Right::new(
        Scope::OwnNamespace,
        "apps",
        &["deployments"],
        APPLY,
        "The Deployment runs the collector.",
    ),
    Right::new(
        Scope::OwnNamespace,
        "policy",
        &["poddisruptionbudgets"],
        APPLY,
        "Keeps replicas of the collector while nodes are drained.",
    ),
    Right::new(
        Scope::OwnNamespace,
        "networking.k8s.io",
        &["networkpolicies"],
        APPLY,
        "Limits who may connect to the collector's ports.",
    ),
    Right::new(
        Scope::OwnNamespace,
        "autoscaling",
        &["horizontalpodautoscalers"],
        APPLY,
        "Decides how many replicas of the collector there are, if a resource asks for it.",
    ),
    Right::new(
        Scope::OwnNamespace,
        "",
        &["pods"],
        READ,
        "Pods tell whether the collector is gone, and which replicas to ask what they have received.",
    ),
    Right::new(
        Scope::OwnNamespace,
        "discovery.k8s.io",
        &["endpointslices"],
        READ,
        "Tells whether the collector's Service has an endpoint.",
    ),
    Right::new(
        Scope::OwnNamespace,
        "coordination.k8s.io",
        &["leases"],
        &["get", "update"],
        "Of several operators, the one that holds the Lease writes. It is read by its name, because no watch is as fresh.",
    )
    .only(ObjectNames::Lease),
    Right::new(
        Scope::OwnNamespace,
        "coordination.k8s.io",
        &["leases"],
        &["create"],
        "The first operator creates the Lease. RBAC can't limit a creation to a name, which is in the body of the request.",
    ),
];

/// The rights of the operator to restart workloads.
pub(super) const RESTARTS: [Right; 2] = [
    Right::new(
        Scope::Restarts,
        "apps",
        &["deployments", "statefulsets", "daemonsets"],
        &["list", "watch", "patch"],
        "Reads how far rollouts are, and restarts workloads. RBAC can't limit a patch to the annotations that a restart writes.",
    ),
    Right::new(
        Scope::Restarts,
        "policy",
        &["poddisruptionbudgets"],
        READ,
        "A budget without room keeps its workload from a restart.",
    ),
];

/// The rights of the operator in the namespace of the mesh.
pub(super) const MESH: [Right; 3] = [
    Right::new(
        Scope::Mesh,
        "",
        &["configmaps"],
        &["list", "watch", "patch"],
        "Reads and writes mesh config, of the named revisions and of no other ConfigMap.",
    )
    .only(ObjectNames::Revisions),
    Right::new(
        Scope::SharedMesh,
        "",
        &["configmaps"],
        &["list", "watch", "patch", "delete"],
        "Reads and writes the shared mesh config. An uninstall deletes one that the operator created.",
    )
    .only(ObjectNames::Shared),
    Right::new(
        Scope::SharedMesh,
        "",
        &["configmaps"],
        &["create"],
        "Creates the shared mesh config if there is none. RBAC can't limit a creation to a name; it changes nothing that exists.",
    ),
];

/// The rights of the collector and of the drain job.
pub(super) const OTHERS: [Right; 4] = [
    Right::new(
        Scope::Collector,
        "",
        &["pods", "services", "nodes"],
        READ,
        "Tells who has an address: pods, services, and nodes with their host network.",
    ),
    Right::new(
        Scope::Collector,
        "discovery.k8s.io",
        &["endpointslices"],
        READ,
        "Tells which pods are behind the address of a service.",
    ),
    Right::new(
        Scope::Collector,
        "networking.istio.io",
        &["serviceentries", "workloadentries"],
        READ,
        "Tells the addresses of hosts outside the mesh and of virtual machines.",
    ),
    Right::new(
        Scope::Drain,
        "alscope.dev",
        &["meshobservabilities"],
        &["list", "delete"],
        "Restores every mesh before the operator is removed, because without it, no resource can be deleted.",
    ),
];
