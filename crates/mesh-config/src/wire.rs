//! Telling the mesh to stream: the two keys are set, and everything else stays byte for byte.

use crate::MeshConfigError;
use crate::address::check_address;
use crate::edit::edited;
use crate::insertion::{Branch, Leaf, as_children, as_value, into_empty, into_mapping};
use crate::mesh::{ADDRESS, FLAG, Mesh, PROXY, Path, SERVICE};
use crate::parse;

/// The mesh config `text` with `enableEnvoyAccessLogService: true` and `defaultConfig.envoyAccessLogService: {address}`.
///
/// Everything else stays byte for byte: order, comments, blank lines, indentation, quoting, anchors, line ends. A new key is
/// written in the style of the mapping that it comes into. What already holds stays as it is written, so a text that holds both
/// is returned unchanged (`yes` is true to istiod). Another `envoyAccessLogService` is replaced as a whole: whether it may be
/// is the caller's decision. istiod finds `defaultConfig` by this spelling only, so this is how it is written.
///
/// The result is parsed and compared with `text`. If anything but the two paths would differ, as with an alias that repeats
/// `defaultConfig`, it is an error. An address that istiod would refuse is an error too, for it refuses the whole text with it.
pub fn wire(text: &str, address: &str) -> Result<String, MeshConfigError> {
    check_address(address)?;
    let with_both = with_flag(&with_service(text, address)?);
    // The caller knows the lines of `text` only.
    with_both.map_err(|error| with_flag(text).err().unwrap_or(error))
}

fn with_service(text: &str, address: &str) -> Result<String, MeshConfigError> {
    let document = parse::document(text)?;
    let mesh = Mesh::of(&document)?;
    if mesh.settings.service_is(address) {
        return Ok(text.to_owned());
    }
    let leaf = Leaf::Address(address);
    let below_root = Branch {
        keys: &[PROXY, SERVICE, ADDRESS],
        leaf,
    };
    let below_proxy = Branch {
        keys: &[SERVICE, ADDRESS],
        leaf,
    };
    let below_service = Branch {
        keys: &[ADDRESS],
        leaf,
    };
    let splices = match (mesh.service, mesh.proxy, &document.root) {
        (Some(service), _, _) => as_value(&document, service, below_service),
        (None, Some(proxy), _) if proxy.value.is_left_out() => {
            let mut splices = as_children(&mesh, proxy, below_proxy);
            splices.extend(as_value(&document, proxy, below_proxy));
            splices
        }
        (None, Some(proxy), _) if proxy.value.is_null() => as_value(&document, proxy, below_proxy),
        (None, Some(proxy), _) => into_mapping(&mesh, &proxy.value, below_proxy),
        (None, None, Some(root)) => into_mapping(&mesh, root, below_root),
        (None, None, None) => into_empty(&document, below_root),
    };
    edited(&mesh, Path::Service, &splices, &|after| {
        after.settings.service_is(address)
    })
}

fn with_flag(text: &str) -> Result<String, MeshConfigError> {
    let document = parse::document(text)?;
    let mesh = Mesh::of(&document)?;
    if mesh.settings.enabled == Some(true) {
        return Ok(text.to_owned());
    }
    let leaf = Leaf::True;
    let branch = Branch { keys: &[FLAG], leaf };
    let splices = match (mesh.flag, &document.root) {
        (Some(flag), _) => as_value(&document, flag, Branch { keys: &[], leaf }),
        (None, Some(root)) => into_mapping(&mesh, root, branch),
        (None, None) => into_empty(&document, branch),
    };
    edited(&mesh, Path::Flag, &splices, &|after| {
        after.settings.enabled == Some(true)
    })
}
