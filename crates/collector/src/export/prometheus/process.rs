//! The metrics of the process, with the names of Prometheus's own clients, and of the
//! connections of its HTTP ports.

use super::families::{ExpositionWriter, Metric, counter, gauge};
use crate::process::Process;
use crate::serve::connections::{Counts, CutReason};

const CPU: Metric = counter(
    "process_cpu_seconds_total",
    "Total user and system CPU time spent in seconds.",
);
const RESIDENT: Metric = gauge("process_resident_memory_bytes", "Resident memory size in bytes.");
const VIRTUAL: Metric = gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.");
const OPEN_FILES: Metric = gauge("process_open_fds", "Number of open file descriptors.");
const MOST_FILES: Metric = gauge("process_max_fds", "Maximum number of open file descriptors.");
const THREADS: Metric = gauge("process_threads", "Number of OS threads in the process.");
const STARTED: Metric = gauge(
    "process_start_time_seconds",
    "Start time of the process since unix epoch in seconds.",
);
const CONNECTIONS: Metric = gauge(
    "alscope_http_connections",
    "Open connections of the HTTP ports, which are the page's port and the port for probes and metrics.",
);
const CUT: Metric = counter(
    "alscope_http_connections_cut_total",
    "Connections of the HTTP ports that the collector ended because of a bound.",
);

/// Writes the metrics of the process.
pub(super) fn process(writer: &mut ExpositionWriter, process: &Process) {
    writer.plain(&CPU, process.cpu_seconds);
    writer.plain(&RESIDENT, process.resident_bytes);
    writer.plain(&VIRTUAL, process.virtual_bytes);
    writer.plain(&OPEN_FILES, process.open_files);
    if let Some(most) = process.most_files {
        writer.plain(&MOST_FILES, most);
    }
    writer.plain(&THREADS, process.threads);
    writer.plain(&STARTED, process.started_seconds);
}

/// Writes the connections of each HTTP port.
pub(super) fn ports(writer: &mut ExpositionWriter, ports: &[(&str, Counts)]) {
    writer.header(&CONNECTIONS);
    for (port, counts) in ports {
        writer.sample(&CONNECTIONS, &format!("{{port=\"{port}\"}}"), counts.open);
    }
    writer.header(&CUT);
    for (port, counts) in ports {
        for reason in CutReason::ALL {
            let labels = format!("{{port=\"{port}\",reason=\"{}\"}}", reason.as_str());
            writer.sample(&CUT, &labels, counts.cut(reason));
        }
    }
}
