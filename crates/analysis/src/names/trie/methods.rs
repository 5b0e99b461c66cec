//! Sets of request methods, plain and shared between readers.

use std::sync::atomic::{AtomicU16, Ordering};

use crate::names::method::Method;

/// A set of methods, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Methods(u16);

impl Methods {
    pub(super) fn has(self, method: Method) -> bool {
        self.0 & (1 << method as u16) != 0
    }

    pub(super) fn insert(&mut self, method: Method) {
        self.0 |= 1 << method as u16;
    }

    pub(super) fn add(&mut self, other: Methods) {
        self.0 |= other.0;
    }

    pub(super) fn intersection(self, other: Methods) -> Methods {
        Methods(self.0 & other.0)
    }

    pub(super) fn all(self) -> impl Iterator<Item = Method> {
        Method::ALL.into_iter().filter(move |method| self.has(*method))
    }
}

/// A set of methods that readers may add to while others read.
#[derive(Debug, Default)]
pub(super) struct AtomicMethods(AtomicU16);

impl AtomicMethods {
    /// Adds a method. Workers share the set, so it is written only if the method is new.
    pub(super) fn note(&self, method: Method) {
        let bit = 1 << method as u16;
        if self.0.load(Ordering::Relaxed) & bit == 0 {
            self.0.fetch_or(bit, Ordering::Relaxed);
        }
    }

    pub(super) fn add(&mut self, other: &AtomicMethods) {
        *self.0.get_mut() |= other.0.load(Ordering::Relaxed);
    }

    pub(super) fn take(&mut self) -> Methods {
        Methods(std::mem::take(self.0.get_mut()))
    }
}

impl Clone for AtomicMethods {
    fn clone(&self) -> Self {
        AtomicMethods(self.0.load(Ordering::Relaxed).into())
    }
}
