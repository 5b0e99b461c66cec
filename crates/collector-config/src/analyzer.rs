//! The analyzers by the names that Apache `SkyWalking`'s users know, and their comma-separated chains.

use std::fmt;
use std::str::FromStr;

use crate::nearest::choices;

/// One set of rules that reads entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Analyzer {
    /// Identity from Kubernetes: addresses looked up in the directory.
    K8sMesh,
    /// Identity from the proxies: what Istio's metadata exchange says about the peers.
    MxMesh,
    /// Keeps single entries of what the analyzers before it identified.
    Persistence,
}

impl Analyzer {
    /// Every analyzer that has a name.
    pub const ALL: [Self; 3] = [Self::K8sMesh, Self::MxMesh, Self::Persistence];

    /// Whether this version has it; a chain with one that it does not have is refused.
    pub const fn is_built(self) -> bool {
        match self {
            Self::K8sMesh | Self::MxMesh => true,
            Self::Persistence => false,
        }
    }

    /// The name in the configuration file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::K8sMesh => "k8s-mesh",
            Self::MxMesh => "mx-mesh",
            Self::Persistence => "persistence",
        }
    }

    /// Parses a comma-separated chain; its order counts. An empty text is an empty chain.
    pub fn chain(text: &str) -> Result<Vec<Self>, AnalyzerError> {
        let mut chain = Vec::new();
        if text.trim().is_empty() {
            return Ok(chain);
        }
        for name in text.split(',') {
            let analyzer: Self = name.parse()?;
            if !analyzer.is_built() {
                return Err(AnalyzerError::NotBuilt {
                    name: analyzer.name(),
                });
            }
            if chain.contains(&analyzer) {
                return Err(AnalyzerError::Twice {
                    name: analyzer.name(),
                });
            }
            chain.push(analyzer);
        }
        Ok(chain)
    }

    /// The names that a chain may have.
    fn built() -> Vec<&'static str> {
        let built = Self::ALL.into_iter().filter(|analyzer| analyzer.is_built());
        built.map(Self::name).collect()
    }
}

impl fmt::Display for Analyzer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Analyzer {
    type Err = AnalyzerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.trim();
        let analyzer = Self::ALL.into_iter().find(|analyzer| analyzer.name() == name);
        analyzer.ok_or_else(|| AnalyzerError::Unknown {
            name: name.to_owned(),
        })
    }
}

/// Why a chain of analyzers was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnalyzerError {
    /// No analyzer has this name.
    #[error("`{name}` is not an analyzer; {choices}", choices = choices(name, &Analyzer::built()))]
    Unknown {
        /// The name as written.
        name: String,
    },
    /// An analyzer that this version does not have.
    #[error("the analyzer `{name}` is not in this version; use {built}", built = Analyzer::built().join(", "))]
    NotBuilt {
        /// The analyzer's name.
        name: &'static str,
    },
    /// One analyzer stands in the chain more than once.
    #[error("the analyzer `{name}` is listed twice; list it once")]
    Twice {
        /// The analyzer's name.
        name: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::empty("", vec![])]
    #[case::blank("  ", vec![])]
    #[case::one("k8s-mesh", vec![Analyzer::K8sMesh])]
    #[case::trimmed(" k8s-mesh ", vec![Analyzer::K8sMesh])]
    #[case::in_order("mx-mesh, k8s-mesh", vec![Analyzer::MxMesh, Analyzer::K8sMesh])]
    fn chain_is_read(#[case] text: &str, #[case] expected: Vec<Analyzer>) {
        assert_eq!(Analyzer::chain(text), Ok(expected));
    }

    #[rstest]
    #[case::unknown("k8s", "`k8s` is not an analyzer; use k8s-mesh, mx-mesh")]
    #[case::other_case(
        "K8S-Mesh",
        "`K8S-Mesh` is not an analyzer; the nearest is `k8s-mesh`, of k8s-mesh, mx-mesh"
    )]
    #[case::gap("k8s-mesh,,", "`` is not an analyzer; use k8s-mesh, mx-mesh")]
    #[case::persistence(
        "k8s-mesh, persistence",
        "the analyzer `persistence` is not in this version; use k8s-mesh, mx-mesh"
    )]
    #[case::twice("k8s-mesh,k8s-mesh", "the analyzer `k8s-mesh` is listed twice; list it once")]
    fn bad_chain_says_what_to_use(#[case] text: &str, #[case] message: &str) {
        let error = Analyzer::chain(text).expect_err("the chain is bad");
        assert_eq!(error.to_string(), message);
    }

    #[test]
    fn every_name_parses_to_its_analyzer() {
        for analyzer in Analyzer::ALL {
            assert_eq!(analyzer.to_string().parse(), Ok(analyzer));
        }
    }
}
