//! Maps strings to small ids and back, within a bound of bytes.
//!
//! A string is dropped when nobody needs it: no table holds its symbol, nobody holds its text, and nobody asked for it in this
//! epoch and the one before. [`crate::aggregate::expiry`] says why nobody can have its symbol then.

mod text;

use std::hash::{BuildHasher, Hasher};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

pub use text::Text;

/// Bytes that a string takes besides its text: its counters, its slot, its entry in the hash table, and what the allocator and
/// growing tables add.
pub const STRING_OVERHEAD_BYTES: usize = 72;

/// The id of an interned string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(u32);

impl Symbol {
    /// The literal `unknown`, Istio's word for a label value that could not be found.
    pub const UNKNOWN: Symbol = Symbol(0);
    /// The empty string: the namespace of a host outside the mesh.
    pub const EMPTY: Symbol = Symbol(1);
    /// The literal `overflow`, which every new string becomes once the interner is full.
    pub const OVERFLOW: Symbol = Symbol(2);
    /// The literal `latest`, Istio's word for a revision that nobody named.
    pub const LATEST: Symbol = Symbol(3);

    /// The id as a number, for hashing.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// Strings that are never dropped, in the order of the constants of [`Symbol`].
const RESERVED_STRINGS: [&str; 4] = ["unknown", "", "overflow", "latest"];

/// A table of strings, up to a bound; past it new strings become [`Symbol::OVERFLOW`], so that what a client sends can't exhaust
/// the memory.
#[derive(Debug)]
pub struct Interner {
    ids: HashTable<u32>,
    strings: Vec<Interned>,
    /// Slots whose strings were dropped.
    free: Vec<u32>,
    bytes: usize,
    limit: usize,
    state: RandomState,
    /// The number of the current epoch.
    epoch: u32,
    /// The number of the epoch before.
    previous_epoch: u32,
}

/// A string, and how long it is needed.
#[derive(Debug)]
struct Interned {
    /// `None` in a slot that is free.
    text: Option<Arc<str>>,
    /// The epoch in which it was last asked for.
    last_asked: u32,
    /// How many values hold its symbol.
    holders: u32,
}

/// The number of the next epoch. All interners count with it, so that a [`Text`] knows which interner gave its symbol, and when.
static NEXT_EPOCH: AtomicU32 = AtomicU32::new(1);

impl Interner {
    /// An interner for at most `limit` bytes of strings, each with [`STRING_OVERHEAD_BYTES`].
    pub fn new(limit: usize) -> Self {
        let epoch = NEXT_EPOCH.fetch_add(1, Relaxed);
        let mut interner = Interner {
            ids: HashTable::new(),
            strings: Vec::new(),
            free: Vec::new(),
            bytes: 0,
            limit: usize::MAX,
            state: RandomState::default(),
            epoch,
            previous_epoch: epoch,
        };
        for reserved in RESERVED_STRINGS {
            let symbol = interner.intern(reserved);
            interner.hold(symbol);
        }
        interner.limit = limit;
        interner
    }

    /// Begins an epoch. A [`Text`] asks for its symbol again.
    pub fn begin_epoch(&mut self) {
        self.previous_epoch = self.epoch;
        self.epoch = NEXT_EPOCH.fetch_add(1, Relaxed);
    }

    /// Notes that a value holds the symbol. Its string stays until it is released as often.
    pub fn hold(&mut self, symbol: Symbol) {
        if let Some(string) = self.strings.get_mut(symbol.0 as usize) {
            string.holders = string.holders.saturating_add(1);
        }
    }

    /// Notes that a value which held the symbol is gone.
    pub fn release(&mut self, symbol: Symbol) {
        if let Some(string) = self.strings.get_mut(symbol.0 as usize) {
            string.holders = string.holders.saturating_sub(1);
        }
    }

