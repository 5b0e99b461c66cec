//! The tests that wire the real mesh: each begins with one that is not wired, and comes back to it.

use std::time::Duration;

use alscope_e2e::baseline::Baseline;
use alscope_e2e::cluster::Namespace;
use alscope_e2e::operator::{self, RESOURCE, reaches};
use alscope_e2e::programs::load_images;
use serde_json::Value;

mod golden;
mod installations;
mod killed;
mod mesh;
mod provider;
mod restarts;
mod rights;
mod rollback;
mod rollouts;
mod story;
mod upgrades;

/// Runs a test in a mesh that the operator has wired by a resource of this spec, against what `deploy` deploys then, and takes all
/// of it back.
fn wired(
    spec: &Value,
    deploy: impl FnOnce() -> anyhow::Result<Namespace>,
    test: impl FnOnce(&Namespace) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    load_images()?;
    operator::install()?;
    let baseline = Baseline::unwired()?;
    operator::apply(RESOURCE, spec)?;
    reaches(RESOURCE, "Ready", ("True", "Ready"), Duration::from_mins(1))?;
    let namespace = deploy()?;
    test(&namespace).inspect_err(|_| namespace.dump())?;
    namespace.delete()?;
    operator::delete_all()?;
    baseline.check()
}
