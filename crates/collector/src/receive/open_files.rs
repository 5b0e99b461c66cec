//! How many connections the process may have open, by its limit of open files.

use alscope_collector_config::Limits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// Files that connections on the port of the streams leave to the others: probes, scrapes, the page, watches, the process itself.
const RESERVED_FILES: u64 = 256;

/// The limits with no more connections than fit. Raises the process's limit of open files as far as the system lets it.
pub fn within(limits: Limits) -> Limits {
    let fit = usize::try_from(fitting(raised())).unwrap_or(usize::MAX);
    if fit < limits.connections {
        warn!(
            "limits.connections is {}, but the process may open so few files that only {fit} connections are served; \
             raise its limit of open files",
            limits.connections
        );
    }
    Limits {
        connections: limits.connections.min(fit),
        ..limits
    }
}

/// The soft limit, as high as the hard one if that could be done.
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

/// How many of so many files are for connections: all but the reserve, and at least half.
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
