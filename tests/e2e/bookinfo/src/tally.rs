//! What one process did, as the line of JSON that it prints when it ends.

use std::collections::BTreeMap;

use serde::Serialize;

/// Requests and their answers, counted.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tally {
    /// Requests sent by the generator, received by a service.
    pub(crate) requests: u64,
    /// Requests that asked for a failure.
    pub(crate) asked_to_fail: u64,
    /// Answers by status.
    pub(crate) answers: BTreeMap<u16, u64>,
    /// Requests that got no answer.
    pub(crate) transport_errors: u64,
}

impl Tally {
    pub(crate) fn count_request(&mut self, asked_to_fail: bool) {
        self.requests += 1;
        self.asked_to_fail += u64::from(asked_to_fail);
    }

    pub(crate) fn count_answer(&mut self, status: u16) {
        *self.answers.entry(status).or_default() += 1;
    }
}
