//! Any text as a configuration of the collector, with any environment: what is read holds the laws of the property tests.

#![no_main]

use alscope_collector_config::Environment;

#[path = "../../crates/collector-config/tests/any_text/laws.rs"]
mod laws;

libfuzzer_sys::fuzz_target!(|text: &str| {
    // What follows a line of three dots is the environment, as a shell prints it.
    let (text, environment) = text.split_once("\n...\n").unwrap_or((text, ""));
    let variables = environment.lines().filter_map(|line| line.split_once('='));
    let environment: Environment = variables.collect();
    drop(laws::check(text, &environment));
});
