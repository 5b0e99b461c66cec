//! Why the operator does not know a part of the cluster.

use super::object_name::ObjectName;

/// Why something could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The operator lacks a right.
    #[error("the operator may not {verb} {resource}{scope}; give its service account this right, as the chart's ClusterRole and Role do",
        scope = namespace.as_ref().map(|namespace| format!(" in namespace {namespace}")).unwrap_or_default())]
    Forbidden {
        /// `get`, `list` or `watch`.
        verb: &'static str,
        /// The resource's plural, with its group unless that is the core one.
        resource: String,
        /// The namespace; none means the whole cluster.
        namespace: Option<String>,
    },
    /// The API server does not serve the kind.
    #[error(
        "the API server does not serve {resource}; install its definition (deploy/crds has Alscope's own, and so has the chart), \
         the operator goes on by itself"
    )]
    Absent {
        /// The resource's plural, with its group unless that is the core one.
        resource: String,
    },
    /// An object that this version of the operator does not understand.
    #[error(
        "{resource} {name} can't be read by this version of the operator: {message}; upgrade the operator, or correct the object"
    )]
    Undecodable {
        /// The resource's plural, with its group unless that is the core one.
        resource: String,
        /// The object.
        name: ObjectName,
        /// What is wrong with it.
        message: String,
    },
    /// The API server did not answer, or with an error.
    #[error(
        "{what} can't be read: {message}; the operator tries again by itself, look at the API server if this stays"
    )]
    Failed {
        /// What was to be read.
        what: String,
        /// What came instead.
        message: String,
    },
    /// A backup that this operator does not understand whole.
    #[error(
        "the backup {backup} was written by a newer operator: {what}; upgrade the operator again, until then nothing of its mesh is \
         written and nothing is deleted"
    )]
    NewerBackup {
        /// The ConfigMap.
        backup: ObjectName,
        /// What is not understood.
        what: String,
    },
}

/// Something read, or why it could not be.
pub type ReadResult<T> = Result<T, ReadError>;
