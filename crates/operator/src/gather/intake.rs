//! What the collector's replicas have received, asked from each on its admin port.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::plan::settings::ADMIN_PORT;
use crate::world::Intake;

const DEADLINE: Duration = Duration::from_secs(2);
/// Replicas asked at once.
const AT_ONCE: usize = 16;

/// What replicas say, by address.
pub type Answers = Arc<Mutex<HashMap<String, Intake>>>;

/// The last answers.
#[derive(Clone, Debug, Default)]
pub struct Intakes {
    last: Answers,
    /// What replicas are known to say, where none is asked.
    known: Option<Answers>,
}

impl Intakes {
    /// Replicas that nobody asks: they say what stands here.
    pub fn known(answers: Answers) -> Self {
        Self {
            last: Answers::default(),
            known: Some(answers),
        }
    }

    /// What a replica said last.
    pub fn get(&self, address: &str) -> Option<Intake> {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(address)
            .copied()
    }

    /// Asks these replicas, and forgets the others.
    pub async fn refresh(&self, addresses: Vec<String>) {
        if let Some(known) = &self.known {
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner).clone();
            known.retain(|address, _| addresses.contains(address));
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = known;
            return;
        }
        let mut answers = HashMap::new();
        for some in addresses.chunks(AT_ONCE) {
            let mut asked = JoinSet::new();
            for address in some.iter().cloned() {
                asked.spawn_blocking(move || {
                    let answer = ask(&address);
                    (address, answer)
                });
            }
            for (address, answer) in asked.join_all().await {
                if let Some(intake) = answer {
                    answers.insert(address, intake);
                }
            }
        }
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = answers;
    }
}

fn ask(address: &str) -> Option<Intake> {
    let host = if address.contains(':') {
        format!("[{address}]")
    } else {
        address.to_owned()
    };
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(DEADLINE))
        .build();
    let mut response = ureq::Agent::new_with_config(config)
        .get(format!("http://{host}:{ADMIN_PORT}/intake"))
        .call()
        .ok()?;
    response.body_mut().read_json().ok()
}
