//! The one way in which reading bytes can fail.

use std::error::Error;
use std::fmt;

/// Bytes that are not the protobuf message they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("bytes are not the protobuf message they should be")
    }
}

impl Error for Malformed {}
