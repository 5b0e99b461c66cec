//! The processor time and the memory that a process has used, as the kernel counts them.

use std::fs::{read_dir, read_to_string};
use std::time::Duration;

use anyhow::{Context as _, ensure};

/// The processor time of a running process's threads, in user and kernel mode, to the nanosecond (`schedstat`; the clock ticks of
/// `stat` are 10 ms long). A thread that has ended is not in it.
pub(crate) fn processor_time(process: u32) -> anyhow::Result<Duration> {
    let directory = format!("/proc/{process}/task");
    let threads =
        read_dir(&directory).with_context(|| format!("cannot read {directory}; has the process ended?"))?;
    let mut sum = Duration::ZERO;
    for thread in threads {
        // One that ends meanwhile has no file any more.
        let Ok(text) = read_to_string(thread?.path().join("schedstat")) else {
            continue;
        };
        sum += running(&text).with_context(|| format!("{directory} has no times; is this Linux?"))?;
    }
    ensure!(
        sum > Duration::ZERO,
        "{directory} has no times; the kernel lacks CONFIG_SCHED_INFO"
    );
    Ok(sum)
}

/// The first number: nanoseconds on a processor.
fn running(schedstat: &str) -> Option<Duration> {
    let first = schedstat.split_whitespace().next()?;
    first.parse().ok().map(Duration::from_nanos)
}

/// The largest memory that a running process has had so far, in bytes (`VmHWM` of `proc_pid_status(5)`).
pub(crate) fn largest_memory(process: u32) -> anyhow::Result<u64> {
    let file = format!("/proc/{process}/status");
    let status =
        read_to_string(&file).with_context(|| format!("cannot read {file}; has the process ended?"))?;
    let kibibytes =
        high_water_mark(&status).with_context(|| format!("{file} has no VmHWM; is this Linux?"))?;
    Ok(kibibytes * 1024)
}

fn high_water_mark(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_and_the_memory_are_found() {
        assert_eq!(
            running("546294347 156350 20\n"),
            Some(Duration::from_nanos(546_294_347))
        );
        let status = "VmPeak:\t  9000 kB\nVmHWM:\t    7652 kB\nVmRSS:\t    7000 kB\n";
        assert_eq!(high_water_mark(status), Some(7652));
        assert_eq!(high_water_mark("VmRSS:\t 7000 kB\n"), None);
    }

    #[test]
    fn this_process_has_used_some() {
        let process = std::process::id();
        assert!(processor_time(process).unwrap() > Duration::ZERO);
        assert!(largest_memory(process).unwrap() > 1 << 20);
    }
}
