//! The analyzers, by the names that users of Apache `SkyWalking` know, and comma-separated chains of them.

use std::fmt;
use std::str::FromStr;

use crate::nearest::choices;

/// An analyzer: a set of rules that reads entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Analyzer {
    /// Finds the parties of a call by looking their addresses up in the directory.
    K8sMesh,
    /// Finds the parties of a call by what Istio's metadata exchange says about the peers.
    MxMesh,
    /// Keeps single entries of the calls whose parties the other analyzers found.
    Persistence,
}

impl Analyzer {
    /// Every analyzer, in the order in which error messages list them.
    pub const ALL: [Self; 3] = [Self::K8sMesh, Self::MxMesh, Self::Persistence];

    /// The analyzer's name in the configuration file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::K8sMesh => "k8s-mesh",
            Self::MxMesh => "mx-mesh",
            Self::Persistence => "persistence",
        }
    }

    /// Parses a comma-separated chain. The order counts: an earlier analyzer takes precedence. An empty
    /// text is an empty chain. `persistence` may stand anywhere after the first other analyzer.
    pub fn chain(text: &str) -> Result<Vec<Self>, AnalyzerError> {
        let mut chain = Vec::new();
        if text.trim().is_empty() {
            return Ok(chain);
        }
        for name in text.split(',') {
            let analyzer: Self = name.parse()?;
            if chain.contains(&analyzer) {
                return Err(AnalyzerError::Twice {
                    name: analyzer.as_str(),
                });
            }
            if analyzer == Self::Persistence && chain.is_empty() {
                return Err(AnalyzerError::NothingToKeep);
            }
            chain.push(analyzer);
        }
        Ok(chain)
    }
}

impl fmt::Display for Analyzer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Analyzer {
    type Err = AnalyzerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.trim();
        let analyzer = Self::ALL.into_iter().find(|analyzer| analyzer.as_str() == name);
        analyzer.ok_or_else(|| AnalyzerError::Unknown {
            name: name.to_owned(),
        })
    }
}

/// Why a chain of analyzers was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnalyzerError {
    /// The chain names an analyzer that does not exist.
    #[error("`{name}` is not an analyzer; {choices}", choices = choices(name, &Analyzer::ALL.map(Analyzer::as_str)))]
    Unknown {
        /// The unknown name, as written.
        name: String,
    },
    /// The chain begins with `persistence`, so no analyzer before it finds parties.
    #[error(
        "the analyzer `persistence` needs an analyzer before it; write it after k8s-mesh or mx-mesh, as in k8s-mesh,persistence"
    )]
    NothingToKeep,
    /// The chain lists an analyzer more than once.
    #[error("the analyzer `{name}` is listed twice; list it once")]
    Twice {
        /// The repeated analyzer's name.
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
    #[case::persistence("k8s-mesh, persistence", vec![Analyzer::K8sMesh, Analyzer::Persistence])]
    #[case::persistence_between(
        "k8s-mesh,persistence,mx-mesh",
        vec![Analyzer::K8sMesh, Analyzer::Persistence, Analyzer::MxMesh]
    )]
    fn chain_is_read(#[case] text: &str, #[case] expected: Vec<Analyzer>) {
        assert_eq!(Analyzer::chain(text), Ok(expected));
    }

    #[rstest]
    #[case::unknown("k8s", "`k8s` is not an analyzer; use k8s-mesh, mx-mesh, persistence")]
    #[case::other_case(
        "K8S-Mesh",
        "`K8S-Mesh` is not an analyzer; the nearest is `k8s-mesh`, of k8s-mesh, mx-mesh, persistence"
    )]
    #[case::gap("k8s-mesh,,", "`` is not an analyzer; use k8s-mesh, mx-mesh, persistence")]
    #[case::persistence_alone(
        "persistence",
        "the analyzer `persistence` needs an analyzer before it; write it after k8s-mesh or mx-mesh, as in k8s-mesh,persistence"
    )]
    #[case::persistence_first(
        "persistence,k8s-mesh",
        "the analyzer `persistence` needs an analyzer before it; write it after k8s-mesh or mx-mesh, as in k8s-mesh,persistence"
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
