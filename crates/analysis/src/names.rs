//! Names endpoints, and decides what of a request may be shown.
//!
//! [`target`] cuts a request into canonical segments, [`segment`] finds which of them are values, [`endpoint_rule`] has the path
//! templates of the user, [`trie`] learns the rest within a bound, and [`endpoint`] combines them. [`redact`] hides secrets in what
//! is shown whole: paths, authorities and headers.
//!
//! Nothing that a client sends panics here, and a known name is found without allocating.

pub mod endpoint;
pub mod endpoint_rule;
mod escape;
pub mod method;
pub mod redact;
pub mod segment;
pub mod target;
pub mod trie;
