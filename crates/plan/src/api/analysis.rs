//! The part `spec.analysis` of a resource.

use std::borrow::Cow;

use alscope_collector_config::{Analyzer, AnalyzerError};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// How the collector finds out who called whom.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisSpec {
    /// The analyzers of HTTP entries, by their names in `SkyWalking`. What an earlier one finds is final, and a later one adds what is missing.
    #[serde(default)]
    pub http: Analyzers,
    /// The analyzers of TCP entries, in the same way.
    #[serde(default)]
    pub tcp: Analyzers,
}

impl AnalysisSpec {
    /// Whether the collector needs the Kubernetes API.
    pub fn looks_up(&self) -> bool {
        [&self.http, &self.tcp]
            .iter()
            .any(|chain| chain.0.contains(&Analyzer::K8sMesh))
    }
}

/// Analyzers in their order, as the collector's configuration has them: comma-separated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Analyzers(pub Vec<Analyzer>);

impl Analyzers {
    /// Every chain that the definition admits: each order of what finds parties, without and with `persistence` after it.
    pub fn all() -> Vec<Self> {
        use Analyzer::{K8sMesh, MxMesh, Persistence};
        let finders: [&[Analyzer]; 4] = [&[K8sMesh], &[MxMesh], &[K8sMesh, MxMesh], &[MxMesh, K8sMesh]];
        let alone = finders.iter().map(|finders| Self(finders.to_vec()));
        let kept = finders
            .iter()
            .map(|finders| Self([finders, &[Persistence][..]].concat()));
        alone.chain(kept).collect()
    }
}

impl Default for Analyzers {
    fn default() -> Self {
        Self(vec![Analyzer::K8sMesh])
    }
}

impl TryFrom<String> for Analyzers {
    type Error = AnalyzerError;

    fn try_from(text: String) -> Result<Self, AnalyzerError> {
        Analyzer::chain(&text).map(Self)
    }
}

impl From<Analyzers> for String {
    fn from(analyzers: Analyzers) -> Self {
        let names: Vec<&str> = analyzers.0.iter().map(|analyzer| analyzer.as_str()).collect();
        names.join(",")
    }
}

impl JsonSchema for Analyzers {
    fn schema_name() -> Cow<'static, str> {
        "Analyzers".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let all: Vec<String> = Self::all().into_iter().map(String::from).collect();
        json_schema!({"type": "string", "enum": all})
    }
}
