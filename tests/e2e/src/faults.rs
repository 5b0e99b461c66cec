//! An operator that is killed at its writes: it runs as a process here, behind a proxy of the API server that kills it with
//! SIGKILL before it forwards a write, and, when the write comes again, after the API server has done it and before the
//! answer is seen. From the third time on, the write passes.

use std::collections::HashMap;
use std::convert::Infallible;
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::Context as _;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::cluster::Forwarding;
use crate::{operator, programs};

type Body = BoxBody<Bytes, hyper::Error>;

/// What the proxy knows of the process that it kills.
#[derive(Debug, Default)]
struct Victim {
    pid: Option<i32>,
    /// How often each write came, by method and path.
    writes: HashMap<(Method, String), u32>,
    kills: u32,
    /// Whether it is killed at all.
    kills_on: bool,
}

type Shared = Arc<Mutex<Victim>>;

/// Operators as processes of this machine.
#[derive(Debug)]
pub struct Operators {
    _proxy: Forwarding,
    _runtime: Runtime,
    kubeconfig: tempfile::NamedTempFile,
    victim: Shared,
}

/// One of them, which is started again when it has ended.
#[derive(Debug)]
pub struct Supervised {
    stop: Arc<Mutex<bool>>,
    pid: Arc<Mutex<Option<i32>>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Operators {
    /// Starts the proxy. With `kills_on`, operators are killed at their writes.
    pub fn behind_a_proxy(kills_on: bool) -> anyhow::Result<Self> {
        let (proxy, upstream) = kubectl_proxy()?;
        let victim = Shared::new(Mutex::new(Victim {
            kills_on,
            ..Victim::default()
        }));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let kubeconfig = tempfile::NamedTempFile::new()?;
        let server = format!("http://{}", listener.local_addr()?);
        serde_json::to_writer(
            &kubeconfig,
            &serde_json::json!({
                "apiVersion": "v1", "kind": "Config", "current-context": "test",
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
                "clusters": [{"name": "test", "cluster": {"server": server}}],
                "users": [{"name": "test", "user": {}}],
            }),
        )?;
        let shared = victim.clone();
        runtime.spawn(serve(listener, upstream, shared));
        Ok(Self {
            _proxy: proxy,
            _runtime: runtime,
            kubeconfig,
            victim,
        })
    }

    /// Starts an operator, and starts it again whenever it has been killed.
    pub fn supervise(&self, identity: &str) -> Supervised {
        let stop = Arc::new(Mutex::new(false));
        let pid = Arc::new(Mutex::new(None));
        let mut command = Command::new(programs::program("alscope-operator"));
        command
            .args(["run", "--namespace", operator::NAMESPACE, "--identity", identity])
            .args([
                "--collector-image",
                "docker.io/alscope/collector:e2e",
                "--listen",
                "127.0.0.1:0",
            ])
            .args(["--lease-duration", "3s", "--drain-timeout", "2s"])
            .env("KUBECONFIG", self.kubeconfig.path())
            .stdin(Stdio::null());
        let (stopping, current, victim) = (stop.clone(), pid.clone(), self.victim.clone());
        let thread = std::thread::spawn(move || {
            while !*stopping.lock() {
                let Ok(mut child) = command.spawn() else {
                    return;
                };
                let id = i32::try_from(child.id()).ok();
                *current.lock() = id;
                victim.lock().pid = id;
                drop(child.wait());
                *current.lock() = None;
            }
        });
        Supervised {
            stop,
            pid,
            thread: Some(thread),
        }
    }

    /// How often an operator was killed.
    pub fn kills(&self) -> u32 {
        self.victim.lock().kills
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        *self.stop.lock() = true;
        if let Some(pid) = *self.pid.lock() {
            kill(pid, Signal::TERM);
        }
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn kill(pid: i32, signal: Signal) {
    // One that has ended already is as good as killed.
    let is_gone = Pid::from_raw(pid).is_none_or(|pid| kill_process(pid, signal).is_err());
    if is_gone {
        println!("  operator {pid} had ended by itself");
    }
}

/// The API server as plain HTTP, with an administrator's rights.
fn kubectl_proxy() -> anyhow::Result<(Forwarding, String)> {
    let (proxy, line) = Forwarding::start(&["proxy", "--port=0"])?;
    let address = line
        .trim()
        .rsplit(' ')
        .next()
        .context("kubectl proxy says nothing")?;
    Ok((proxy, address.to_owned()))
}

async fn serve(listener: TcpListener, upstream: String, victim: Shared) {
    let client: Client<HttpConnector, Body> = Client::builder(TokioExecutor::new()).build_http();
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let (client, upstream, victim) = (client.clone(), upstream.clone(), victim.clone());
        let service = hyper::service::service_fn(move |request| {
            let (client, upstream, victim) = (client.clone(), upstream.clone(), victim.clone());
            async move { Ok::<_, Infallible>(forward(request, &client, &upstream, &victim).await) }
        });
        connections.spawn(async move {
            // The operator's end of it is killed on purpose.
            drop(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(socket), service)
                    .await,
            );
        });
    }
}

async fn forward(
    mut request: Request<Incoming>,
    client: &Client<HttpConnector, Body>,
    upstream: &str,
    victim: &Shared,
) -> Response<Body> {
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str())
        .to_owned();
    let time = times(request.method(), &path, victim);
    if time == Some(1) {
        execute(victim);
        return unavailable();
    }
    let Ok(uri) = format!("http://{upstream}{path}").parse::<Uri>() else {
        return unavailable();
    };
    *request.uri_mut() = uri;
    let answer = client.request(request.map(BodyExt::boxed)).await;
    if time == Some(2) {
        execute(victim);
        return unavailable();
    }
    match answer {
        Ok(answer) => answer.map(BodyExt::boxed),
        Err(_) => unavailable(),
    }
}

/// How often this write has come; `None` for what is not killed at.
fn times(method: &Method, path: &str, victim: &Shared) -> Option<u32> {
    let mut victim = victim.lock();
    let is_write = !matches!(*method, Method::GET | Method::HEAD)
        && !path.contains("/leases")
        && !path.contains("/events");
    if !victim.kills_on || !is_write {
        return None;
    }
    let path = path.split('?').next().unwrap_or_default().to_owned();
    let times = victim.writes.entry((method.clone(), path)).or_default();
    *times += 1;
    Some(*times)
}

fn execute(victim: &Shared) {
    let mut victim = victim.lock();
    if let Some(pid) = victim.pid.take() {
        victim.kills += 1;
        kill(pid, Signal::KILL);
    }
}

fn unavailable() -> Response<Body> {
    let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}
