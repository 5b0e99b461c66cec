//! The rounds: raw sink, collector with few series, collector with many, and again. Each gets a process of its own, so that a
//! figure's spread also has what differs from one process to the next: the place of things in memory, the seeds of hashes.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::time::Instant;

use crate::cores::Cores;
use crate::directory;
use crate::entries::ENTRY_BYTES;
use crate::figures::{Figures, Round};
use crate::load::{self, Length, Sent};
use crate::mesh::{CONNECTIONS, Traffic, mesh};
use crate::receiver::{self, DIRECTORY_FILE, Place, Receiver};
use crate::streams::{self, ENTRIES, Stream};

/// With less, the clock tick of 10 ms would be more than a percent of the figure.
const LEAST_PROCESSOR_TIME: Duration = Duration::from_secs(1);

/// What to measure.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) rounds: u32,
    pub(crate) seconds: u32,
    /// `None` if all share one core.
    pub(crate) cores: Option<Cores>,
}

/// What is sent, and how many series it comes to.
#[derive(Debug)]
struct Load {
    traffic: Traffic,
    streams: Vec<Arc<Stream>>,
    seconds: u32,
}

/// Measures and checks everything; a figure behind which not all work was done is an error.
pub(crate) async fn measure(plan: &Plan) -> anyhow::Result<Figures> {
    let state = tempfile::Builder::new()
        .prefix("alscope-bench-")
        .tempdir()
        .context("cannot create a directory for the bench; set TMPDIR to one with space")?;
    let place = Place {
        directory: state.path().to_owned(),
        collector: receiver::collector_beside()?,
        core: plan.cores.as_ref().map(|cores| cores.receiver),
    };
    introduce(plan, &place)?;

    let mesh = mesh();
    std::fs::write(place.directory.join(DIRECTORY_FILE), directory::json(&mesh))
        .context("cannot write the directory file; check the space in TMPDIR")?;
    let load = |traffic| {
        let streams = streams::streams(&mesh, traffic)?
            .into_iter()
            .map(Arc::new)
            .collect();
        anyhow::Ok(Load {
            traffic,
            streams,
            seconds: plan.seconds,
        })
    };
    let (few, many) = (load(Traffic::FEW)?, load(Traffic::MANY)?);

    let mut figures = Figures::default();
    let mut sent = Sent::default();
    for number in 1..=plan.rounds {
        let round = Round {
            sink: few.rate(Receiver::sink(&place).await?, &mut sent).await?,
            few: few.rate(Receiver::collector(&place).await?, &mut sent).await?,
            many: many.rate(Receiver::collector(&place).await?, &mut sent).await?,
        };
        println!(
            "round {number} of {}: sink {:.2}, {} series {:.2}, {} series {:.2} M entries per CPU second",
            plan.rounds,
            round.sink / 1e6,
            few.traffic.series(),
            round.few / 1e6,
            many.traffic.series(),
            round.many / 1e6,
        );
        figures.rounds.push(round);
    }
    println!(
        "checked: all {} entries ({} messages, {} bytes) that were sent were counted, each once, both parties found",
        sent.entries(),
        sent.messages,
        sent.bytes
    );
    Ok(figures)
}

fn introduce(plan: &Plan, place: &Place) -> anyhow::Result<()> {
    let cores = plan.cores.as_ref().map_or_else(
        || "receiver and load share one core, so the figures are too low".to_owned(),
        ToString::to_string,
    );
    let busy = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let busy = busy.split(' ').next().unwrap_or("?");
    println!(
        "{}, one worker; {cores}; load average before: {busy}",
        receiver::version(&place.collector)?
    );
    println!(
        "HTTP entries of {ENTRY_BYTES} bytes, {ENTRIES} a message, {CONNECTIONS} connections; {} series from {} pairs of pods, {} from {}",
        Traffic::FEW.series(),
        Traffic::FEW.pairs(),
        Traffic::MANY.series(),
        Traffic::MANY.pairs(),
    );
    Ok(())
}

impl Load {
    /// Entries per CPU second of a receiver, which is ended. What was sent is added to `total`.
    async fn rate(&self, receiver: Receiver, total: &mut Sent) -> anyhow::Result<f64> {
        let warming = load::send(receiver.address, &self.streams, Length::Once).await;
        let mut sent = receiver.explain(warming)?;

        let before = receiver.processor_time()?;
        let end = Instant::now() + Duration::from_secs(self.seconds.into());
        let measured = load::send(receiver.address, &self.streams, Length::Until(end)).await;
        let measured = receiver.explain(measured)?;
        let used = receiver.settled_processor_time().await?.saturating_sub(before);

        sent += measured;
        receiver.end(sent, self.traffic).await?;
        *total += sent;
        ensure!(
            used >= LEAST_PROCESSOR_TIME.min(Duration::from_secs(self.seconds.into()) / 4),
            "the receiver used {} ms of processor time, too little to measure; measure again on an idle machine",
            used.as_millis()
        );
        Ok(measured.entries() as f64 / used.as_secs_f64())
    }
}
