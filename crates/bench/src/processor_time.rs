//! The processor time that a process has used, as the kernel counts it.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use rustix::param::clock_ticks_per_second;

/// The processor time of a running process, all threads, in user and kernel mode. Its resolution is a clock tick, 10 ms.
pub(crate) fn processor_time(process: u32) -> anyhow::Result<Duration> {
    let file = format!("/proc/{process}/stat");
    let stat = std::fs::read_to_string(&file)
        .with_context(|| format!("cannot read {file}; has the process ended?"))?;
    let ticks = ticks(&stat).with_context(|| format!("{file} has no times; is this Linux?"))?;
    let per_second = clock_ticks_per_second();
    ensure!(per_second > 0, "the system does not say how long a clock tick is");
    Ok(Duration::from_secs_f64(ticks as f64 / per_second as f64))
}

/// `utime` and `stime`, fields 14 and 15 (`proc_pid_stat(5)`). The name in field 2 may have spaces and brackets.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11);
    let user: u64 = times.next()?.parse().ok()?;
    let system: u64 = times.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "42 (odd) name) S 1 42 42 0 -1 4194560 100 0 0 0 123 45 6 7 20 0 4 0 900";
        assert_eq!(ticks(stat), Some(168));
        assert_eq!(ticks("42 (name) S 1"), None);
    }

    #[test]
    fn this_process_has_used_some() {
        assert!(processor_time(std::process::id()).is_ok());
    }
}
