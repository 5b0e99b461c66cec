//! A collector that runs for one test.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use als_proto::messages::envoy::config::core::v3::{Address, Node, SocketAddress, address, socket_address};
use als_proto::messages::envoy::data::accesslog::v3::{
    AccessLogCommon, HttpAccessLogEntry, HttpRequestProperties, HttpResponseProperties,
};
use als_proto::messages::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use als_proto::messages::envoy::service::accesslog::v3::access_log_service_client::AccessLogServiceClient;
use als_proto::messages::envoy::service::accesslog::v3::stream_access_logs_message::{
    HttpAccessLogEntries, Identifier, LogEntries,
};
use alscope_collector::run::{self, Ports, StartError};
use alscope_collector_config::Config;
use http::uri::PathAndQuery;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

pub(crate) const CLUSTER: &str = r#"
kind: List
items:
- {kind: Pod, metadata: {name: productpage, namespace: demo, uid: "1"}, spec: {containers: []}, status: {podIP: 10.0.0.1}}
- {kind: Pod, metadata: {name: reviews, namespace: demo, uid: "2"}, spec: {containers: []}, status: {podIP: 10.0.0.2}}
"#;

/// Nobody is waited for at the end of these tests' collectors.
pub(crate) const AT_ONCE: &str = "ending: { quiet: 0s, accept: 0s, scrape: 0s }";

/// Builds a configuration with the directory of these tests, which is written into `folder`. `more` has
/// further lines; indented ones belong to `analysis`.
pub(crate) fn configuration(folder: &Path, more: &str) -> Config {
    std::fs::write(folder.join("cluster.yaml"), CLUSTER).unwrap();
    let ending = if more.contains("ending:") { "" } else { AT_ONCE };
    let text = format!(
        "listen: {{ grpc: \"127.0.0.1:0\", web: \"127.0.0.1:0\", admin: \"127.0.0.1:0\" }}\n\
         directory: {{ file: cluster.yaml }}\nanalysis:\n  http: k8s-mesh\n  tcp: k8s-mesh\n{more}\n{ending}\n"
    );
    Config::parse(&text, &folder.join("collector.yaml")).unwrap()
}

pub(crate) struct Collector {
    pub(crate) grpc: SocketAddr,
    pub(crate) web: SocketAddr,
    pub(crate) admin: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<Result<(), StartError>>,
    _directory: tempfile::TempDir,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        Self::with("").await
    }

    /// Starts a collector with further lines of configuration.
    pub(crate) async fn with(more: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = configuration(directory.path(), more);
        Self::running(config, directory).await
    }

    /// Starts a collector whose directory file is in a folder.
    pub(crate) async fn running(config: Config, directory: tempfile::TempDir) -> Self {
        let ports = Ports::bind(&config).unwrap();
        let address = |socket: &tokio::net::TcpListener| socket.local_addr().unwrap();
        let (grpc, web, admin) = (address(&ports.grpc), address(&ports.web), address(&ports.admin));
        let stop = CancellationToken::new();
        let running = stop.clone();
        #[expect(clippy::disallowed_methods, reason = "the test awaits the task in `stop`")]
        let task = tokio::spawn(async move { run::run(&config, ports, running).await });
        let collector = Collector {
            grpc,
            web,
            admin,
            stop,
            task,
            _directory: directory,
        };
        collector
            .until("ready", async |collector| {
                collector.get(collector.admin, "/readyz").await.0 == 200
            })
            .await;
        collector
    }

    /// Tells the collector to end, without waiting for it.
    pub(crate) fn tell_to_stop(&self) {
        self.stop.cancel();
    }

    /// Ends the collector and waits until it has ended.
    pub(crate) async fn stop(self) {
        self.tell_to_stop();
        self.task.await.unwrap().unwrap();
    }

    /// Returns the status and body of a GET.
    pub(crate) async fn get(&self, address: SocketAddr, path: &str) -> (u16, String) {
        get(address, path).await
    }

    /// Returns the value of one sample, or 0 if it is missing.
    pub(crate) async fn sample(&self, name: &str) -> f64 {
        let (_, text) = self.get(self.admin, "/metrics").await;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    }

    /// Waits until a sample has this value.
    pub(crate) async fn until_sample(&self, name: &str, value: f64) {
        self.until(&format!("{name} {value}"), async |collector| {
            collector.sample(name).await == value
        })
        .await;
    }

    pub(crate) async fn until(&self, what: &str, holds: impl AsyncFn(&Collector) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !holds(self).await {
            let metrics = if Instant::now() > deadline {
                self.get(self.admin, "/metrics").await.1
            } else {
                String::new()
            };
            assert!(metrics.is_empty(), "never: {what}\n{metrics}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Sends `messages` as [`send_to`] does.
    pub(crate) async fn send<M: prost::Message + 'static, A: prost::Message + Default + 'static>(
        &self,
        path: &'static str,
        messages: Vec<M>,
        encoding: Option<CompressionEncoding>,
    ) -> Result<Response<A>, Status> {
        send_to(self.grpc, path, messages, encoding).await
    }

    /// Sends `messages` as one stream of access logs, and checks that it is answered.
    pub(crate) async fn stream(&self, messages: Vec<StreamAccessLogsMessage>) {
        let messages = futures::stream::iter(messages);
        self.client().await.stream_access_logs(messages).await.unwrap();
    }

    pub(crate) async fn client(&self) -> AccessLogServiceClient<Channel> {
        client(self.grpc).await
    }
}

/// Returns the status and body of a GET.
pub(crate) async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let url = format!("http://{address}{path}");
    let get = move || {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)))
            .build()
            .into();
        let mut response = agent.get(&url).call().unwrap();
        (
            response.status().as_u16(),
            response.body_mut().read_to_string().unwrap(),
        )
    };
    tokio::task::spawn_blocking(get).await.unwrap()
}

