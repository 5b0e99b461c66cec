//! `alscope-operator drain`: deletes every `MeshObservability` of this installation and waits until each mesh is restored, so that
//! nothing is left behind when the operator is removed. Resources of other installations stay.

use std::time::Duration;

use alscope_plan::api::MeshObservability;
use alscope_plan::plan::assignment::{Assignment, assignment};
use kube::api::{DeleteParams, ListParams, Preconditions};
use kube::{Api, Client};
use tokio::time::Instant;

const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How long a resource that belongs to no installation is watched: a running operator takes it within this time.
const ASSIGNMENT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why resources are left.
#[derive(Debug, thiserror::Error)]
pub enum DrainError {
    /// The API server refused a request.
    #[error(
        "MeshObservabilities can't be {verb}: {source}; check the right to list and delete meshobservabilities.alscope.dev"
    )]
    Api {
        /// What was not possible: `listed` or `deleted`.
        verb: &'static str,
        /// What the API server said.
        source: kube::Error,
    },
    /// The resources were not gone in time.
    #[error(
        "{names} is still there after {seconds} s: {message}; is the operator running? If it is gone for good, restore mesh \
         config from the ConfigMaps `kubectl get configmaps -A -l app.kubernetes.io/component=backup`, then run \
         `kubectl patch meshobs {names} --type=merge -p '{{\"metadata\":{{\"finalizers\":null}}}}'`"
    )]
    Left {
        /// The names of the resources that are left.
        names: String,
        /// How long the command has waited, in seconds.
        seconds: u64,
        /// The message of the first of them.
        message: String,
    },
}

/// Deletes the resources that belong to the operator in `namespace`, and waits until they are gone.
pub async fn drain(client: Client, namespace: &str, timeout: Duration) -> Result<(), DrainError> {
    let api: Api<MeshObservability> = Api::all(client);
    let begin = Instant::now();
    let deadline = begin + timeout;
    let mut printed = String::new();
    loop {
        let all = match api.list(&ListParams::default()).await {
            Ok(list) => list.items,
            // Without the definition there is none.
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
            // The API server may be away for a moment.
            Err(_) if Instant::now() < deadline => {
                tokio::time::sleep(POLL_INTERVAL).await;
                continue;
            }
            Err(source) => {
                return Err(DrainError::Api {
                    verb: "listed",
                    source,
                });
            }
        };
        let Partition { ours, unassigned } = partition(&all, namespace);
        let message = match (ours.first(), unassigned.first()) {
            (None, Some(unassigned)) if begin.elapsed() < ASSIGNMENT_TIMEOUT => {
                format!("{}: waiting whether an operator takes it", unassigned.name())
            }
            (None, _) => {
                for left in unassigned {
                    println!(
                        "MeshObservability {} belongs to no operator and is left",
                        left.name()
                    );
                }
                println!("no MeshObservability of the operator in namespace {namespace} is left");
                return Ok(());
            }
            (Some(first), _) => format!("{}: {}", first.name(), message(first)),
        };
        delete(&api, &ours).await?;
        if message != printed {
            println!("{message}");
            printed.clone_from(&message);
        }
        if Instant::now() >= deadline {
            let names: Vec<&str> = ours.iter().map(|one| one.name()).collect();
            return Err(DrainError::Left {
                names: names.join(" "),
                seconds: timeout.as_secs(),
                message,
            });
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Deletes each resource that is not being deleted yet, by its uid.
async fn delete(api: &Api<MeshObservability>, resources: &[&MeshObservability]) -> Result<(), DrainError> {
    let living = resources
        .iter()
        .filter(|one| one.metadata.deletion_timestamp.is_none());
    for resource in living {
        println!("deleting MeshObservability {}", resource.name());
        let parameters = DeleteParams {
            preconditions: Some(Preconditions {
                uid: resource.metadata.uid.clone(),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        match api.delete(resource.name(), &parameters).await {
            Ok(_) => {}
            // It is gone, and may be there again.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {}
            Err(source) => {
                return Err(DrainError::Api {
                    verb: "deleted",
                    source,
                });
            }
        }
    }
    Ok(())
}

/// The resources that don't belong to another installation.
#[derive(Debug, PartialEq)]
struct Partition<'a> {
    /// The resources of this installation.
    ours: Vec<&'a MeshObservability>,
    /// The resources that no operator has taken yet.
    unassigned: Vec<&'a MeshObservability>,
}

fn partition<'a>(all: &'a [MeshObservability], namespace: &str) -> Partition<'a> {
    let of = |wanted: Assignment<'static>| {
        let is_it = |one: &&MeshObservability| assignment(one, namespace) == wanted;
        all.iter().filter(is_it).collect()
    };
    Partition {
        ours: of(Assignment::Ours),
        unassigned: of(Assignment::Unassigned),
    }
}

/// What a resource says about its uninstall.
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn resource(name: &str, metadata: &serde_json::Value, status: &serde_json::Value) -> MeshObservability {
        let mut value = json!({"apiVersion": "alscope.dev/v1alpha1", "kind": "MeshObservability",
            "metadata": metadata, "spec": {}, "status": status});
        value["metadata"]["name"] = json!(name);
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_is_another_installations_is_not_drained() {
        let meant = |namespace: &str| json!({"annotations": {"alscope.dev/operator": namespace}});
        let owned = |namespace: &str| json!({"operator": {"namespace": namespace}});
        let all = [
            resource("ours", &json!({}), &owned("here")),
            resource("theirs", &json!({}), &owned("there")),
            resource("meant-for-us", &meant("here"), &json!({})),
            resource("meant-for-them", &meant("there"), &json!({})),
            resource("handed-over", &meant("here"), &owned("there")),
            resource("unassigned", &json!({}), &json!({})),
        ];
        let names = |resources: &[&MeshObservability]| -> Vec<String> {
            resources.iter().map(|one| one.name().to_owned()).collect()
        };
        let partition = partition(&all, "here");
        assert_eq!(names(&partition.ours), ["ours", "meant-for-us"]);
        assert_eq!(names(&partition.unassigned), ["unassigned"]);
    }
}
