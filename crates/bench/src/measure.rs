//! The rounds: raw sink, collector with few series, collector with many, and again. Each gets a process of its own, so that a
//! figure's spread also has what differs from one process to the next: the place of things in memory, the seeds of hashes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::time::{Instant, sleep};

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
/// How often is looked whether it has been used.
const POLL: Duration = Duration::from_millis(20);
/// How much longer than planned is sent at most, when other programs take the processor away.
const LONGER: u32 = 5;
/// How long a receiver may take with what is on its way to it.
const PATIENCE: Duration = Duration::from_secs(20);

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
    length: Duration,
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
            length: Duration::from_secs(plan.seconds.into()),
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
        let warming = load::send(receiver.address, &self.streams, &Length::Once, PATIENCE).await;
        let mut sent = receiver.explain(warming)?;

        let before = receiver.processor_time()?;
        let end = Arc::new(AtomicBool::new(false));
        let length = Length::Until(end.clone());
        let deadline = self.length * LONGER + PATIENCE;
        let measured = tokio::try_join!(
            load::send(receiver.address, &self.streams, &length, deadline),
            self.enough(&receiver, before, &end),
        );
        let (measured, ()) = receiver.explain(measured)?;
        let used = receiver.settled_processor_time().await?.saturating_sub(before);

        sent += measured;
        receiver.end(sent, self.traffic).await?;
        *total += sent;
        ensure!(
            used >= LEAST_PROCESSOR_TIME,
            "other programs left the receiver {} ms of processor time in {} s, too little to measure; measure again on an idle \
             machine",
            used.as_millis(),
            (self.length * LONGER).as_secs()
        );
        Ok(measured.entries() as f64 / used.as_secs_f64())
    }

    /// Sets `end` when enough has been sent to measure.
    async fn enough(&self, receiver: &Receiver, before: Duration, end: &AtomicBool) -> anyhow::Result<()> {
        let started = Instant::now();
        sleep(self.length).await;
        while receiver.processor_time()?.saturating_sub(before) < LEAST_PROCESSOR_TIME
            && started.elapsed() < self.length * LONGER
        {
            sleep(POLL).await;
        }
        end.store(true, Ordering::Relaxed);
        Ok(())
    }
}
