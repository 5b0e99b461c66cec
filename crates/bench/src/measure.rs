//! The rounds: raw sink, collector and the analysis alone, with few series, with many, and again. Each receiver gets a process of
//! its own, so that a figure's spread also has what differs from one process to the next: the place of things in memory, the seeds
//! of hashes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use alscope_analysis::directory::Directory;
use alscope_collector::directory::{empty, file};
use alscope_collector_config::Config;
use anyhow::{Context as _, ensure};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use crate::analysis;
use crate::cores::Cores;
use crate::directory;
use crate::entries::ENTRY_BYTES;
use crate::figures::{Figures, Rates, Round};
use crate::load::{self, CONNECTIONS, Length, Sent};
use crate::mesh::{PODS, Workload, mesh};
use crate::receiver::{self, DIRECTORY_FILE, Place, Receiver};
use crate::streams::{self, ENTRIES, Stream};
use crate::traffic::{Tally, Traffic};

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

/// One figure, with everything that was sent for it and was found counted.
#[derive(Clone, Copy, Debug)]
struct Measured {
    /// Entries per CPU second.
    per_second: f64,
    sent: Sent,
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
    let file = place.directory.join(DIRECTORY_FILE);
    std::fs::write(&file, directory::json(&mesh))
        .context("cannot write the directory file; check the space in TMPDIR")?;
    let few = Load::of(Traffic::FEW, &mesh, plan)?;
    let many = Load::of(Traffic::MANY, &mesh, plan)?;

    let directory = Arc::new(file::load(&file, empty(&Config::default()))?);

    let mut figures = Figures::default();
    let (mut to_sinks, mut to_collectors) = (Sent::default(), Sent::default());
    for number in 1..=plan.rounds {
        let round = Round {
            few: few
                .rates((&place, &directory), (&mut to_sinks, &mut to_collectors))
                .await?,
            many: many
                .rates((&place, &directory), (&mut to_sinks, &mut to_collectors))
                .await?,
        };
        println!(
            "round {number} of {}: {round} M entries per CPU second",
            plan.rounds
        );
        figures.rounds.push(round);
    }
    println!(
        "checked: {} entries sent to collectors, each counted once, both parties found, in {} and {} series, each with as many \
         as were sent for it; {} messages of {} bytes sent to sinks, each counted once",
        to_collectors.entries(),
        few.traffic.series(),
        many.traffic.series(),
        to_sinks.messages,
        to_sinks.bytes,
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
        "HTTP entries of {ENTRY_BYTES} bytes, {ENTRIES} a message, {CONNECTIONS} connections, {PODS} pods; {} series from {} pairs of \
         pods and {} side-cars, {} from {} and {}; {} rounds of 5 times {} s",
        Traffic::FEW.series(),
        Traffic::FEW.pairs(),
        Traffic::FEW.nodes(),
        Traffic::MANY.series(),
        Traffic::MANY.pairs(),
        Traffic::MANY.nodes(),
        plan.rounds,
        plan.seconds,
    );
    Ok(())
}

impl Load {
    fn of(traffic: Traffic, mesh: &[Workload], plan: &Plan) -> anyhow::Result<Self> {
        let streams = streams::streams(mesh, traffic)?;
        Ok(Load {
            traffic,
            streams: streams.into_iter().map(Arc::new).collect(),
            length: Duration::from_secs(plan.seconds.into()),
        })
    }

    /// Measures the sink, the collector and the analysis alone; adds what was sent to the two receivers.
    async fn rates(
        &self,
        (place, directory): (&Place, &Arc<Directory>),
        (to_sinks, to_collectors): (&mut Sent, &mut Sent),
    ) -> anyhow::Result<Rates> {
        let sink = self.measured(Receiver::sink(place).await?).await?;
        let collector = self.measured(Receiver::collector(place).await?).await?;
        *to_sinks += sink.sent;
        *to_collectors += collector.sent;
        let (directory, streams) = (directory.clone(), self.streams.clone());
        let (length, core) = (self.length / 2, place.core);
        let analysis = spawn_blocking(move || analysis::measure((&directory, &streams), length, core));
        Ok(Rates {
            sink: sink.per_second,
            collector: collector.per_second,
            analysis: analysis.await??,
        })
    }

    /// Measures a receiver, checks what it counted and ends it.
    async fn measured(&self, receiver: Receiver) -> anyhow::Result<Measured> {
        let mut tally = Tally::new();
        let once = (&Length::Once, &mut tally);
        let warming = load::send(receiver.address, &self.streams, once, PATIENCE).await;
        let mut sent = receiver.explain(warming)?;

        let before = receiver.processor_time()?;
        let end = Arc::new(AtomicBool::new(false));
        let length = Length::Until(end.clone());
        let deadline = self.length * LONGER + PATIENCE;
        let measured = tokio::try_join!(
            load::send(receiver.address, &self.streams, (&length, &mut tally), deadline),
            self.enough(&receiver, before, &end),
        );
        let (measured, ()) = receiver.explain(measured)?;
        let used = receiver.settled_processor_time().await?.saturating_sub(before);

        sent += measured;
        receiver.end(sent, &tally).await?;
        ensure!(
            used >= LEAST_PROCESSOR_TIME,
            "other programs left the receiver {} ms of processor time in {} s, too little to measure; measure again on an idle \
             machine",
            used.as_millis(),
            (self.length * LONGER).as_secs()
        );
        Ok(Measured {
            per_second: measured.entries() as f64 / used.as_secs_f64(),
            sent,
        })
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
