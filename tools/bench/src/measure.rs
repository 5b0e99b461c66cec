//! One measurement: starts what takes the load, sends, and checks that all of it was counted. Each receiver gets a process of its
//! own, so that a figure's spread also has what differs from one process to the next: the place of things in memory, the seeds
//! of hashes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use alscope_load::traffic::Tally;
use anyhow::ensure;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use crate::alone;
use crate::api_server::ApiServer;
use crate::loads::Loads;
use crate::receiver::{Place, Receiver};
use crate::report::Run;
use crate::scenario::{Exporting, Pace, Scenario, Taker};
use crate::send::{Length, Sender, Sent};

/// With less, what the system does besides would be a part of the figure.
const LEAST_PROCESSOR_TIME: Duration = Duration::from_millis(300);
/// How often is looked whether it has been used.
const POLL: Duration = Duration::from_millis(20);
/// How much longer than planned is sent at most, when other programs take the processor away or the load is light.
const LONGER: u32 = 5;
/// How long a receiver may take with what is on its way to it.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often `/metrics` is scraped.
const SCRAPES: Duration = Duration::from_secs(5);
/// Pods that are replaced in the mesh while it is measured, a second.
const CHANGES: u32 = 10;

/// Measures a scenario for about `length`; a figure behind which not all work was done is an error.
pub(crate) async fn measure(
    scenario: &Scenario,
    place: &Place,
    loads: &mut Loads,
    length: Duration,
) -> anyhow::Result<Run> {
    let (load, core) = (scenario.load, place.core);
    let streams = loads.streams(load)?;
    if scenario.taker == Taker::Analysis {
        let mesh = loads.mesh(load);
        return spawn_blocking(move || alone::measure((&mesh, load, &streams), length / 2, core)).await?;
    }
    let (objects, changing) = loads.objects(load);
    let mut server = ApiServer::start(objects).await?;
    let kubeconfig = place.directory.join("kubeconfig");
    std::fs::write(&kubeconfig, server.kubeconfig())?;
    let receiver = Receiver::start(place, scenario, &kubeconfig).await?;
    server.change(&changing, CHANGES)?;

    let sender = Sender {
        address: receiver.address,
        streams: &streams,
        connections: scenario.connections,
    };
    let mut tally = Tally::new();
    let warming = sender
        .send((Pace::Saturated, &Length::Once), &mut tally, PATIENCE)
        .await;
    let mut sent = receiver.explain(warming)?;
    let before = receiver.processor_time()?;
    // A whole number of scrapes and pauses.
    let length = match scenario.taker {
        Taker::Collector(Exporting::Scraped) => SCRAPES * 2,
        _ => length,
    };
    let phase = phase(&receiver, sender, (scenario.pace, length), &mut tally).await;
    let (measured, run) = receiver.explain(phase)?;
    let changes = server.changes();
    let used = receiver.settled_processor_time().await?.saturating_sub(before);
    let resident_bytes = receiver.largest_memory()?;

    sent += measured;
    receiver.end(sent, &tally).await?;
    ensure!(
        used >= LEAST_PROCESSOR_TIME && changes as f64 >= run.seconds,
        "other programs left the receiver {} ms of processor time in {:.1} s, in which {changes} pods were replaced, too little to \
         measure; measure again on an idle machine",
        used.as_millis(),
        run.seconds
    );
    Ok(Run {
        processor_seconds: used.as_secs_f64(),
        resident_bytes,
        changes,
        ..run
    })
}

/// The phase that counts: sends for about `length`, and scrapes if that is part of it.
async fn phase(
    receiver: &Receiver,
    sender: Sender<'_>,
    (pace, length): (Pace, Duration),
    tally: &mut Tally,
) -> anyhow::Result<(Sent, Run)> {
    let (before, begin) = (receiver.processor_time()?, Instant::now());
    let end = Arc::new(AtomicBool::new(false));
    let until = Length::Until(end.clone());
    let (sent, (), longest_scrape) = tokio::try_join!(
        sender.send((pace, &until), tally, length * LONGER + PATIENCE),
        enough(receiver, before, (length, &end)),
        scrapes(receiver, &end),
    )?;
    let run = Run {
        entries: sent.entries,
        messages: sent.messages,
        seconds: begin.elapsed().as_secs_f64(),
        scrape_seconds: longest_scrape.map(|longest| longest.as_secs_f64()),
        ..Run::default()
    };
    Ok((sent, run))
}

/// Sets `end` when enough has been sent to measure.
async fn enough(
    receiver: &Receiver,
    before: Duration,
    (length, end): (Duration, &AtomicBool),
) -> anyhow::Result<()> {
    let started = Instant::now();
    sleep(length).await;
    while receiver.processor_time()?.saturating_sub(before) < LEAST_PROCESSOR_TIME
        && started.elapsed() < length * LONGER
    {
        sleep(POLL).await;
    }
    end.store(true, Ordering::Relaxed);
    Ok(())
}

/// Scrapes, if that is part of the scenario, until `end` is set; answers how long the longest scrape took.
async fn scrapes(receiver: &Receiver, end: &AtomicBool) -> anyhow::Result<Option<Duration>> {
    let mut longest = None;
    let mut next = Instant::now();
    while !end.load(Ordering::Relaxed) {
        if Instant::now() >= next {
            longest = longest.max(receiver.scrape().await?);
            next += SCRAPES;
        }
        sleep(POLL).await;
    }
    Ok(longest)
}
