//! Replaces pods one after another, as a cluster does when a pod of a Deployment is deleted.

use std::net::Ipv4Addr;
use std::time::Duration;

use alscope_analysis::moment::Moment;
use alscope_collector::clock;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Interval, interval};

use super::objects::{Key, Objects, Resource};

/// The writes of one replacement.
const WRITES: u32 = 5;

/// Replaces each of these pods in turn, one in a `period`, for ever.
///
/// The writes of a replacement are spread over the period: those of a cluster come from many pods, and not together.
pub(super) async fn replace(objects: watch::Sender<Objects>, mut pods: Vec<(Key, Value)>, period: Duration) {
    // A tick that is late is made up for: so many a second are promised. An interval must not be empty.
    let mut ticks = interval((period / WRITES).max(Duration::from_nanos(1)));
    loop {
        for pod in &mut pods {
            let number = objects.borrow().changes;
            let successor = Successor::new(&pod.1, number, clock::now());
            *pod = replace_one(&objects, &mut ticks, pod, successor).await;
        }
    }
}

async fn replace_one(
    objects: &watch::Sender<Objects>,
    ticks: &mut Interval,
    (key, pod): &(Key, Value),
    successor: Successor,
) -> (Key, Value) {
    let Successor {
        key: new,
        pending,
        running,
    } = successor;
    let endpoints = endpoints_of(&objects.borrow(), pod);
    ticks.tick().await;
    objects.send_modify(|objects| objects.delete(key));
    ticks.tick().await;
    objects.send_modify(|objects| {
        for (slice, endpoint) in &endpoints {
            objects.modify(slice, |slice| {
                if let Some(endpoints) = slice["endpoints"].as_array_mut() {
                    endpoints.retain(|other| other != endpoint);
                }
            });
        }
    });
    ticks.tick().await;
    objects.send_modify(|objects| objects.put(new.clone(), pending));
    ticks.tick().await;
    objects.send_modify(|objects| objects.put(new.clone(), running.clone()));
    ticks.tick().await;
    objects.send_modify(|objects| {
        for (slice, endpoint) in endpoints {
            objects.modify(&slice, |slice| {
                if let Some(endpoints) = slice["endpoints"].as_array_mut() {
                    endpoints.push(of_pod(endpoint, &running));
                }
            });
        }
        objects.changes += 1;
    });
    (new, running)
}

/// The endpoints that are this pod, each with its `EndpointSlice`.
fn endpoints_of(objects: &Objects, pod: &Value) -> Vec<(Key, Value)> {
    let uid = &pod["metadata"]["uid"];
    let slices = objects.all(Resource::EndpointSlices);
    let endpoints = slices.flat_map(|(key, slice)| {
        let endpoints = slice["endpoints"].as_array().into_iter().flatten();
        endpoints.map(move |endpoint| (key, endpoint))
    });
    endpoints
        .filter(|(_, endpoint)| endpoint["targetRef"]["uid"] == *uid)
        .map(|(key, endpoint)| (key.clone(), endpoint.clone()))
        .collect()
}

/// The endpoint as that of another pod.
fn of_pod(mut endpoint: Value, pod: &Value) -> Value {
    endpoint["addresses"] = json!([pod["status"]["podIP"]]);
    endpoint["targetRef"]["name"] = pod["metadata"]["name"].clone();
    endpoint["targetRef"]["uid"] = pod["metadata"]["uid"].clone();
    endpoint
}

/// The pod that comes for another.
#[derive(Debug)]
struct Successor {
    key: Key,
    /// As it is created: nobody has given it an address yet.
    pending: Value,
    running: Value,
}

impl Successor {
    fn new(pod: &Value, number: u64, now: Moment) -> Self {
        let metadata = &pod["metadata"];
        let [namespace, name] = ["namespace", "name"].map(|key| metadata[key].as_str().unwrap_or_default());
        let stem = name.rsplit_once('-').map_or(name, |(stem, _)| stem);
        let name = format!("{stem}-{number:05x}");
        let time = time(now);
        let mut running = pod.clone();
        running["metadata"]["name"] = name.as_str().into();
        running["metadata"]["uid"] = format!("00000000-0000-4000-8000-{number:012x}").into();
        running["metadata"]["creationTimestamp"] = time.as_str().into();
        let mut pending = running.clone();
        pending["status"] = json!({ "phase": "Pending" });
        let address = address(number).to_string();
        running["status"]["podIPs"] = json!([{ "ip": address }]);
        running["status"]["podIP"] = address.into();
        running["status"]["startTime"] = time.into();
        Successor {
            key: Key::pod(namespace, &name),
            pending,
            running,
        }
    }
}

/// The addresses of 100.64.0.0/10, one after the other: four million, and no cluster's pods are there by default.
fn address(number: u64) -> Ipv4Addr {
    Ipv4Addr::from_bits(Ipv4Addr::new(100, 64, 0, 0).to_bits() | (number as u32 & 0x003f_ffff))
}

/// In whole seconds, as Kubernetes cuts it.
fn time(moment: Moment) -> String {
    Timestamp::from_second(moment.0.div_euclid(1_000_000_000))
        .map_or_else(|_| String::new(), |time| time.to_string())
}

#[cfg(test)]
mod tests;
