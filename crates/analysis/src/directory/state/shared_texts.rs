//! Texts that many objects share, because the pods of a workload differ little.

use std::collections::HashSet;
use std::sync::Arc;

/// A set of texts. Each is stored once.
#[derive(Debug, Default)]
pub(super) struct SharedTexts(HashSet<Arc<str>>);

impl SharedTexts {
    /// The stored text that equals `text`.
    pub(super) fn share(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return known.clone();
        }
        let new: Arc<str> = text.into();
        self.0.insert(new.clone());
        new
    }

    /// Forgets the texts that nobody else holds.
    pub(super) fn forget_unused(&mut self) {
        self.0.retain(|text| Arc::strong_count(text) > 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one() {
        let mut texts = SharedTexts::default();
        let [one, same, other] = ["reviews", "reviews", "ratings"].map(|text| texts.share(text));
        assert!(Arc::ptr_eq(&one, &same));
        assert_eq!([&*one, &*other], ["reviews", "ratings"]);
    }

    #[test]
    fn a_text_is_forgotten_when_nobody_has_it() {
        let mut texts = SharedTexts::default();
        let kept = texts.share("reviews");
        drop(texts.share("ratings"));
        texts.forget_unused();
        assert_eq!(texts.0, [kept].into());
    }
}
