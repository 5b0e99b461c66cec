//! What is shown of the process, by the names of Prometheus's own clients, and of the connections of its HTTP ports.

use std::fmt::Display;

use super::families::{Metric, counter, gauge, header};
use super::push;
use crate::process::Process;
use crate::serve::connections::{Counts, Cut};

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
    "Open connections of the HTTP ports: the page's, and the one of probes and metrics.",
);
const CUT: Metric = counter(
    "alscope_http_connections_cut_total",
    "Connections of the HTTP ports that the collector ended because of a bound.",
);

/// The process.
pub(super) fn process(text: &mut String, process: &Process) {
    sample(text, &CPU, process.cpu_seconds);
    sample(text, &RESIDENT, process.resident_bytes);
    sample(text, &VIRTUAL, process.virtual_bytes);
    sample(text, &OPEN_FILES, process.open_files);
    if let Some(most) = process.most_files {
        sample(text, &MOST_FILES, most);
    }
    sample(text, &THREADS, process.threads);
    sample(text, &STARTED, process.started_seconds);
}

fn sample(text: &mut String, metric: &Metric, value: impl Display) {
    header(text, metric);
    push(text, format_args!("{} {value}\n", metric.name));
}

/// The connections of each port.
pub(super) fn ports(text: &mut String, ports: &[(&str, Counts)]) {
    header(text, &CONNECTIONS);
    for (port, counts) in ports {
        push(
            text,
            format_args!("{}{{port=\"{port}\"}} {}\n", CONNECTIONS.name, counts.open),
        );
    }
    header(text, &CUT);
    for (port, counts) in ports {
        for reason in Cut::ALL {
            let (name, word, cut) = (CUT.name, reason.word(), counts.cut(reason));
            push(
                text,
                format_args!("{name}{{port=\"{port}\",reason=\"{word}\"}} {cut}\n"),
            );
        }
    }
}
