//! `alscope-operator drain`: deletes every `MeshObservability` and waits until each mesh is restored, so that nothing is left
//! behind when the operator goes.

use std::time::Duration;

use kube::api::{DeleteParams, ListParams};
use kube::{Api, Client};
use tokio::time::Instant;

use crate::api::MeshObservability;

const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Why something is left.
#[derive(Debug, thiserror::Error)]
pub enum DrainError {
    /// The API server refused.
    #[error(
        "MeshObservabilities can't be {verb}: {source}; check the right to list and delete meshobservabilities.alscope.dev"
    )]
    Api {
        /// `listed` or `deleted`.
        verb: &'static str,
        /// Why.
        source: kube::Error,
    },
    /// It took too long.
    #[error(
        "{names} is still there after {seconds} s: {message}; is the operator running? If it is gone for good, restore mesh \
         config from the ConfigMaps `kubectl get configmaps -A -l app.kubernetes.io/component=backup`, then run \
         `kubectl patch meshobs {names} --type=merge -p '{{\"metadata\":{{\"finalizers\":null}}}}'`"
    )]
    Left {
        /// What is left.
        names: String,
        /// How long it was waited for.
        seconds: u64,
        /// What the first of them says.
        message: String,
    },
}

/// Deletes all, and waits.
pub async fn drain(client: Client, timeout: Duration) -> Result<(), DrainError> {
    let api: Api<MeshObservability> = Api::all(client);
    let deadline = Instant::now() + timeout;
    let mut told = String::new();
    loop {
        let left = match api.list(&ListParams::default()).await {
            Ok(list) => list.items,
            // Without the definition there is none.
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
            // The API server may be away for a moment.
            Err(_) if Instant::now() < deadline => {
                tokio::time::sleep(LOOK_EVERY).await;
                continue;
            }
            Err(source) => {
                return Err(DrainError::Api {
                    verb: "listed",
                    source,
                });
            }
        };
        let Some(first) = left.first() else {
            println!("no MeshObservability is left");
            return Ok(());
        };
        for resource in left
            .iter()
            .filter(|one| one.metadata.deletion_timestamp.is_none())
        {
            println!("deleting MeshObservability {}", resource.name());
            match api.delete(resource.name(), &DeleteParams::default()).await {
                Ok(_) => {}
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(source) => {
                    return Err(DrainError::Api {
                        verb: "deleted",
                        source,
                    });
                }
            }
        }
        let message = message(first);
        if message != told {
            println!("{}: {message}", first.name());
            told.clone_from(&message);
        }
        if Instant::now() >= deadline {
            let names: Vec<String> = left.iter().map(kube::ResourceExt::name_any).collect();
            return Err(DrainError::Left {
                names: names.join(" "),
                seconds: timeout.as_secs(),
                message,
            });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What a resource says about its way down.
fn message(resource: &MeshObservability) -> String {
    resource
        .status
        .iter()
        .flat_map(|status| &status.conditions)
        .find(|condition| condition.type_ == "Ready")
        .map_or_else(
            || "waiting for the operator".to_owned(),
            |ready| ready.message.clone(),
        )
}
