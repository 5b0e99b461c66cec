//! Real Envoys that answer requests themselves and log them, their load, and their counters.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Connections that each Envoy gets its requests on.
const CALLERS: usize = 2;
/// Between two requests of one of them.
const PAUSE: Duration = Duration::from_millis(1);
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: web.demo\r\n\r\n";

/// The counters of Envoys' access logs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counted {
    /// Entries that were handed to the logger.
    pub(crate) written: u64,
    /// Entries for which there was no room.
    pub(crate) dropped: u64,
    /// Entries that were handed to a stream.
    pub(crate) flushed: u64,
}

pub(crate) struct Envoys {
    each: Vec<Envoy>,
    load: JoinSet<()>,
    stop: CancellationToken,
    _folder: tempfile::TempDir,
}

struct Envoy {
    process: Child,
    admin: String,
}

impl Drop for Envoy {
    fn drop(&mut self) {
        // A process that has already ended may be killed again without harm.
        drop((self.process.kill(), self.process.wait()));
    }
}

/// Returns the body of `GET url` if the status is 2xx.
pub(crate) async fn get(url: String) -> Option<String> {
    let get = move || {
        let agent = ureq::Agent::config_builder()
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(5)))
            .build()
            .new_agent();
        agent.get(&url).call().ok()?.body_mut().read_to_string().ok()
    };
    tokio::task::spawn_blocking(get).await.unwrap()
}

impl Envoys {
    /// Starts this many Envoys that send their logs to `collector`, under load.
    pub(crate) async fn start(number: usize, collector: SocketAddr) -> Self {
        let program = tokio::task::spawn_blocking(program).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (mut envoys, mut load, stop) = (Vec::new(), JoinSet::new(), CancellationToken::new());
        for number in 0..number {
            let envoy = Envoy::start(&program, folder.path(), number, collector).await;
            let address = envoy.listener().await;
            for _ in 0..CALLERS {
                load.spawn(call(address, stop.clone()));
            }
            envoys.push(envoy);
        }
        Envoys {
            each: envoys,
            load,
            stop,
            _folder: folder,
        }
    }

    /// Ends the load, and waits until the Envoys log no more requests.
    pub(crate) async fn stop_load(&self) {
        self.stop.cancel();
        let deadline = Instant::now() + Duration::from_secs(5);
        let mut before = u64::MAX;
        loop {
            let written = self.counted().await.written;
            if written == before {
                return;
            }
            before = written;
            assert!(
                Instant::now() < deadline && !self.load.is_empty(),
                "the load does not end"
            );
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Returns the sum of all Envoys' counters.
    pub(crate) async fn counted(&self) -> Counted {
        let mut sum = Counted::default();
        for envoy in &self.each {
            let stats = get(format!("http://{}/stats?filter=grpc_access_log", envoy.admin))
                .await
                .unwrap();
            let counter = |name: &str| -> u64 {
                let suffix = format!("grpc_access_log.{name}: ");
                let value = stats.lines().find_map(|line| Some(line.split_once(&suffix)?.1));
                value.map_or(0, |value| value.trim().parse().unwrap())
            };
            sum.written += counter("logs_written");
            sum.dropped += counter("logs_dropped");
            sum.flushed += counter("grpc_entries_flushed");
        }
        sum
    }
}

/// Returns the path of Envoy, as the demo fetches it.
fn program() -> PathBuf {
    if let Some(envoy) = std::env::var_os("ALSCOPE_DEMO_ENVOY") {
        return envoy.into();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo/envoy");
    let output = Command::new(script).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().into()
}

impl Envoy {
    async fn start(program: &Path, folder: &Path, number: usize, collector: SocketAddr) -> Self {
        let file = folder.join(format!("envoy-{number}.json"));
        let admin = folder.join(format!("admin-{number}"));
        let log = File::create(folder.join(format!("envoy-{number}.log"))).unwrap();
        std::fs::write(&file, bootstrap(number, collector).to_string()).unwrap();
        let process = Command::new(program)
            .args([
                "--concurrency",
                "1",
                "--disable-hot-restart",
                "--log-level",
                "warning",
            ])
            .arg("--config-path")
            .arg(&file)
            .arg("--admin-address-path")
            .arg(&admin)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut envoy = Envoy {
            process,
            admin: String::new(),
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let written = std::fs::read_to_string(&admin).unwrap_or_default();
            written.trim().clone_into(&mut envoy.admin);
            if !envoy.admin.is_empty() && get(format!("http://{}/ready", envoy.admin)).await.is_some() {
                return envoy;
            }
            assert!(Instant::now() < deadline, "Envoy does not become ready");
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn listener(&self) -> SocketAddr {
        let listeners = get(format!("http://{}/listeners?format=text", self.admin))
            .await
            .unwrap();
        let address = listeners.lines().find_map(|line| line.strip_prefix("web::"));
        address.unwrap().parse().unwrap()
    }
}

/// Sends one request after the other until `stop`.
async fn call(address: SocketAddr, stop: CancellationToken) {
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.set_nodelay(true).unwrap();
    let mut answer = Vec::new();
    while !stop.is_cancelled() {
        connection.write_all(REQUEST).await.unwrap();
        answer.clear();
        while !answer.ends_with(b"\r\n\r\n") {
            assert_ne!(connection.read_buf(&mut answer).await.unwrap(), 0);
        }
        sleep(PAUSE).await;
    }
}

fn bootstrap(number: usize, collector: SocketAddr) -> Value {
    let address =
        |address: &str, port: u16| json!({ "socket_address": { "address": address, "port_value": port } });
    let collector = address(&collector.ip().to_string(), collector.port());
    let log = json!({
        "name": "envoy.access_loggers.http_grpc",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig",
            "common_config": {
                "log_name": "http_envoy_accesslog",
                "grpc_service": { "envoy_grpc": { "cluster_name": "collector" } },
                "transport_api_version": "V3",
            },
        },
    });
    let routes = json!({ "name": "web", "virtual_hosts": [{
        "name": "web",
        "domains": ["*"],
        "routes": [{ "match": { "prefix": "/" }, "direct_response": { "status": 200 } }],
    }]});
    let last = json!({
        "name": "envoy.filters.http.router",
        "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
    });
    let filter = json!({
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "web",
            "route_config": routes,
            "http_filters": [last],
            "access_log": [log],
        },
    });
    let http2 = json!({
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": { "http2_protocol_options": {} },
    });
    json!({
        "node": { "id": format!("sidecar~10.0.0.{number}~web-{number}.demo~demo.svc.cluster.local"), "cluster": "web.demo" },
        "admin": { "address": address("127.0.0.1", 0) },
        "static_resources": {
            "listeners": [{ "name": "web", "address": address("127.0.0.1", 0), "filter_chains": [{ "filters": [filter] }] }],
            "clusters": [{
                "name": "collector",
                "type": "STATIC",
                "connect_timeout": "1s",
                "typed_extension_protocol_options": { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2 },
                "load_assignment": {
                    "cluster_name": "collector",
                    "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": collector } }] }],
                },
            }],
        },
    })
}
