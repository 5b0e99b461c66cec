//! Lists and watches the objects of one Kubernetes kind, for as long as a program runs.
//!
//! kube's own watcher does not fit. It hides the beginning and the end of a watch and its bookmarks, so
//! nobody can pause after an early end or tell by a bookmark that the watch is alive. It takes the
//! beginning of a list for a success. And if one object of a list is bad, it drops the whole list.
//!
//! A [`Watch`] tries every failure again. A pause is at most a second and a third of the time for which
//! requests have failed. So a program recovers a few seconds after a short outage, and a long outage
//! costs the API server little. Its [`Observer`] keeps the objects and tells people about failures.

mod failure;
mod observer;
mod watch;

pub use failure::{Verb, WatchFailure};
pub use observer::{NextRequest, Observer};
pub use watch::{PAGE_OBJECTS, RESPONSE_TIMEOUT, Selector, Watch, WatchOptions};