    /// Drops the strings in these slots that nobody needs, as the module says.
    pub fn free_unused(&mut self, slots: Range<usize>) {
        for slot in slots {
            let Some(string) = self.strings.get_mut(slot) else {
                return;
            };
            let is_asked = string.last_asked == self.epoch || string.last_asked == self.previous_epoch;
            // A text with one owner is held by this table alone, so nobody can clone it meanwhile.
            let is_unused =
                |text: &mut Arc<str>| string.holders == 0 && !is_asked && Arc::strong_count(text) == 1;
            let Some(text) = string.text.take_if(is_unused) else {
                continue;
            };
            let hash = hash_of(&self.state, text.as_bytes());
            if let Ok(entry) = self.ids.find_entry(hash, |id| *id as usize == slot) {
                self.free.push(*entry.get());
                entry.remove();
            }
            self.bytes -= STRING_OVERHEAD_BYTES + text.len();
        }
    }

    /// How many slots there are, including those whose strings were dropped.
    pub fn slots(&self) -> usize {
        self.strings.len()
    }

    /// Bytes of the strings, each with [`STRING_OVERHEAD_BYTES`].
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many strings there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are only the reserved strings.
    pub fn is_empty(&self) -> bool {
        self.len() == RESERVED_STRINGS.len()
    }

    /// The id of `text`; [`Symbol::OVERFLOW`] if it is new and there is no room.
    pub fn intern(&mut self, text: &str) -> Symbol {
        let hash = hash_of(&self.state, text.as_bytes());
        self.known(hash, text.as_bytes())
            .unwrap_or_else(|| self.add(hash, text))
    }

    fn known(&mut self, hash: u64, text: &[u8]) -> Option<Symbol> {
        let is_its = |id: &u32| bytes_of(&self.strings, *id) == text;
        let id = *self.ids.find(hash, is_its)?;
        self.strings.get_mut(id as usize)?.last_asked = self.epoch;
        Some(Symbol(id))
    }

    fn add(&mut self, hash: u64, text: &str) -> Symbol {
        let bytes = STRING_OVERHEAD_BYTES + text.len();
        if self.bytes + bytes > self.limit {
            return Symbol::OVERFLOW;
        }
        let freed = self.free.pop();
        let Some(id) = freed.or_else(|| u32::try_from(self.strings.len()).ok()) else {
            return Symbol::OVERFLOW;
        };
        self.bytes += bytes;
        let string = Interned {
            text: Some(text.into()),
            last_asked: self.epoch,
            holders: 0,
        };
        match self.strings.get_mut(id as usize) {
            Some(freed) => *freed = string,
            None => self.strings.push(string),
        }
        let (strings, state) = (&self.strings, &self.state);
        self.ids
            .insert_unique(hash, id, |id| hash_of(state, bytes_of(strings, *id)));
        Symbol(id)
    }

    /// The id of a string that a client sent: bytes that are not UTF-8 become the replacement character.
    pub fn intern_bytes(&mut self, bytes: &[u8]) -> Symbol {
        // Every known string is UTF-8, so bytes that equal one are too.
        let hash = hash_of(&self.state, bytes);
        self.known(hash, bytes)
            .unwrap_or_else(|| self.intern(&String::from_utf8_lossy(bytes)))
    }

    /// The number of the current epoch, unique among all interners.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The id of a long-lived text, which is looked up only once an epoch.
    pub fn intern_text(&mut self, text: &Text) -> Symbol {
        if let Some(symbol) = text.symbol_of(self.epoch) {
            return symbol;
        }
        let symbol = self.intern(text);
        text.remember(self.epoch, symbol);
        symbol
    }

