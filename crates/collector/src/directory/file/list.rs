//! Reads a List of Kubernetes objects item by item. Its `kind` may come after its items.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The fields of a List other than its items.
#[derive(Debug, Default)]
pub(super) struct List {
    /// The field `kind`, such as `List`.
    pub(super) kind: Option<String>,
    has_items: bool,
}

impl List {
    /// Reads a List and passes each of its items to `take`.
    pub(super) fn read<'de, I: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
        take: impl FnMut(I),
    ) -> Result<Self, D::Error> {
        let items = Items {
            take,
            items: PhantomData,
        };
        deserializer.deserialize_map(items)
    }

    /// Returns whether the object is a List that has items.
    pub(super) fn is_complete(&self) -> bool {
        self.has_items && self.kind.as_deref() == Some("List")
    }
}

/// Visits the fields of a List, and its items as they come.
struct Items<I, F> {
    take: F,
    items: PhantomData<fn() -> I>,
}

impl<'de, I: Deserialize<'de>, F: FnMut(I)> Visitor<'de> for Items<I, F> {
    type Value = List;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a List of Kubernetes objects")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<List, A::Error> {
        let mut list = List::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "kind" => list.kind = map.next_value()?,
                "items" => {
                    list.has_items = true;
                    map.next_value_seed(&mut self)?;
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(list)
    }
}

impl<'de, I: Deserialize<'de>, F: FnMut(I)> DeserializeSeed<'de> for &mut Items<I, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, I: Deserialize<'de>, F: FnMut(I)> Visitor<'de> for &mut Items<I, F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element()? {
            (self.take)(item);
        }
        Ok(())
    }
}
