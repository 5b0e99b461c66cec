//! The processes of the demo: what is started with which arguments, and how each says that it is ready.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use alscope_child_programs::child_program::{Output, Program};
use anyhow::Context as _;
use jiff::Timestamp;

use crate::bootstrap::bootstrap;
use crate::children::{Ready, Service};
use crate::collector::{Collector, DIRECTORY_FILE};
use crate::directory;
use crate::mesh::{self, Mesh, Pod, Protocol, Proxy};

/// Requests a second of the load generator.
const RATE: u32 = 50;
/// Every how many requests one makes ratings fail: with reviews v1 calling nobody, about one in 30 shows it.
const FAIL_EVERY: u32 = 20;

/// The programs that the demo is made of.
#[derive(Debug, Clone)]
pub(crate) struct Binaries {
    /// Envoy.
    pub(crate) envoy: PathBuf,
    /// `alscope-collector`.
    pub(crate) collector: PathBuf,
    /// `bookinfo`.
    pub(crate) bookinfo: PathBuf,
    /// `alscope-operator`.
    pub(crate) operator: PathBuf,
}

impl Binaries {
    /// Says which program is missing, before anything is started.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        for path in [&self.envoy, &self.collector, &self.bookinfo, &self.operator] {
            anyhow::ensure!(
                path.is_file(),
                "there is no program {}; start the demo by demo/run",
                path.display()
            );
        }
        Ok(())
    }

    /// The collector, with its configuration and the directory file written to `state`.
    pub(crate) fn collector(
        &self,
        mesh: &Mesh,
        collector: &Collector,
        state: &Path,
    ) -> anyhow::Result<Service> {
        let configuration = state.join("collector.yaml");
        write(&configuration, &collector.configuration())?;
        write(
            &state.join(DIRECTORY_FILE),
            &directory::yaml(mesh, Timestamp::now())?,
        )?;
        Ok(Service {
            program: program(
                "collector".to_owned(),
                &self.collector,
                vec!["--config".into(), configuration.into()],
            ),
            ready: Ready::Answers(collector.ready_url()),
        })
    }

    /// Every Envoy, with its bootstrap written to `state`.
    pub(crate) fn envoys(
        &self,
        mesh: &Mesh,
        collector: &Collector,
        state: &Path,
    ) -> anyhow::Result<Vec<Service>> {
        let proxied = mesh.pods.iter().filter(|pod| pod.proxy != Proxy::Absent);
        proxied
            .map(|pod| self.envoy(mesh, pod, collector, state))
            .collect()
    }

    fn envoy(&self, mesh: &Mesh, pod: &Pod, collector: &Collector, state: &Path) -> anyhow::Result<Service> {
        let file = state.join(format!("envoy-{}.json", pod.workload));
        let address = collector.grpc.ip().to_string();
        let bootstrap = bootstrap(mesh, pod, (&address, collector.grpc.port()));
        write(&file, &serde_json::to_string_pretty(&bootstrap)?)?;
        let mut arguments = words("--concurrency 1 --disable-hot-restart --log-level warning --config-path");
        arguments.push(file.into());
        Ok(Service {
            program: program(format!("envoy {}", pod.workload), &self.envoy, arguments),
            ready: Ready::Answers(format!("http://{}:{}/ready", pod.address, mesh.ports.admin)),
        })
    }

    /// Every service of bookinfo.
    pub(crate) fn services(&self, mesh: &Mesh) -> Vec<Service> {
        let service = |pod| self.service(mesh, pod);
        mesh.pods.iter().filter_map(service).collect()
    }

    fn service(&self, mesh: &Mesh, pod: &Pod) -> Option<Service> {
        let (address, application) = (pod.address, mesh.ports.application);
        let listen = format!("{address}:{application}");
        let (line, ready) = match pod.program {
            mesh::Program::Nothing | mesh::Program::Load => return None,
            mesh::Program::Tcp => (format!("tcp --listen {listen}"), Ready::Accepts(listen)),
            mesh::Program::Http(service) => {
                let ready = Ready::Answers(format!("http://{listen}/healthz"));
                let version = pod.version.unwrap_or("v1");
                let callees = callees(mesh, pod);
                (
                    format!("serve --service {service} --version {version} --listen {listen} {callees}"),
                    ready,
                )
            }
        };
        Some(self.play(pod, &line, ready))
    }

    /// The load generator, which calls until it is ended.
    pub(crate) fn load(&self, mesh: &Mesh) -> Vec<Service> {
        let load = mesh.pods.iter().filter(|pod| pod.program == mesh::Program::Load);
        load.flat_map(|pod| {
            let gateways = mesh.called_by(pod).flat_map(|called| mesh.pods_of(called));
            gateways.map(|gateway| {
                let (source, target, port) = (pod.address, gateway.address, mesh.ports.gateway);
                let line = format!(
                    "load --source-address {source} --target http://{target}:{port} --host bookinfo.example \
                     --rate {RATE} --concurrency 16 --fail-every {FAIL_EVERY} --fail ratings=503"
                );
                self.play(pod, &line, Ready::Started)
            })
        })
        .collect()
    }

    fn play(&self, pod: &Pod, line: &str, ready: Ready) -> Service {
        Service {
            program: program(format!("bookinfo {}", pod.workload), &self.bookinfo, words(line)),
            ready,
        }
    }
}

/// Whom the application calls: HTTP through its sidecar's one listener, by Host; TCP through one of its own.
fn callees(mesh: &Mesh, pod: &Pod) -> String {
    let address = pod.address;
    let origin = format!(
        "--source-address {address} --proxy http://{address}:{}",
        mesh.ports.outbound
    );
    let callees = mesh.called_by(pod).map(|called| match called.protocol {
        Protocol::Http => format!("--{} http://{}:{}", called.name, called.host(), called.port),
        Protocol::Tcp => format!("--tcp {address}:{}", called.port),
    });
    [origin].into_iter().chain(callees).collect::<Vec<_>>().join(" ")
}

/// The arguments of a line, none of which has a space in it.
/// A program that shares its log with what it prints.
fn program(name: impl Into<String>, path: &Path, arguments: Vec<OsString>) -> Program {
    Program {
        name: name.into(),
        path: path.to_owned(),
        arguments,
        cores: Vec::new(),
        output: Output::Log,
    }
}

fn words(line: &str) -> Vec<OsString> {
    line.split_whitespace().map(OsString::from).collect()
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text)
        .with_context(|| format!("cannot write {}; check the space in TMPDIR", path.display()))
}
