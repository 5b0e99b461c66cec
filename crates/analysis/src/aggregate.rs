//! Counts observations into series: deltas in each worker, one table of totals, and windows for the page.

pub mod call;
pub mod call_ends;
pub mod drain_moments;
pub mod evidence;
pub mod example;
pub mod expiry;
pub mod graph_node;
pub mod histogram;
pub mod ids;
pub mod labels;
pub mod registry;
pub mod series;
pub mod series_deltas;
pub mod topology;
pub mod totals;
pub mod window;
pub mod worker_counts;
