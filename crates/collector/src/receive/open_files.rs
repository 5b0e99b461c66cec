//! Limits the connections to the number of files that the process may open.

use alscope_collector_config::Limits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// How many files are reserved for everything but the port of the streams: probes, scrapes, the
/// page, watches, the process itself.
const RESERVED_FILES: u64 = 256;

/// Returns the limits, with no more connections than the process may open. It first raises the process's
/// limit of open files as far as the system allows.
pub fn within(limits: Limits) -> Limits {
    let fit = usize::try_from(fitting(raised())).unwrap_or(usize::MAX);
    if fit < limits.connections {
        warn!(
            "limits.connections is {}, but the process may open too few files, so only {fit} connections are served; \
             raise its limit of open files",
            limits.connections
        );
    }
    Limits {
        connections: limits.connections.min(fit),
        ..limits
    }
}

/// Raises the soft limit of open files to the hard one if it can, and returns it.
fn raised() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    let limit = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        Err(_) => current,
    };
    limit.unwrap_or(u64::MAX)
}

/// Returns how many of `files` are left for connections: all but the reserve, and at least half.
fn fitting(files: u64) -> u64 {
    (files - RESERVED_FILES.min(files / 2)).max(1)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::usual(1024, 768)]
    #[case::many(1_048_576, 1_048_320)]
    #[case::few(100, 50)]
    #[case::none(0, 1)]
    #[case::unlimited(u64::MAX, u64::MAX - 256)]
    fn some_files_are_left_to_probes_and_scrapes(#[case] files: u64, #[case] expected: u64) {
        assert_eq!(fitting(files), expected);
    }
}
