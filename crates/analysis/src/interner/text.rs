//! Long-lived texts, such as those of the directory. Each remembers the symbol that it was interned as.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::Symbol;

/// A text and its symbol. Clones share the text; a symbol that one of them learns later is its own.
pub struct Text {
    text: Arc<str>,
    /// The epoch in the upper half, which is never 0, and the symbol in the lower.
    symbol: AtomicU64,
}

impl Text {
    /// The text as a shared pointer.
    pub fn shared(&self) -> Arc<str> {
        self.text.clone()
    }

    /// The symbol, if it is known from the epoch of this number.
    #[inline]
    pub(crate) fn symbol_of(&self, epoch: u32) -> Option<Symbol> {
        let known = self.symbol.load(Relaxed);
        (known >> 32 == u64::from(epoch)).then_some(Symbol(known as u32))
    }

    /// Remembers the symbol that the interner gave in this epoch.
    pub(super) fn remember(&self, epoch: u32, symbol: Symbol) {
        let known = u64::from(epoch) << 32 | u64::from(symbol.0);
        self.symbol.store(known, Relaxed);
    }
}

impl From<Arc<str>> for Text {
    fn from(text: Arc<str>) -> Self {
        Text {
            text,
            symbol: AtomicU64::new(0),
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Arc::<str>::from(text).into()
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Arc::<str>::from(text).into()
    }
}

impl Clone for Text {
    fn clone(&self) -> Self {
        Text {
            text: self.text.clone(),
            symbol: AtomicU64::new(self.symbol.load(Relaxed)),
        }
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.text, f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&*self.text, f)
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}
