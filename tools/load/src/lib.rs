//! The load of the benchmarks: a mesh, who calls whom in it, and what its proxies send, all encoded before a clock starts. It
//! depends on no socket, so that the instructions of the analysis can be counted without building a collector.
//!
//! | module | what is in it |
//! |---|---|
//! | [`mesh`] | which workloads there are, with their pods |
//! | [`objects`], [`records`] | the same as Kubernetes objects, and as a directory |
//! | [`traffic`] | which of their pods call one another, and how often |
//! | [`shape`], [`entries`], [`peers`] | what one call is on the wire |
//! | [`streams`] | what each proxy sends |
//! | [`analysis`] | all of it through the readers and the rules, in one thread |

pub mod analysis;
pub mod entries;
pub mod mesh;
pub mod objects;
pub mod peers;
pub mod random;
pub mod records;
pub mod shape;
pub mod streams;
pub mod traffic;
