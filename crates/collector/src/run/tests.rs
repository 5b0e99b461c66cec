use std::net::{Ipv4Addr, TcpStream};

use alscope_collector_config::Limits;

use super::*;
use crate::receive::worker::tests::Faulty;

#[tokio::test]
async fn a_worker_that_dies_ends_the_receiving_with_an_error_that_ends_the_process() {
    let (stopping, stop) = (CancellationToken::new(), CancellationToken::new());
    let usage = Usage::new(Limits::default());
    let worker = Worker::start(0, Faulty, usage.clone(), stopping.clone()).unwrap();
    let socket = listen((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let client = TcpStream::connect(socket.local_addr().unwrap()).unwrap();
    let readiness = Readiness::default();
    let listener = Listener::new(socket, vec![worker]);
    let receiving = Receiving {
        listener,
        readiness: &readiness,
        usage: &usage,
        stopping: &stopping,
    };
    let receiving = receiving.until(&stop, Ending::default());
    let ended = tokio::time::timeout(Duration::from_secs(20), receiving)
        .await
        .unwrap();
    let error = StartError::from(ended.unwrap_err());
    assert!(matches!(error, StartError::WorkerGone(_)), "{error}");
    assert_eq!((readiness.is_ready(), stop.is_cancelled()), (false, false));
    drop(client);
}
