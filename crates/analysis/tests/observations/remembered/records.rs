//! Objects of the mesh, changed a little.

use std::collections::BTreeMap;

use alscope_analysis::directory::Port;
use alscope_analysis::directory::naming_rules::NamingRules;
use alscope_analysis::directory::records::{
    EndpointSliceRecord, NodeRecord, PodRecord, Record, ServiceEntryRecord, ServiceRecord,
};
use alscope_analysis::directory::state::DirectoryState;
use alscope_analysis::port_protocol::PortProtocol;
use alscope_naming::kubernetes_name::{istio_service_name, k8s_service_name};

use crate::mesh::*;

/// A mesh whose names are made of all objects' metadata.
pub(super) fn named_mesh() -> DirectoryState {
    let of_pods = "${service.metadata.name}/${service.metadata.labels.tier}/${pod.metadata.labels.tier}";
    let rules = NamingRules {
        k8s: k8s_service_name(of_pods).unwrap(),
        istio: istio_service_name("${serviceEntry.metadata.labels.tier}").unwrap(),
    };
    in_mesh(DirectoryState::default().with_naming_rules(rules))
}

pub(super) fn tier(value: &str) -> BTreeMap<String, String> {
    [("tier".into(), value.into())].into()
}

pub(super) fn grpc(number: u16) -> Port {
    Port {
        number,
        protocol: PortProtocol::Grpc,
    }
}

pub(super) fn reviews_with(change: impl FnOnce(&mut PodRecord)) -> Record {
    let mut record = pod("reviews", REVIEWS);
    change(&mut record);
    Record::Pod(record)
}

/// A pod in the network of a node, listening at 9100.
pub(super) fn agent(version: &str) -> Record {
    let mut record = pod("agent", NODE);
    record.labels.insert("version".into(), version.into());
    Record::Pod(PodRecord {
        host_network: true,
        ports: vec![9100],
        ..record
    })
}

pub(super) fn service_with(name: &str, change: impl FnOnce(&mut ServiceRecord)) -> Record {
    let mut record = ServiceRecord {
        name: name.into(),
        namespace: "demo".into(),
        labels: [].into(),
        annotations: [].into(),
        selector: None,
        addresses: vec![],
        ports: vec![port(9080)],
        created: at(STARTED),
    };
    change(&mut record);
    Record::Service(record)
}

/// The Service of reviews as it is in the mesh.
pub(super) fn reviews_service(change: impl FnOnce(&mut ServiceRecord)) -> Record {
    service_with("reviews", |record| {
        record.addresses = vec![REVIEWS_SERVICE.parse().unwrap()];
        change(record);
    })
}

/// The slice of reviews as it is in the mesh.
pub(super) fn reviews_slice(change: impl FnOnce(&mut EndpointSliceRecord)) -> Record {
    let mut record = crate::mesh::slice_of_reviews();
    change(&mut record);
    Record::EndpointSlice(record)
}

/// A slice of the Service `database` with these addresses, and no pod.
pub(super) fn endpoints(addresses: &[&str]) -> Record {
    reviews_slice(|slice| {
        slice.name = "database-abc".into();
        slice.service = "database".into();
        slice.pods = vec![];
        slice.addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
    })
}

/// Another slice for the pod of reviews, of the Service `older`.
pub(super) fn older_slice() -> Record {
    reviews_slice(|slice| {
        slice.name = "older-abc".into();
        slice.service = "older".into();
    })
}

pub(super) fn node(name: &str, address: &str) -> Record {
    Record::Node(NodeRecord {
        name: name.into(),
        addresses: vec![address.parse().unwrap()],
    })
}

pub(super) fn service_entry(name: &str, host: &str, addresses: &[&str]) -> ServiceEntryRecord {
    ServiceEntryRecord {
        name: name.into(),
        namespace: "outside".into(),
        labels: tier("a"),
        annotations: [].into(),
        selector: None,
        hosts: vec![host.into()],
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        export_to: vec![],
        ports: vec![port(443)],
        created: at(STARTED),
    }
}

pub(super) fn outside(name: &str, host: &str, addresses: &[&str]) -> Record {
    Record::ServiceEntry(service_entry(name, host, addresses))
}
