//! What a ConfigMap of mesh config would hold without the operator, told from what it holds now and what it held before.
//!
//! Both paths are written at once, so a text without an address of the operator's is wholly somebody else's, its switch
//! included: a chart's upgrade that turns the switch on itself keeps it.

use alscope_mesh_config::{self as mesh_config, MeshConfigError, Restored};

use crate::world::Before;

use super::step::MeshEdit;

/// Which of the addresses that the operator may have written stands in a text.
pub fn written<'a>(text: &str, addresses: &[&'a str]) -> Result<Option<&'a str>, MeshConfigError> {
    let settings = mesh_config::read(text)?;
    let found = settings.address();
    Ok(addresses.iter().find(|address| found == Some(**address)).copied())
}

/// A text without what is the operator's own in it.
pub fn restored(text: &str, before: &Before, addresses: &[&str]) -> Result<Restored, MeshConfigError> {
    if let Some(address) = written(text, addresses)? {
        return mesh_config::restore(text, before.text(), address);
    }
    let now = mesh_config::read(text)?;
    let then = mesh_config::read(before.text()).unwrap_or_default();
    let flag = (now.enabled != then.enabled).then_some("enableEnvoyAccessLogService");
    let service = (now.service != then.service).then_some("defaultConfig.envoyAccessLogService");
    Ok(Restored {
        text: text.to_owned(),
        kept: flag.into_iter().chain(service).collect(),
    })
}

/// What is to be restored after an edit. `known` is what the backup has; what can't be told apart from the operator's own
/// stays what it was.
pub fn original(edit: &MeshEdit, known: Option<&Before>, addresses: &[&str]) -> Before {
    let Some(current) = &edit.before else {
        return match (&edit.resource_version, known) {
            (None, _) | (Some(_), Some(Before::ObjectAbsent)) => Before::ObjectAbsent,
            (Some(_), _) => Before::KeyAbsent,
        };
    };
    let Some(known) = known else {
        return Before::Text(current.clone());
    };
    match restored(current, known, addresses) {
        Ok(restored) if restored.text.trim().is_empty() && !matches!(known, Before::Text(_)) => known.clone(),
        Ok(restored) => Before::Text(restored.text),
        Err(_) => known.clone(),
    }
}
