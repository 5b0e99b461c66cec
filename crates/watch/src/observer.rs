//! The receiver of what a watch reads.

use std::future::Future;

use serde::Deserializer;

use crate::{Verb, WatchFailure};

/// The request that follows a failed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextRequest {
    /// A watch goes on from the last known version. A list that failed is repeated.
    Resume,
    /// Everything is listed again.
    Relist,
}

/// Keeps the objects of a watch, and says how the watch fares. [`Watch`](crate::Watch) calls it and waits
/// until each call returns.
pub trait Observer: Send {
    /// What the observer keeps of an object.
    type Object: Send;

    /// Decodes an object of a list or of an event.
    ///
    /// # Errors
    ///
    /// [`WatchFailure::Unreadable`] if the object can't even be named. The list or the watch then fails.
    fn decode<'de, D>(&self, object: D) -> Result<Self::Object, WatchFailure>
    where
        D: Deserializer<'de> + Copy;

    /// A list begins. Objects that it does not show until [`Observer::end_list`] are gone. A list that
    /// fails is followed by another beginning.
    fn begin_list(&mut self) -> impl Future<Output = ()> + Send;

    /// An object of a list, or one that was added or changed.
    fn apply(&mut self, object: Self::Object) -> impl Future<Output = ()> + Send;

    /// An object that was deleted, in its last state.
    fn delete(&mut self, object: Self::Object) -> impl Future<Output = ()> + Send;

    /// A list has ended. Every object was shown.
    fn end_list(&mut self) -> impl Future<Output = ()> + Send;

    /// A watch begins: the API server has accepted it.
    fn begin_watch(&mut self) {}

    /// The API server has sent something: a page of a list, the beginning of a watch, an event, a bookmark.
    fn heard(&mut self) {}

    /// The watch has lasted long enough to be of use.
    fn works(&mut self) {}

    /// A list or a watch has failed. Returns the next request, which follows after a pause. A list that is
    /// made beside a watch that works may fail without this call.
    fn failed(&mut self, verb: Verb, failure: &WatchFailure) -> impl Future<Output = NextRequest> + Send;
}
