//! Builds the analyzer `persistence` and its endpoint rules from the configuration.

use std::sync::Arc;

use alscope_analysis::names::endpoint::{self, Endpoints};
use alscope_analysis::names::endpoint_rule::{EndpointRule, EndpointRuleError};
use alscope_analysis::names::redact::Redaction;
use alscope_analysis::persistence::Persistence;
use alscope_analysis::persistence::reason::SamplingRules;
use alscope_analysis::persistence::sample::Share;
use alscope_collector_config::{Analyzer, Config};

use crate::export::exporters;

/// An endpoint rule that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("analysis.endpoints.rules: {0}")]
pub struct BadEndpointRule(#[from] EndpointRuleError);

/// Builds the analyzer, which all workers share. Returns `None` if no chain lists it.
pub fn persistence(config: &Config) -> Result<Option<Arc<Persistence>>, BadEndpointRule> {
    let endpoints = endpoints(config)?;
    let is_in = |chain: &[Analyzer]| chain.contains(&Analyzer::Persistence);
    let told = &config.analysis.persistence;
    let rules = SamplingRules {
        requests: is_in(&config.analysis.http),
        connections: is_in(&config.analysis.tcp),
        errors: told.errors,
        slow: told.slow,
        sampled: Share::new(told.sampled_share),
    };
    if !rules.requests && !rules.connections {
        return Ok(None);
    }
    let persistence = Persistence::new(exporters::sinks(rules), told.entries_per_minute, endpoints)
        .with_idle(config.limits.idle_series);
    Ok(Some(Arc::new(persistence.with_redaction(redaction(config)))))
}

fn endpoints(config: &Config) -> Result<Endpoints, BadEndpointRule> {
    let told = &config.analysis.endpoints;
    let rules = told.rules.iter().map(|rule| EndpointRule::parse(rule, None));
    let mut settings = endpoint::EndpointBounds::default();
    settings.service.names = told.per_service;
    Ok(Endpoints::new(settings, rules.collect::<Result<_, _>>()?))
}

fn redaction(config: &Config) -> Redaction {
    if config.analysis.redaction.enabled {
        hidden_headers(config)
    } else {
        Redaction::Off
    }
}

/// Builds the redaction with the configured headers. It hides secrets wherever single entries are shown.
pub fn hidden_headers(config: &Config) -> Redaction {
    Redaction::with_headers(config.analysis.redaction.headers.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rstest::rstest;

    use super::*;

    fn config(analysis: &str) -> Config {
        let text = format!("{{ directory: {{ none: {{}} }}, analysis: {{ {analysis} }} }}");
        Config::parse(&text, Path::new("collector.yaml")).expect("the text is a configuration")
    }

    #[rstest]
    #[case::neither("http: mx-mesh, tcp: mx-mesh", false)]
    #[case::http("http: 'mx-mesh,persistence', tcp: mx-mesh", true)]
    #[case::tcp("http: mx-mesh, tcp: 'mx-mesh,persistence'", true)]
    fn entries_are_kept_when_a_chain_says_so(#[case] analysis: &str, #[case] expected: bool) {
        let persistence = persistence(&config(analysis)).expect("the rules are good");
        assert_eq!(persistence.is_some(), expected);
    }

    #[test]
    fn a_bad_endpoint_rule_is_refused_with_its_key_also_when_nothing_is_kept() {
        let error =
            persistence(&config("endpoints: { rules: ['/a/{id}.json'] }")).expect_err("the rule is bad");
        assert_eq!(
            error.to_string(),
            "analysis.endpoints.rules: the segment `{id}.json` in the endpoint rule `/a/{id}.json` is no variable; write a whole \
             segment as `{name}` with letters, digits, `_` and `-`"
        );
    }

    #[rstest]
    #[case::default("", Redaction::default())]
    #[case::headers("redaction: { headers: [X-Tenant] }", Redaction::with_headers(["x-tenant"]))]
    #[case::off("redaction: { enabled: false, headers: [x-tenant] }", Redaction::Off)]
    fn redaction_is_on_unless_switched_off(#[case] analysis: &str, #[case] expected: Redaction) {
        assert_eq!(redaction(&config(analysis)), expected);
    }
}
