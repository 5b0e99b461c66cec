//! The configured analyzers and their order.

/// One way to find the parties of an entry. The names are SkyWalking's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Analyzer {
    /// `k8s-mesh`: addresses, looked up in the directory.
    K8sMesh,
    /// `mx-mesh`: what the proxies say about themselves.
    MxMesh,
}

impl Analyzer {
    /// The analyzer's name in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Analyzer::K8sMesh => "k8s-mesh",
            Analyzer::MxMesh => "mx-mesh",
        }
    }
}

/// Analyzers in the order in which they are asked, each at most once. What an earlier one says about a party is final; a later one
/// fills in what is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    analyzers: [Option<Analyzer>; 2],
}

impl Chain {
    /// The chain of these analyzers in their order. A repeated one counts once.
    pub fn new(analyzers: impl IntoIterator<Item = Analyzer>) -> Self {
        let mut chain = Chain::default();
        for analyzer in analyzers {
            let free = chain
                .analyzers
                .iter_mut()
                .find(|place| place.is_none_or(|known| known == analyzer));
            if let Some(place) = free {
                *place = Some(analyzer);
            }
        }
        chain
    }

    /// The analyzers in their order.
    pub fn iter(self) -> impl Iterator<Item = Analyzer> {
        self.analyzers.into_iter().flatten()
    }

    /// Whether there is no analyzer.
    #[inline]
    pub fn is_empty(self) -> bool {
        let [first, _] = self.analyzers;
        first.is_none()
    }

    /// Whether `analyzer` is in the chain.
    #[inline]
    pub fn has(self, analyzer: Analyzer) -> bool {
        let [first, second] = self.analyzers;
        first == Some(analyzer) || second == Some(analyzer)
    }

    /// A number that is unique among chains, for the key of an identity.
    #[inline]
    pub fn number(self) -> u8 {
        let [first, second] = self.analyzers;
        let number = |analyzer: Option<Analyzer>| analyzer.map_or(0, |analyzer| 1 + analyzer as u8);
        number(first) * 3 + number(second)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::Analyzer::*;
    use super::*;

    #[rstest]
    #[case::empty(&[], &[])]
    #[case::one(&[MxMesh], &[MxMesh])]
    #[case::in_order(&[MxMesh, K8sMesh], &[MxMesh, K8sMesh])]
    // proves: chain/each-once
    #[case::each_once(&[K8sMesh, K8sMesh, MxMesh, K8sMesh, MxMesh], &[K8sMesh, MxMesh])]
    fn a_chain_has_each_analyzer_once_in_order(#[case] listed: &[Analyzer], #[case] expected: &[Analyzer]) {
        let chain = Chain::new(listed.iter().copied());
        assert_eq!(chain.iter().collect::<Vec<_>>(), expected);
        assert_eq!(chain.is_empty(), expected.is_empty());
        assert_eq!(chain.has(MxMesh), expected.contains(&MxMesh));
    }

    #[test]
    fn chains_have_different_numbers() {
        let chains: [&[Analyzer]; 5] = [&[], &[K8sMesh], &[MxMesh], &[K8sMesh, MxMesh], &[MxMesh, K8sMesh]];
        let mut numbers = chains.map(|chain| Chain::new(chain.iter().copied()).number());
        numbers.sort_unstable();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    }
}
