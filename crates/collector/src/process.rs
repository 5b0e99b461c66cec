//! What the operating system says of this process, from `/proc`.

use procfs::process::LimitValue;
use procfs::{ProcError, boot_time_secs, page_size, ticks_per_second};

/// What Prometheus's clients show of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Process {
    /// Seconds of processor time.
    pub cpu_seconds: f64,
    /// Bytes of memory that are in use.
    pub resident_bytes: u64,
    /// Bytes of addresses that are in use.
    pub virtual_bytes: u64,
    /// Open file descriptors.
    pub open_files: usize,
    /// File descriptors that may be open; none if there is no limit.
    pub most_files: Option<u64>,
    /// Threads.
    pub threads: i64,
    /// When it started, in seconds of the Unix epoch.
    pub started_seconds: f64,
}

impl Process {
    /// This process now.
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
