//! The analyzers by the names that Apache `SkyWalking`'s users know, and their comma-separated chains.

use std::fmt;
use std::str::FromStr;

/// One set of rules that reads entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Analyzer {
    /// Identity from Kubernetes: addresses looked up in the directory.
    K8sMesh,
}

impl Analyzer {
    /// Every analyzer of this version.
    pub const ALL: [Self; 1] = [Self::K8sMesh];

    /// `SkyWalking`'s analyzers that this version does not have.
    const ABSENT: [&str; 2] = ["mx-mesh", "persistence"];

    /// The name in the configuration file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::K8sMesh => "k8s-mesh",
        }
    }

    /// Parses a comma-separated chain; an empty text is an empty chain.
    pub fn chain(text: &str) -> Result<Vec<Self>, AnalyzerError> {
        let mut chain = Vec::new();
        if text.trim().is_empty() {
            return Ok(chain);
        }
        for name in text.split(',') {
            let analyzer: Self = name.parse()?;
            if chain.contains(&analyzer) {
                return Err(AnalyzerError::Twice {
                    name: analyzer.name(),
                });
            }
            chain.push(analyzer);
        }
        Ok(chain)
    }

    fn known() -> String {
        Self::ALL.map(Self::name).join(", ")
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
        if let Some(analyzer) = Self::ALL.into_iter().find(|analyzer| analyzer.name() == name) {
            return Ok(analyzer);
        }
        match Self::ABSENT.into_iter().find(|absent| *absent == name) {
            Some(name) => Err(AnalyzerError::Absent { name }),
            None => Err(AnalyzerError::Unknown {
                name: name.to_owned(),
            }),
        }
    }
}

/// Why a chain of analyzers was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnalyzerError {
    /// No analyzer has this name.
    #[error("`{name}` is not an analyzer; use {known}", known = Analyzer::known())]
    Unknown {
        /// The name as written.
        name: String,
    },
    /// `SkyWalking` has this analyzer, this version does not.
    #[error("the analyzer `{name}` is not in this version; use {known}", known = Analyzer::known())]
    Absent {
        /// `SkyWalking`'s name.
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
    fn chain_is_read(#[case] text: &str, #[case] expected: Vec<Analyzer>) {
        assert_eq!(Analyzer::chain(text), Ok(expected));
    }

    #[rstest]
    #[case::unknown("k8s", "`k8s` is not an analyzer; use k8s-mesh")]
    #[case::other_case("K8S-Mesh", "`K8S-Mesh` is not an analyzer; use k8s-mesh")]
    #[case::gap("k8s-mesh,,", "`` is not an analyzer; use k8s-mesh")]
    #[case::metadata_exchange("mx-mesh", "the analyzer `mx-mesh` is not in this version; use k8s-mesh")]
    #[case::persistence(
        "k8s-mesh, persistence",
        "the analyzer `persistence` is not in this version; use k8s-mesh"
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
