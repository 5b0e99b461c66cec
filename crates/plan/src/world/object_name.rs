//! The namespace and name of an object, as `NAMESPACE/NAME`.

use std::fmt;

use kube::ResourceExt as _;

/// The namespace and name of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// The namespace; empty for an object of the whole cluster.
    pub namespace: String,
    /// The name within the namespace.
    pub name: String,
}

impl ObjectName {
    /// The name of an object in a namespace.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    /// Reads the text `NAMESPACE/NAME`, as this type displays it.
    pub fn parse(text: &str) -> Option<Self> {
        let (namespace, name) = Self::parts(text)?;
        Some(Self::new(namespace, name))
    }

    /// The namespace and the name in the text `NAMESPACE/NAME`.
    pub fn parts(text: &str) -> Option<(&str, &str)> {
        text.split_once('/')
    }

    /// The name of an object, from its metadata.
    pub fn of(object: &impl kube::Resource) -> Self {
        Self {
            namespace: object.meta().namespace.clone().unwrap_or_default(),
            name: object.name_any(),
        }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace.as_str() {
            "" => formatter.write_str(&self.name),
            namespace => write!(formatter, "{namespace}/{}", self.name),
        }
    }
}
