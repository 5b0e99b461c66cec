//! A scraped Prometheus exposition.

use std::time::Duration;

use anyhow::Context;
use prometheus_parse::{Scrape, Value};

/// The samples of one scrape.
#[derive(Debug)]
pub struct Exposition(Scrape);

/// Gets a URL's text.
pub fn get(url: &str) -> anyhow::Result<String> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(5)))
        .build()
        .into();
    let mut response = agent.get(url).call().with_context(|| format!("GET {url}"))?;
    Ok(response.body_mut().read_to_string()?)
}

impl Exposition {
    /// Reads the text format.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let lines = text.lines().map(|line| Ok(line.to_owned()));
        Ok(Exposition(Scrape::parse(lines)?))
    }

    /// The sum of the counters `name` whose labels have these values.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let samples = self.0.samples.iter().filter(|sample| sample.metric == name);
        let matching = samples.filter(|sample| {
            labels
                .iter()
                .all(|(label, value)| sample.labels.get(label) == Some(*value))
        });
        matching.map(|sample| number(&sample.value)).sum()
    }
}

/// Counters are whole numbers.
fn number(value: &Value) -> u64 {
    match value {
        #[expect(clippy::cast_sign_loss, reason = "counters are not negative")]
        Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value) => *value as u64,
        Value::Histogram(_) | Value::Summary(_) => 0,
    }
}
