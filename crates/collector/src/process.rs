//! Figures of this process, which the operating system shows under `/proc`.

use procfs::process::LimitValue;
use procfs::{ProcError, boot_time_secs, page_size, ticks_per_second};

/// The figures that Prometheus's client libraries show of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Process {
    /// Processor time in user and system mode, in seconds.
    pub cpu_seconds: f64,
    /// Physical memory in use, in bytes.
    pub resident_bytes: u64,
    /// Address space in use, in bytes.
    pub virtual_bytes: u64,
    /// How many file descriptors are open.
    pub open_files: usize,
    /// How many file descriptors may be open. `None` if there is no limit.
    pub most_files: Option<u64>,
    /// How many threads the process has.
    pub threads: i64,
    /// The start of the process, in seconds since the Unix epoch.
    pub started_seconds: f64,
}

impl Process {
    /// Reads the figures of this process.
    pub fn now() -> Result<Self, ProcError> {
        let process = procfs::process::Process::myself()?;
        let stat = process.stat()?;
        let ticks = ticks_per_second() as f64;
        let most_files = match process.limits()?.max_open_files.soft_limit {
            LimitValue::Unlimited => None,
            LimitValue::Value(most) => Some(most),
        };
        Ok(Process {
            cpu_seconds: (stat.utime + stat.stime) as f64 / ticks,
            resident_bytes: stat.rss * page_size(),
            virtual_bytes: stat.vsize,
            open_files: process.fd_count()?,
            most_files,
            threads: stat.num_threads,
            started_seconds: boot_time_secs()? as f64 + stat.starttime as f64 / ticks,
        })
    }
}
