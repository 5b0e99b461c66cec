//! The analysis alone, in a thread of this process on the receiver's core.

use std::sync::Arc;
use std::time::Duration;

use alscope_child_programs::supervised::move_to;
use alscope_collector::clock;
use alscope_load::analysis::Analysis;
use alscope_load::mesh::Workload;
use alscope_load::streams::{Load, Stream};
use anyhow::ensure;
use rustix::time::{ClockId, clock_gettime};

use crate::report::Run;

/// A pod of the mesh is replaced after each of these spans, as ten a second are.
const BETWEEN_CHANGES: Duration = Duration::from_millis(100);

/// Analyzes the messages of all streams over and over for about this long. Every entry was observed, both parties found. Blocks.
pub(crate) fn measure(
    (mesh, load, streams): (&[Workload], Load, &[Arc<Stream>]),
    length: Duration,
    core: Option<usize>,
) -> anyhow::Result<Run> {
    let measured = std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if let Some(core) = core {
                move_to(&[core])?;
            }
            measure_here(Analysis::of(mesh, load, streams, clock::now())?, load, length)
        });
        thread.join()
    });
    measured.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn measure_here(mut analysis: Analysis, load: Load, length: Duration) -> anyhow::Result<Run> {
    analysis.learn();
    let (mut used, mut since_change) = (Duration::ZERO, Duration::ZERO);
    let mut run = Run::default();
    while used < length {
        if since_change >= BETWEEN_CHANGES {
            // On the watch's thread in a collector.
            analysis.roll();
            since_change = Duration::ZERO;
        }
        let before = processor_time();
        let entries = analysis.count_each_message();
        let took = processor_time().saturating_sub(before);
        used += took;
        since_change += took;
        run.entries += entries;
        run.messages += entries / load.entries as u64;
    }
    let found = analysis.take_attributed();
    ensure!(
        found == run.entries,
        "{found} of {} entries were observed with both parties, so the figure does not count",
        run.entries
    );
    Ok(Run {
        processor_seconds: used.as_secs_f64(),
        seconds: used.as_secs_f64(),
        ..run
    })
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.cast_unsigned(),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}
