//! Feeds the directory from its source and publishes new versions of it.

pub mod decode;
pub mod file;
pub mod freshness;
pub mod kubernetes;
mod log_pace;
pub mod objects;
pub mod publisher;
pub mod service_entry;
pub mod workload_entry;

use alscope_analysis::directory::naming_rules::NamingRules;
use alscope_analysis::directory::state::DirectoryState;
use alscope_collector_config::Config;

/// Returns the directory before its source is read, with the configured rules for every object.
pub fn empty(config: &Config) -> DirectoryState {
    let naming = &config.analysis.naming;
    let rules = NamingRules {
        k8s: naming.k8s_service_name_rule.clone(),
        istio: naming.istio_service_name_rule.clone(),
    };
    DirectoryState::ignoring(naming.istio_service_entry_ignored_namespaces.iter().cloned())
        .with_naming_rules(rules)
}
