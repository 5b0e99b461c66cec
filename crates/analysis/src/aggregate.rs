//! From observations to series: deltas in each worker's shard, one total table, windows for the page.

pub mod call;
pub mod deltas;
pub mod evidence;
pub mod example;
pub mod expiry;
pub mod histogram;
pub mod labels;
pub mod node;
pub mod registry;
pub mod series;
pub mod topology;
pub mod totals;
pub mod window;
