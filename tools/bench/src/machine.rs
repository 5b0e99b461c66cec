//! The machine that is measured on, and how much of it others use.

use serde::{Deserialize, Serialize};

/// What a figure depends on besides the program.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub(crate) struct Machine {
    /// `model name` of `/proc/cpuinfo`.
    pub(crate) processor: String,
    /// How many cores it has.
    pub(crate) cores: usize,
    /// `/proc/sys/kernel/osrelease`.
    pub(crate) kernel: String,
}

impl Machine {
    /// This machine.
    pub(crate) fn this() -> Self {
        let read = |file| std::fs::read_to_string(file).unwrap_or_default();
        let processors = read("/proc/cpuinfo");
        Machine {
            processor: model_name(&processors).unwrap_or("unknown").to_owned(),
            cores: cores(&processors),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        }
    }
}

fn cores(text: &str) -> usize {
    text.lines().filter(|line| line.starts_with("processor")).count()
}

fn model_name(text: &str) -> Option<&str> {
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim())
}

/// The load average of the last minute.
pub(crate) fn load_average() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = text.split(' ').next().and_then(|number| number.parse().ok());
    first.unwrap_or_default()
}

/// Clock ticks of all cores since the machine started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ticks {
    all: u64,
    stolen: u64,
}

impl Ticks {
    /// As of now.
    pub(crate) fn now() -> Self {
        let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
        text.lines().next().and_then(Ticks::read).unwrap_or_default()
    }

    /// The first line of `proc_stat(5)`: user, nice, system, idle, iowait, irq, softirq, steal; guests are in user and nice.
    fn read(line: &str) -> Option<Self> {
        let numbers = line.strip_prefix("cpu ")?.split_whitespace().take(8);
        let numbers: Vec<u64> = numbers.map(str::parse).collect::<Result<_, _>>().ok()?;
        Some(Ticks {
            all: numbers.iter().sum(),
            stolen: *numbers.get(7)?,
        })
    }

    /// The share of the time since `before` that a virtual machine's host gave to others.
    pub(crate) fn stolen_since(self, before: Ticks) -> f64 {
        let stolen = self.stolen.saturating_sub(before.stolen) as f64;
        stolen / self.all.saturating_sub(before.all).max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stolen_time_is_a_share_of_all() {
        let before = Ticks::read("cpu  100 0 50 800 10 0 5 35 7 0").unwrap();
        let after = Ticks::read("cpu  150 0 60 820 10 0 5 55 9 0").unwrap();
        assert_eq!(after.stolen_since(before), 0.2);
        assert_eq!(Ticks::read("cpu0 1 2 3"), None);
    }

    #[test]
    fn a_processors_name_stands_behind_a_colon() {
        let text = "processor\t: 0\nmodel name\t: AMD EPYC 7R13 Processor\nmodel name\t: other\n";
        assert_eq!(model_name(text), Some("AMD EPYC 7R13 Processor"));
        assert_eq!(cores(text), 1);
    }
}