pub(crate) async fn client(address: SocketAddr) -> AccessLogServiceClient<Channel> {
    AccessLogServiceClient::connect(format!("http://{address}"))
        .await
        .unwrap()
}

/// Sends `messages` to the method `path`, compressed if there is an `encoding`. Returns the answer.
pub(crate) async fn send_to<M: prost::Message + 'static, A: prost::Message + Default + 'static>(
    address: SocketAddr,
    path: &'static str,
    messages: Vec<M>,
    encoding: Option<CompressionEncoding>,
) -> Result<Response<A>, Status> {
    let endpoint = tonic::transport::Endpoint::new(format!("http://{address}")).unwrap();
    let mut client = tonic::client::Grpc::new(endpoint.connect().await.unwrap());
    if let Some(encoding) = encoding {
        client = client.send_compressed(encoding);
    }
    client.ready().await.unwrap();
    let messages = Request::new(futures::stream::iter(messages));
    let path = PathAndQuery::from_static(path);
    client
        .client_streaming(messages, path, ProstCodec::default())
        .await
}

pub(crate) fn socket(address: &str) -> Option<Address> {
    let port_specifier = Some(socket_address::PortSpecifier::PortValue(9080));
    let socket = SocketAddress {
        address: address.into(),
        port_specifier,
        ..SocketAddress::default()
    };
    Some(Address {
        address: Some(address::Address::SocketAddress(socket)),
    })
}

/// Returns the entry of a call from productpage to `destination`.
pub(crate) fn entry(destination: &str) -> HttpAccessLogEntry {
    HttpAccessLogEntry {
        common_properties: Some(AccessLogCommon {
            downstream_remote_address: socket("10.0.0.1"),
            downstream_local_address: socket("10.0.0.9"),
            upstream_remote_address: socket(destination),
            upstream_cluster: "outbound|9080||reviews.demo.svc.cluster.local".into(),
            ..AccessLogCommon::default()
        }),
        request: Some(HttpRequestProperties::default()),
        response: Some(HttpResponseProperties {
            response_code: Some(200),
            ..HttpResponseProperties::default()
        }),
        ..HttpAccessLogEntry::default()
    }
}

pub(crate) fn message(entries: Vec<HttpAccessLogEntry>) -> StreamAccessLogsMessage {
    let log_entries = Some(LogEntries::HttpLogs(HttpAccessLogEntries { log_entry: entries }));
    StreamAccessLogsMessage {
        identifier: None,
        log_entries,
    }
}

pub(crate) fn first_message(entries: Vec<HttpAccessLogEntry>) -> StreamAccessLogsMessage {
    message_of(productpage(), entries)
}

/// Returns the node of productpage's sidecar.
pub(crate) fn productpage() -> Node {
    Node {
        id: "sidecar~10.0.0.1~productpage.demo~demo.svc.cluster.local".into(),
        ..Node::default()
    }
}

/// The same with these texts in its metadata.
pub(crate) fn with_metadata<'a>(node: Node, texts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Node {
    let field = |(name, text): (&str, &str)| {
        let kind = Some(prost_types::value::Kind::StringValue(text.to_owned()));
        (name.to_owned(), prost_types::Value { kind })
    };
    Node {
        metadata: Some(prost_types::Struct {
            fields: texts.into_iter().map(field).collect(),
        }),
        ..node
    }
}

/// Returns a message that names its node.
pub(crate) fn message_of(node: Node, entries: Vec<HttpAccessLogEntry>) -> StreamAccessLogsMessage {
    let identifier = Some(Identifier {
        node: Some(node),
        log_name: "http_envoy_accesslog".into(),
    });
    StreamAccessLogsMessage {
        identifier,
        ..message(entries)
    }
}
