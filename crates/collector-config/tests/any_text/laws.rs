//! Laws that hold for any text, whether it is a configuration or not.

use std::path::Path;

use alscope_collector_config::{Analyzer, Checked, Config, ConfigError, Environment};

const FILE: &str = "any.yaml";

/// Checks every law for `text` with `environment`, and returns the text's configuration or error.
pub(crate) fn check(text: &str, environment: &Environment) -> Result<Config, ConfigError> {
    let config = Config::parse_with(text, Path::new(FILE), environment);
    match &config {
        Ok(config) => assert_sound(config),
        Err(refusal) => assert_tells_where(refusal),
    }
    match Checked::parse(text, Path::new(FILE), environment) {
        Ok(Checked::Collector(checked)) => assert_eq!(config.as_ref().ok(), Some(&*checked), "{text:?}"),
        Ok(Checked::SkyWalking(report)) => {
            assert!(config.is_err(), "{text:?} has no directory");
            let rows = report.rows.iter().map(|row| row.key);
            assert!(
                rows.clone()
                    .all(|key| rows.clone().filter(|other| *other == key).count() == 1)
            );
        }
        Err(refusal) => {
            assert!(config.is_err(), "{text:?} is refused: {refusal}");
            assert_tells_where(&refusal);
        }
    }
    config
}

fn assert_sound(config: &Config) {
    let limits = config.limits;
    assert!(limits.message_bytes > 0 && limits.message_bytes <= limits.buffered_bytes);
    assert!(limits.connections > 0);
    assert!(limits.streams_per_connection > 0 && limits.streams_per_peer > 0);
    for chain in [&config.analysis.http, &config.analysis.tcp] {
        assert_ne!(chain.first(), Some(&Analyzer::Persistence));
    }
    let warnings = config.warnings();
    assert!(config.ignored.iter().all(|ignored| warnings.contains(ignored)));
    assert!(config.describe().starts_with("listen.grpc: "));
    assert_read_again(config);
}

/// Checks that rendering and reading gives the same configuration, unless a value from the environment
/// looks like a placeholder.
fn assert_read_again(config: &Config) {
    let rendered = config.render();
    if rendered.contains("${") {
        return;
    }
    let again = Config::parse(&rendered, Path::new(FILE));
    let expected = Config {
        ignored: Vec::new(),
        ..config.clone()
    };
    assert_eq!(again.ok().as_ref(), Some(&expected), "{rendered}");
}

fn assert_tells_where(refusal: &ConfigError) {
    let message = refusal.to_string();
    assert!(
        message.contains(FILE) || message.contains("the environment"),
        "{message}"
    );
}