    /// The string of `symbol`; empty if it was dropped.
    pub fn text(&self, symbol: Symbol) -> Arc<str> {
        let string = self.strings.get(symbol.0 as usize);
        string.and_then(|string| string.text.clone()).unwrap_or_default()
    }
}

fn bytes_of(strings: &[Interned], id: u32) -> &[u8] {
    let text = strings.get(id as usize).and_then(|string| string.text.as_ref());
    text.map_or(b"", |text| text.as_bytes())
}

fn hash_of(state: &RandomState, text: &[u8]) -> u64 {
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
        let mut interner = Interner::new(6 * STRING_OVERHEAD_BYTES + 36);
        let first = interner.intern("0123456789");
        assert_ne!(first, Symbol::OVERFLOW);
        assert_eq!(interner.intern("abcdef"), Symbol::OVERFLOW);
        assert_ne!(interner.intern("abcde"), Symbol::OVERFLOW);
        assert_eq!(interner.intern("f"), Symbol::OVERFLOW);
        assert_eq!(interner.intern("0123456789"), first);
    }

    #[test]
    fn short_strings_take_no_more_than_the_bound() {
        let mut interner = Interner::new(11 * STRING_OVERHEAD_BYTES);
        // The reserved strings take four and a part of another one.
        let symbols = ["a", "b", "c", "d", "e", "f", "g"].map(|text| interner.intern(text));
        assert_eq!(
            symbols.map(|symbol| symbol == Symbol::OVERFLOW),
            [false, false, false, false, false, false, true]
        );
    }

    #[test]
    fn a_known_string_is_found_in_a_full_interner() {
        let mut interner = Interner::new(5 * STRING_OVERHEAD_BYTES + 31);
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

    /// Drops all strings that nobody needs.
    fn free_unused(interner: &mut Interner) {
        interner.free_unused(0..interner.slots());
    }

    #[test]
    fn a_string_goes_when_nobody_asked_for_it_in_this_epoch_and_the_one_before() {
        let mut interner = Interner::new(1000);
        let old = interner.intern("old");
        interner.begin_epoch();
        interner.intern("asked");
        free_unused(&mut interner);
        assert_eq!(&*interner.text(old), "old");
        interner.begin_epoch();
        free_unused(&mut interner);
        assert_eq!((&*interner.text(old), interner.len()), ("", 5));
        assert_eq!((interner.intern("new"), interner.slots()), (old, 6));
        assert_eq!(
            interner.bytes(),
            6 * STRING_OVERHEAD_BYTES + "unknownoverflowlatestaskednew".len()
        );
    }

    #[test]
    fn a_string_stays_while_somebody_has_it() {
        let mut interner = Interner::new(1000);
        let [held, shown, unused] = ["held", "shown", "unused"].map(|text| interner.intern(text));
        interner.hold(held);
        interner.hold(held);
        let text = interner.text(shown);
        let texts = |interner: &mut Interner| {
            interner.begin_epoch();
            interner.begin_epoch();
            free_unused(interner);
            [held, shown, unused].map(|symbol| interner.text(symbol).to_string())
        };
        assert_eq!(texts(&mut interner), ["held", "shown", ""]);
        drop(text);
        interner.release(held);
        assert_eq!(texts(&mut interner), ["held", "", ""]);
        interner.release(held);
        assert_eq!(texts(&mut interner), ["", "", ""]);
        assert!(interner.is_empty());
    }

    #[test]
    fn a_full_interner_has_room_again_for_what_goes() {
        let mut interner = Interner::new(5 * STRING_OVERHEAD_BYTES + 31);
        interner.intern("0123456789");
        assert_eq!(interner.intern("f"), Symbol::OVERFLOW);
        interner.begin_epoch();
        interner.begin_epoch();
        free_unused(&mut interner);
        assert_ne!(interner.intern("f"), Symbol::OVERFLOW);
    }

    #[test]
    fn a_text_asks_for_its_symbol_in_each_epoch() {
        let mut interner = Interner::new(1000);
        let reviews = Text::from("reviews");
        let before = interner.intern_text(&reviews);
        interner.begin_epoch();
        interner.begin_epoch();
        free_unused(&mut interner);
        let other = interner.intern("ratings");
        assert_eq!(before, other);
        let now = interner.intern_text(&reviews);
        assert_eq!(
            (&*interner.text(now), &*interner.text(other)),
            ("reviews", "ratings")
        );
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
