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

/// The last answers, by address.
#[derive(Clone, Debug, Default)]
pub struct Intakes(Arc<Mutex<HashMap<String, Intake>>>);

impl Intakes {
    /// What a replica said last.
    pub fn get(&self, address: &str) -> Option<Intake> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(address)
            .copied()
    }

    /// Asks these replicas, and forgets the others.
    pub async fn refresh(&self, addresses: Vec<String>) {
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
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = answers;
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
