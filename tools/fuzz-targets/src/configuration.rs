//! Texts as configurations of the collector.

use alscope_collector_config::Environment;

#[path = "../../../crates/collector-config/tests/any_text/laws.rs"]
mod laws;

/// A text as a configuration of the collector, with any environment: it is read or refused with its place.
pub fn configuration(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    // What follows a line of three dots is the environment, as a shell prints it.
    let (text, environment) = text.split_once("\n...\n").unwrap_or((text, ""));
    let variables = environment.lines().filter_map(|line| line.split_once('='));
    let environment: Environment = variables.collect();
    drop(laws::check(text, &environment));
}
