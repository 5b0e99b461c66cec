//! The mesh as a directory, without Kubernetes.

use std::net::IpAddr;

use alscope_analysis::directory::Port;
use alscope_analysis::directory::records::{
    Controller, EndpointSliceRecord, PodEndpoint, PodRecord, Record, ServiceRecord,
};
use alscope_analysis::directory::state::DirectoryState;
use alscope_analysis::moment::Moment;
use alscope_analysis::port_protocol::PortProtocol;

use crate::mesh::{PORT, Pod, Workload};
use crate::objects::uid;

/// Before every entry starts: 1 November 2026.
const STARTED: Moment = Moment(1_793_491_200_000_000_000);

/// All objects of the mesh, taken.
pub fn state(mesh: &[Workload]) -> DirectoryState {
    let mut state = DirectoryState::default();
    for workload in mesh {
        for pod in &workload.pods {
            state.apply(
                Record::Pod(pod_record(workload, pod, pod.address.into())),
                STARTED,
            );
        }
        state.apply(Record::Service(service(workload)), STARTED);
        state.apply(Record::EndpointSlice(slice(workload)), STARTED);
    }
    state
}

/// A pod, at an address.
pub fn pod_record(workload: &Workload, pod: &Pod, address: IpAddr) -> PodRecord {
    let labels = [
        ("app", workload.name.clone()),
        ("version", "v1".to_owned()),
        ("pod-template-hash", workload.template_hash()),
    ];
    PodRecord {
        name: pod.name.clone(),
        namespace: workload.namespace.clone(),
        uid: uid(pod),
        labels: labels.map(|(key, value)| (key.to_owned(), value)).into(),
        annotations: [].into(),
        controller: Some(Controller {
            kind: "ReplicaSet".to_owned(),
            name: workload.replica_set(),
        }),
        is_generated: true,
        addresses: vec![address],
        host_network: false,
        ports: Vec::new(),
        started: Some(STARTED),
        finished: None,
        ..PodRecord::default()
    }
}

fn port() -> Port {
    Port {
        number: PORT,
        protocol: PortProtocol::Http,
    }
}

fn service(workload: &Workload) -> ServiceRecord {
    ServiceRecord {
        name: workload.name.clone(),
        namespace: workload.namespace.clone(),
        labels: [].into(),
        annotations: [].into(),
        selector: None,
        addresses: vec![workload.service_address.into()],
        ports: vec![port()],
        created: STARTED,
    }
}

fn slice(workload: &Workload) -> EndpointSliceRecord {
    EndpointSliceRecord {
        name: format!("{}-h5n8w", workload.name),
        namespace: workload.namespace.clone(),
        service: workload.name.clone(),
        ports: vec![port()],
        pods: workload
            .pods
            .iter()
            .map(|pod| PodEndpoint::from(&*uid(pod)))
            .collect(),
        addresses: Vec::new(),
        created: STARTED,
    }
}
