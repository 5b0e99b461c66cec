//! Why the operator does not know a part of the cluster.

use super::object_name::ObjectName;

/// Why a part of the cluster could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The operator lacks an RBAC right.
    #[error("the operator may not {verb} {resource}{scope}; give its service account this right, as the chart's ClusterRole and Role do",
        scope = namespace.as_ref().map(|namespace| format!(" in namespace {namespace}")).unwrap_or_default())]
    Forbidden {
        /// `get`, `list` or `watch`.
        verb: &'static str,
        /// The resource's plural, with its group unless that is the core one.
        resource: String,
        /// The namespace; absent means the whole cluster.
        namespace: Option<String>,
    },
    /// The API server does not serve the kind, so its definition is missing.
    #[error(
        "the API server does not serve {resource}; install its definition (deploy/crds has Alscope's own, and so has the chart), \
         the operator goes on by itself"
    )]
    Absent {
        /// The resource's plural, with its group unless that is the core one.
        resource: String,
    },
    /// This version of the operator can't decode an object.
    #[error(
        "{resource} {name} can't be read by this version of the operator: {message}; upgrade the operator, or correct the object"
    )]
    Undecodable {
        /// The resource's plural, with its group unless that is the core one.
        resource: String,
        /// The object that can't be decoded.
        name: ObjectName,
        /// What is wrong with the object.
        message: String,
    },
    /// The API server did not answer, or answered with an error.
    #[error(
        "{what} can't be read: {message}; the operator tries again by itself, look at the API server if this stays"
    )]
    Failed {
        /// What the operator wanted to read.
        what: String,
        /// What the API server said instead.
        message: String,
    },
    /// A newer operator wrote a backup that this one does not know in full.
    #[error(
        "the backup {backup} was written by a newer operator: {what}; upgrade the operator again, until then nothing of its mesh is \
         written and nothing is deleted"
    )]
    NewerBackup {
        /// The ConfigMap of the backup.
        backup: ObjectName,
        /// The part of the backup that is unknown.
        what: String,
    },
}

/// What was read, or why it could not be.
pub type ReadResult<T> = Result<T, ReadError>;
