//! Tells the mesh to stream its access logs: two paths are set, and everything else stays byte for byte.

use crate::MeshConfigError;
use crate::address::check_address;
use crate::insert::insert;
use crate::path::{Path, Segment, Value};

/// `enableEnvoyAccessLogService`.
pub(crate) const FLAG: Path<'_> = Path(&[Segment::Key("enableEnvoyAccessLogService")]);
/// `defaultConfig.envoyAccessLogService`.
pub(crate) const SERVICE: Path<'_> = Path(&[
    Segment::Key("defaultConfig"),
    Segment::Key("envoyAccessLogService"),
]);

/// The value of [`SERVICE`].
pub(crate) fn service(address: &str) -> Value {
    Value::Mapping(vec![("address".to_owned(), Value::Text(address.to_owned()))])
}

/// The mesh config `text` with `enableEnvoyAccessLogService: true` and `defaultConfig.envoyAccessLogService: {address}`.
///
/// Everything else stays byte for byte: order, comments, blank lines, indentation, quoting, anchors, line ends. A new key is
/// written in the style of the mapping that it comes into. What already holds stays as it is written, so a text that holds both
/// is returned unchanged (`yes` is true to istiod). Another `envoyAccessLogService` is replaced as a whole: the caller decides
/// whether it may be. istiod finds `defaultConfig` by this spelling only, so this is how it is written.
///
/// The result is parsed and compared with `text`. If anything but the two paths would differ, as with an alias that repeats
/// `defaultConfig`, it is an error. An address that istiod would refuse is an error too, because istiod would refuse the whole
/// text with it.
pub fn wire(text: &str, address: &str) -> Result<String, MeshConfigError> {
    check_address(address)?;
    let on = Value::Bool(true);
    let with_both = insert(&insert(text, SERVICE, &service(address))?, FLAG, &on);
    // The caller knows the lines of `text` only.
    with_both.map_err(|error| insert(text, FLAG, &on).err().unwrap_or(error))
}
