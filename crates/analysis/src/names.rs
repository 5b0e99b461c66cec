//! Names endpoints, and decides what of a request may be shown.
//!
//! [`target`] cuts a request into canonical segments, [`segment`] tells which of them are values, [`endpoint_rule`] holds the user's
//! own path templates, [`trie`] learns the rest within a bound, and [`endpoint`] asks them in that order. [`redact`] hides
//! secrets in what is shown whole: paths, authorities and headers.
//!
//! What a client sends never panics here, and a known name is found without allocating.

pub mod endpoint;
pub mod endpoint_rule;
mod escape;
pub mod method;
pub mod redact;
pub mod segment;
pub mod target;
pub mod trie;
