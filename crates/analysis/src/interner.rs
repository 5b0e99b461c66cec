//! Strings to small ids and back, within a bound of bytes.

mod text;

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use foldhash::fast::FixedState;
use hashbrown::HashTable;

pub use text::Text;

/// Bytes that a string takes besides its text: its counters, its place among the others, its place by hash, and what an allocator
/// and tables that grow add to them.
pub const STRING_BYTES: usize = 64;

/// The id of an interned string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(u32);

impl Symbol {
    /// The literal `unknown`, Istio's word for a label value that could not be found.
    pub const UNKNOWN: Symbol = Symbol(0);
    /// The empty string.
    pub const EMPTY: Symbol = Symbol(1);
    /// What every new string becomes once the interner is full.
    pub const OVERFLOW: Symbol = Symbol(2);
    /// The literal `latest`, Istio's word for a revision that nobody named.
    pub const LATEST: Symbol = Symbol(3);

    /// The id as a number, for use in a memo's key.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// A table of strings that only grows, up to a bound; past it new strings become [`Symbol::OVERFLOW`], so that what a
/// client sends can't exhaust the memory.
#[derive(Debug)]
pub struct Interner {
    ids: HashTable<u32>,
    strings: Vec<Arc<str>>,
    bytes: usize,
    limit: usize,
    state: FixedState,
    number: u32,
}

/// Numbers of interners, by which a [`Text`] knows whose symbol it has.
static NUMBERS: AtomicU32 = AtomicU32::new(1);

impl Interner {
    /// An interner for at most `limit` bytes of strings, each with [`STRING_BYTES`].
    pub fn new(limit: usize) -> Self {
        let mut interner = Interner {
            ids: HashTable::new(),
            strings: Vec::new(),
            bytes: 0,
            limit: usize::MAX,
            state: FixedState::default(),
            number: NUMBERS.fetch_add(1, Relaxed),
        };
        for reserved in ["unknown", "", "overflow", "latest"] {
            interner.intern(reserved);
        }
        interner.limit = limit;
        interner
    }

    /// The id of `text`.
    pub fn intern(&mut self, text: &str) -> Symbol {
        let hash = hash_of(&self.state, text.as_bytes());
        self.known(hash, text.as_bytes())
            .unwrap_or_else(|| self.add(hash, text))
    }

    fn known(&self, hash: u64, text: &[u8]) -> Option<Symbol> {
        let is_its = |id: &u32| {
            let string = self.strings.get(*id as usize);
            string.is_some_and(|string| string.as_bytes() == text)
        };
        self.ids.find(hash, is_its).copied().map(Symbol)
    }

    fn add(&mut self, hash: u64, text: &str) -> Symbol {
        let Ok(id) = u32::try_from(self.strings.len()) else {
            return Symbol::OVERFLOW;
        };
        let bytes = STRING_BYTES + text.len();
        if self.bytes + bytes > self.limit {
            return Symbol::OVERFLOW;
        }
        self.bytes += bytes;
        self.strings.push(text.into());
        let (strings, state) = (&self.strings, &self.state);
        self.ids.insert_unique(hash, id, |id| {
            let string = strings.get(*id as usize);
            string.map_or(0, |string| hash_of(state, string.as_bytes()))
        });
        Symbol(id)
    }

    /// The id of a string that a client sent: bytes that are not UTF-8 become the replacement character.
    pub fn intern_bytes(&mut self, bytes: &[u8]) -> Symbol {
        // What is known is text.
        let hash = hash_of(&self.state, bytes);
        self.known(hash, bytes)
            .unwrap_or_else(|| self.intern(&String::from_utf8_lossy(bytes)))
    }

    /// The number by which a [`Text`] knows this interner.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The id of a text that lives long: it is looked for only once.
    pub fn intern_text(&mut self, text: &Text) -> Symbol {
        if let Some(symbol) = text.symbol_of(self.number) {
            return symbol;
        }
        let symbol = self.intern(text);
        text.remember(self.number, symbol);
        symbol
    }

    /// The string of `symbol`.
    pub fn text(&self, symbol: Symbol) -> Arc<str> {
        self.strings.get(symbol.0 as usize).cloned().unwrap_or_default()
    }
}

fn hash_of(state: &FixedState, text: &[u8]) -> u64 {
    let mut hasher = state.build_hasher();
    hasher.write(text);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_strings_get_one_symbol_and_come_back() {
        let mut interner = Interner::new(1000);
        let reviews = interner.intern("reviews");
        assert_eq!(interner.intern("reviews"), reviews);
        assert_ne!(interner.intern("ratings"), reviews);
        assert_eq!(&*interner.text(reviews), "reviews");
        assert_eq!(interner.intern("unknown"), Symbol::UNKNOWN);
        assert_eq!(interner.intern(""), Symbol::EMPTY);
        assert_eq!(&*interner.text(Symbol::OVERFLOW), "overflow");
        assert_eq!(&*interner.text(Symbol::LATEST), "latest");
    }

    #[test]
    fn a_full_interner_keeps_what_it_has_and_overflows_the_rest() {
        // The reserved strings have 21 bytes.
        let mut interner = Interner::new(6 * STRING_BYTES + 36);
        let first = interner.intern("0123456789");
        assert_ne!(first, Symbol::OVERFLOW);
        assert_eq!(interner.intern("abcdef"), Symbol::OVERFLOW);
        assert_ne!(interner.intern("abcde"), Symbol::OVERFLOW);
        assert_eq!(interner.intern("f"), Symbol::OVERFLOW);
        assert_eq!(interner.intern("0123456789"), first);
    }

    #[test]
    fn short_strings_take_no_more_than_the_bound() {
        let mut interner = Interner::new(11 * STRING_BYTES);
        // The reserved strings take four and a part of another one.
        let symbols = ["a", "b", "c", "d", "e", "f", "g"].map(|text| interner.intern(text));
        assert_eq!(
            symbols.map(|symbol| symbol == Symbol::OVERFLOW),
            [false, false, false, false, false, false, true]
        );
    }

    #[test]
    fn a_known_string_is_found_in_a_full_interner() {
        let mut interner = Interner::new(5 * STRING_BYTES + 31);
        let first = interner.intern("0123456789");
        assert_eq!(interner.intern("f"), Symbol::OVERFLOW);
        assert_eq!(interner.intern("0123456789"), first);
    }

    #[test]
    fn bytes_that_are_not_text_are_replaced() {
        let mut interner = Interner::new(1000);
        let symbol = interner.intern_bytes(b"a\xffb");
        assert_eq!(&*interner.text(symbol), "a\u{fffd}b");
        assert_eq!(interner.intern_bytes(b"a\xffb"), symbol);
        assert_eq!(interner.intern_bytes("a\u{fffd}b".as_bytes()), symbol);
    }

    #[test]
    fn a_text_has_the_symbol_of_each_interner() {
        let [mut one, mut other] = [Interner::new(1000), Interner::new(1000)];
        other.intern("ratings");
        let reviews = Text::from("reviews");
        let symbols = |interner: &mut Interner| [interner.intern_text(&reviews), interner.intern("reviews")];
        for _ in 0..2 {
            for interner in [&mut one, &mut other] {
                let [symbol, expected] = symbols(interner);
                assert_eq!(symbol, expected);
                assert_eq!(interner.intern_text(&reviews.clone()), expected);
            }
        }
        assert_ne!(one.intern("reviews"), other.intern("reviews"));
    }
}
