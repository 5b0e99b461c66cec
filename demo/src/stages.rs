//! The stages of the demo in their order: the collector, the Envoys, the workload, the table.

use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::children::Children;
use crate::claims::Claims;
use crate::collector::Collector;
use crate::mesh::Mesh;
use crate::plan;
use crate::programs::Binaries;
use crate::report;

/// How long the mesh is watched before the table is printed.
const WATCHED: Duration = Duration::from_secs(8);
/// How long the table may take from then on to be complete: Envoys flush every second, the collector likewise.
const COMPLETE_WITHIN: Duration = Duration::from_secs(8);
/// How often an incomplete table is asked for again.
const POLL: Duration = Duration::from_millis(500);

/// Everything that the demo holds while it runs.
#[derive(Debug)]
pub(crate) struct Stages<'a> {
    binaries: Binaries,
    state: &'a Path,
    mesh: Mesh,
    collector: Collector,
    children: Children,
    started: Instant,
    before: Duration,
    _claims: Claims,
}

impl<'a> Stages<'a> {
    /// Chooses addresses and ports; files will be in `state`, and `before` has passed already.
    pub(crate) fn prepare(binaries: Binaries, state: &'a Path, before: Duration) -> anyhow::Result<Self> {
        let mut claims = Claims::default();
        Ok(Self {
            mesh: Mesh::bookinfo(claims.block()?, &mut claims)?,
            collector: Collector::claim(&mut claims)?,
            children: Children::new(state),
            started: Instant::now(),
            binaries,
            state,
            before,
            _claims: claims,
        })
    }

    /// Starts everything, lets it run and prints what the collector saw; returns what is wrong with it.
    pub(crate) async fn show(&mut self) -> anyhow::Result<Vec<String>> {
        self.start().await?;
        self.say(&format!("bookinfo runs; watching it for {} s", WATCHED.as_secs()));
        let differences = self.watch().await?;
        self.say(
            "what the operator would change in a stock Istio (docs/install.md does it on your cluster):",
        );
        println!(
            "\n{}",
            plan::of_stock_istio(&self.binaries.operator, self.state).await?
        );
        self.say(&format!("the page: {}", self.collector.page_url()));
        Ok(differences)
    }

    /// Returns when a child has ended, which none should.
    pub(crate) async fn a_child_ended(&mut self) -> anyhow::Error {
        self.children.one_ended().await
    }

    /// Ends every child.
    pub(crate) async fn end(self) {
        self.children.end().await;
    }

    async fn start(&mut self) -> anyhow::Result<()> {
        let (mesh, collector) = (&self.mesh, &self.collector);
        self.children
            .start(vec![self.binaries.collector(mesh, collector, self.state)?])
            .await?;
        self.say(&format!(
            "the collector is ready; Envoys send to {}",
            self.collector.grpc
        ));
        let envoys = self.binaries.envoys(&self.mesh, &self.collector, self.state)?;
        let count = envoys.len();
        self.children.start(envoys).await?;
        self.say(&format!("{count} Envoys are ready"));
        self.children.start(self.binaries.services(&self.mesh)).await?;
        self.children.start(self.binaries.load(&self.mesh)).await
    }

    async fn watch(&mut self) -> anyhow::Result<Vec<String>> {
        let expected = self.mesh.edges();
        sleep(WATCHED).await;
        let deadline = Instant::now() + COMPLETE_WITHIN;
        loop {
            self.children.check()?;
            let (topology, entries) = (self.collector.topology().await?, self.collector.entries().await?);
            let differences = report::differences(&topology, entries, &expected);
            if differences.is_empty() || Instant::now() > deadline {
                println!("{}\n{}", report::table(&topology), report::entries_line(entries));
                return Ok(differences);
            }
            sleep(POLL).await;
        }
    }

    fn say(&self, what: &str) {
        println!("{:5} s  {what}", (self.before + self.started.elapsed()).as_secs());
    }
}
