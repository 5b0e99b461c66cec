//! Decodes an object of a source into its record. The error of an object that can't be decoded holds its
//! names only, because the content may be secret.

use alscope_analysis::directory::naming_rules::NamingRules;
use alscope_analysis::directory::records::{ObjectKey, Record};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

use super::objects::Object;

/// An object that can't be decoded.
#[derive(Debug, PartialEq, Eq)]
pub struct Undecodable {
    /// The object's key, if the object has a name.
    pub key: Option<ObjectKey>,
    /// The object's namespace and name, as a person writes them.
    pub name: String,
}

/// The fields that identify an object.
#[derive(Debug, Deserialize, Serialize)]
struct Named {
    metadata: Names,
}

#[derive(Debug, Deserialize, Serialize)]
struct Names {
    name: String,
    namespace: Option<String>,
    uid: Option<String>,
}

/// Decodes an object of the kind `K` into its record.
pub fn decode<'de, K, D>(object: D, rules: &NamingRules) -> Result<Record, Undecodable>
where
    K: Object + DeserializeOwned,
    D: Deserializer<'de> + Copy,
{
    if let Ok(object) = K::deserialize(object) {
        return Ok(object.record(rules));
    }
    let Ok(named) = Named::deserialize(object) else {
        let name = "without a name".to_owned();
        return Err(Undecodable { key: None, name });
    };
    let key = serde_json::to_value(&named).and_then(K::deserialize);
    let Names { name, namespace, .. } = named.metadata;
    Err(Undecodable {
        key: key.ok().map(|named: K| named.record(rules).key()),
        name: namespace.into_iter().chain([name]).collect::<Vec<_>>().join("/"),
    })
}
