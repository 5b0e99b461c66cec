//! The table: every right that there is, with its reason.

// A watch lists first and then follows: no object is ever asked for alone.
const READ: &[&str] = &["list", "watch"];
const RECORD: &[&str] = &["create", "patch"];
// A server-side apply is a patch, and a creation where the object is absent.
const APPLY: &[&str] = &["list", "watch", "create", "patch", "delete"];

/// Who has a right, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The operator, in the whole cluster.
    Cluster,
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
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Cluster,
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
            Self::OwnNamespace => "operator-namespace.yaml",
            Self::Mesh => "operator-mesh.yaml",
            Self::SharedMesh => "operator-shared-mesh.yaml",
            Self::Collector => "collector.yaml",
            Self::Drain => "drain.yaml",
        }
    }
}

/// Which objects a right is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ObjectNames {
    /// All of the resource.
    Any,
    /// The operator's Lease.
    Lease,
    /// The `ConfigMap`s of the installation's revisions.
    Revisions,
    /// The installation's shared mesh config.
    Shared,
}

/// One right.
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

/// The operator's rights.
pub(super) const OPERATOR: [Right; 17] = [
    Right::new(
        Scope::Cluster,
        "",
        &["pods"],
        READ,
        "Which proxies know the collector's address stands in their pods.",
    ),
    Right::new(
        Scope::Cluster,
        "apps",
        &["deployments"],
        READ,
        "istiod's Deployments name revision and mesh config; managed gateways are Deployments.",
    ),
    Right::new(
        Scope::Cluster,
        "telemetry.istio.io",
        &["telemetries"],
        READ,
        "A Telemetry can shadow mesh config's access-log switch.",
    ),
    Right::new(
        Scope::Cluster,
        "alscope.dev",
        &["meshobservabilities"],
        &["list", "watch", "patch"],
        "What users ask for. It writes the finalizer alone, and never deletes one.",
    ),
    Right::new(
        Scope::Cluster,
        "alscope.dev",
        &["meshobservabilities/status"],
        &["patch"],
        "What is so.",
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
        "Transitions are told as events of a resource that has no namespace.",
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
        "The collector's configuration, and the backup of mesh config, which is replaced as a whole.",
    ),
    Right::new(
        Scope::OwnNamespace,
        "",
        &["services"],
        APPLY,
        "The collector's address.",
    ),
    Right::new(
        Scope::OwnNamespace,
        "apps",
        &["deployments"],
        APPLY,
        "The collector.",
    ),
    Right::new(
        Scope::OwnNamespace,
        "policy",
        &["poddisruptionbudgets"],
        APPLY,
        "Keeps the collector while a node is drained.",
    ),
    Right::new(
        Scope::OwnNamespace,
        "networking.k8s.io",
        &["networkpolicies"],
        APPLY,
        "Says who reaches the collector's ports.",
    ),
    Right::new(
        Scope::OwnNamespace,
        "",
        &["pods"],
        READ,
        "Whether the collector is gone, and which replicas to ask what they received.",
    ),
    Right::new(
        Scope::OwnNamespace,
        "discovery.k8s.io",
        &["endpointslices"],
        READ,
        "Whether the collector's Service has an endpoint.",
    ),
    Right::new(
        Scope::OwnNamespace,
        "coordination.k8s.io",
        &["leases"],
        &["get", "update"],
        "Of several operators, the one that holds the Lease writes. It is looked at alone, and often: no watch is as fresh.",
    )
    .only(ObjectNames::Lease),
    Right::new(
        Scope::OwnNamespace,
        "coordination.k8s.io",
        &["leases"],
        &["create"],
        "The first operator makes the Lease. RBAC can't limit a creation to a name: that stands in the request's body.",
    ),
];

/// The rights in the mesh's namespace.
pub(super) const MESH: [Right; 3] = [
    Right::new(
        Scope::Mesh,
        "",
        &["configmaps"],
        &["list", "watch", "patch"],
        "Mesh config, of the revisions named and of no other ConfigMap.",
    )
    .only(ObjectNames::Revisions),
    Right::new(
        Scope::SharedMesh,
        "",
        &["configmaps"],
        &["list", "watch", "patch", "delete"],
        "The shared mesh config. One that the operator made is deleted in the end.",
    )
    .only(ObjectNames::Shared),
    Right::new(
        Scope::SharedMesh,
        "",
        &["configmaps"],
        &["create"],
        "Makes the shared mesh config where it is absent. RBAC can't limit a creation to a name; nothing that exists can be changed by it.",
    ),
];

/// The rights of the others.
pub(super) const OTHERS: [Right; 4] = [
    Right::new(
        Scope::Collector,
        "",
        &["pods", "services", "nodes"],
        READ,
        "Who has an address: pods, services, and nodes with their host network.",
    ),
    Right::new(
        Scope::Collector,
        "discovery.k8s.io",
        &["endpointslices"],
        READ,
        "Which pods are behind a service's address.",
    ),
    Right::new(
        Scope::Collector,
        "networking.istio.io",
        &["serviceentries", "workloadentries"],
        READ,
        "Which hosts outside the mesh and which virtual machines have which addresses.",
    ),
    Right::new(
        Scope::Drain,
        "alscope.dev",
        &["meshobservabilities"],
        &["list", "delete"],
        "Takes every mesh back before the operator goes, because a resource without it can't be deleted.",
    ),
];
